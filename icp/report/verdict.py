"""The answer in words, once: the terminal, the report, the pull request and the alerts all say these sentences."""

from __future__ import annotations

from dataclasses import dataclass

from icp.report.data import ReportData
from icp.report.migration import TierMoves, tier_moves
from icp.report.wording import clean, count, listing, plural


@dataclass(frozen=True)
class Verdict:
    """What changed, who moves, whether it is in force, and what to do about it."""

    headline: str
    moves: str
    decision: str
    action: str


def verdict_sentence(data: ReportData) -> str:
    """What changed, how many accounts move and whether it is in force: the line to read when there is time for one."""
    verdict = verdict_of(data)
    return f"{verdict.headline} {verdict.moves} {verdict.decision}"


def verdict_of(data: ReportData) -> Verdict:
    """The verdict of a revision, sentence by sentence."""
    moves = tier_moves(data.migration)
    return Verdict(clean(data.diff.sentence), _moves(data, moves), _decision(data), _action(data, moves))


def _moves(data: ReportData, moves: TierMoves) -> str:
    if not data.profile.tiers:
        return "No account is given a tier."
    if not moves.compared:
        best = max(data.profile.tiers, key=lambda tier: tier.min_score)
        total = moves.scored or sum(tier.accounts for tier in data.profile.tiers)
        scored = plural(total, "account is", "accounts are")
        return f"{scored} scored, {count(best.accounts)} of them in tier {clean(best.name)}."
    if not moves.moved:
        return f"None of {plural(moves.compared, 'account')} changes tier."
    split = [
        (moves.account_changed, "because the account changed"),
        (moves.icp_changed, "because the ICP changed"),
        (moves.both, "for both reasons"),
    ]
    causes = [(count(number), words) for number, words in split if number]
    verb = "changes" if moves.moved == 1 else "change"
    moved = f"{count(moves.moved)} of {plural(moves.compared, 'account')} {verb} tier"
    if len(causes) == 1:
        return f"{moved}, {'all ' if moves.moved > 1 else ''}{causes[0][1]}."
    return f"{moved}{': ' + listing([' '.join(cause) for cause in causes]) if causes else ''}."


def _decision(data: ReportData) -> str:
    approval = data.meta.approval
    state = "Approved" if approval.decision == "approved" else "Held for approval"
    reason = clean(approval.reason).rstrip(".")
    return _refit(data) + (f"{state}: {reason}." if reason else f"{state}.")


def _refit(data: ReportData) -> str:
    """Why there are new points although nothing in the market was seen to change; empty otherwise."""
    if data.incumbent is None or data.profile.state != "derived" or data.diff.is_change:
        return ""
    notes = [note for note in data.profile.notes if note.startswith("Points refitted:")]
    return f"{clean(notes[0])} " if notes else ""


def _action(data: ReportData, moves: TierMoves) -> str:
    if data.profile.state == "no_icp":
        serving = f" The ICP of {data.incumbent.quarter} keeps serving." if data.incumbent else ""
        hope = "More outcomes or better filled attributes may show one; see what was considered."
        return f"Do not segment on this.{serving} {hope}"
    if data.meta.approval.decision == "held":
        return _held_action(data)
    if data.profile.contrast == "customer_or_not":
        return (
            "Work the best tiers first, some accounts of the others too, and record the deals that are lost: they are what "
            "tells who wins from whom sales worked. lists/net_new.csv names the accounts that fit."
        )
    if data.profile.state == "hypotheses":
        return (
            "Work the best tiers first, and some of the others: outcomes from both are what tells belief from fact. "
            "lists/net_new.csv names the accounts that fit."
        )
    if data.incumbent is None:
        return "Work the best tiers first: lists/net_new.csv names the accounts that fit and are not customers yet."
    if data.profile.state == "kept":
        moved = "; the accounts that moved did so because they themselves changed" if moves.moved else ""
        return f"Nothing to decide. Keep working the same tiers{moved}."
    return (
        "The new points are in force. Read what changed, hand lists/risers.csv to sales and release lists/fallers.csv."
    )


def _held_action(data: ReportData) -> str:
    revision = f"{data.profile.quarter}/{data.meta.revision}"
    serving = f"; the ICP of {data.incumbent.quarter} serves meanwhile" if data.incumbent else ""
    return (
        f"Read what changed, then put it in force with “icp approve {revision} --reason …” "
        f"or turn it down with “icp reject {revision} --reason …”{serving}."
    )
