"""A diff in words: one verdict for the quarter, one sentence per attribute, segment and criterion."""

from __future__ import annotations

from collections.abc import Sequence

from icp.membership import confirmed
from icp.profile import Profile
from icp.verdicts import AttributeChange, BinChange, EnteringSegment, MembershipChange, ProfileDiff, ShareMove

MOST_NAMED, NAMED_SHARE = 3, 0.03
MOST_SAID = 20.0


def verdict_sentence(diff: ProfileDiff, candidate: Profile) -> str:
    """The verdict on the quarter, as it should be read aloud."""
    if diff.outcome == "first profile":
        return _first(diff, candidate)
    if diff.outcome == "changed":
        return _changed(diff)
    if diff.outcome == "cannot tell at this n":
        return _cannot_tell(diff)
    return _no_evidence(diff, candidate)


def attribute_sentence(change: AttributeChange) -> str:
    """What can be said about one attribute, with what could have been seen where nothing was."""
    if change.verdict == "changed":
        return f"{change.label}: changed, {_moves(change)}."
    if change.is_mix_driven:
        return f"{change.label}: differs only because the mix of accounts does, not who wins among like accounts."
    if change.verdict == "stable":
        return f"{change.label}: stable, every larger group within ×1.5 of what it was."
    if change.detectable is None:
        return f"{change.label}: cannot tell at this n, {change.reason or 'not tested'}."
    verdict = "no evidence of a change" if change.verdict == "no evidence" else change.verdict
    needed = f"its odds would have had to move {_times(change.detectable)} to be seen"
    return f"{change.label}: {verdict}; {needed}{_group_move(change.detectable_share)}."


def segment_sentence(segment: EnteringSegment) -> str:
    """A segment that came into view, and whether it wins differently from the rest."""
    facts = (
        f"{segment.label} {segment.level} entered: {segment.share_now:.0%} of the outcomes after "
        f"{segment.share_before:.1%} before, {segment.wins} of {segment.opportunities} won "
        f"({segment.rate.low:.0%} to {segment.rate.high:.0%}; the others {segment.rate_of_others:.0%})"
    )
    return f"{facts}." if segment.is_change else f"{facts}; whether it wins differently cannot be told yet."


def membership_sentence(change: MembershipChange) -> str:
    """Why a criterion enters or leaves; evidence is not the same as the market."""
    verb = "enters the ICP" if change.direction == "enters" else "leaves the ICP"
    when = "" if change.is_in_force else " at the next refit of the points"
    why = {
        "real change": "real change: its effect on winning is not what it was",
        "evidence gained": "evidence gained: nothing shows that the market moved, but now its effect can be shown",
        "evidence faded": "evidence faded: nothing shows that the market moved, but its effect can no longer be shown",
    }[change.cause]
    return f"{change.label} {verb}{when} ({why})."


def share_words(diff: ProfileDiff) -> str:
    """The detectable change as users see it: how far a share of the wins must move. Empty where nothing was tested."""
    move = diff.detectable_share
    if move is None:
        return ""
    wins = _count(diff.wins, "win", "wins")
    return f"with {wins} a share of {move.before:.0%} must move {_points(move)}"


def _needed(diff: ProfileDiff, detectable: float) -> str:
    """The typical change that would be seen, as a share of the wins and in odds."""
    odds = _times(detectable)
    share = share_words(diff)
    moved = f"{share}, or odds {odds}," if share else f"odds must move {odds}"
    return f"{moved} to be seen four times in five"


def _group_move(move: ShareMove | None) -> str:
    if move is None:
        return ""
    return f", which would take {move.group} from {move.before:.0%} to {move.now:.0%} of the wins"


def _points(move: ShareMove) -> str:
    return _count(round(move.points), "point", "points")


def _first(diff: ProfileDiff, candidate: Profile) -> str:
    if not confirmed(candidate):
        return f"No ICP yet: the {candidate.opportunities:,} outcomes so far support no criterion."
    return (
        f"First profile: {_count(diff.criteria, 'criterion', 'criteria')} from {candidate.opportunities:,} outcomes, "
        f"{candidate.wins:,} of them won; there is no earlier ICP to compare with."
    )


def _changed(diff: ProfileDiff) -> str:
    moved = [a for a in diff.attributes if a.verdict == "changed"]
    told = "; ".join(f"{a.label} ({_moves(a)})" for a in moved)
    segments = [s for s in diff.entering if s.is_change]
    entered = " ".join(segment_sentence(s) for s in segments)
    if not moved:
        return f"The ICP changed: a new segment entered. {entered}"
    head = f"The ICP changed in {len(diff.changed)} of {diff.criteria} criteria: {told}."
    return f"{head} {entered}".rstrip()


def _cannot_tell(diff: ProfileDiff) -> str:
    outcomes = f"{diff.quarter} brought {_count(diff.opportunities, 'outcome', 'outcomes')}, {diff.wins:,} won"
    needed = f"; {_needed(diff, diff.detectable)}" if diff.detectable else ""
    return f"Cannot tell at this n whether the ICP changed: {outcomes}{needed}."


def _no_evidence(diff: ProfileDiff, candidate: Profile) -> str:
    tested = sum(a.p_value is not None for a in diff.attributes)
    outcomes = _count(diff.opportunities, "outcome", "outcomes")
    if not diff.criteria:
        return f"No evidence of a change: the {candidate.opportunities:,} outcomes of the window still support no ICP."
    seen = f"{tested} attributes tested; {_needed(diff, diff.detectable or 1.0)}"
    sentence = (
        f"No evidence of a change: none of the {_count(diff.criteria, 'criterion', 'criteria')} moved by more than chance "
        f"on the {outcomes} of {diff.quarter} ({seen})."
    )
    return " ".join([sentence, *(segment_sentence(s) for s in diff.entering)])


def _moves(change: AttributeChange) -> str:
    """The bins that moved most for their size, largest first."""
    return ", ".join(
        f"{b.label} from ×{b.before.value:.2f} to ×{b.now.value:.2f} the average odds" for b in _most_moved(change.bins)
    )


def _most_moved(bins: Sequence[BinChange]) -> list[BinChange]:
    clear = [b for b in bins if b.share_now >= NAMED_SHARE and not b.change.low <= 1 <= b.change.high]
    named = clear or [b for b in bins if b.share_now >= NAMED_SHARE] or list(bins)
    ranked = sorted(named, key=lambda b: -abs(max(b.change.value, 1e-9) ** 0.5 - max(b.change.value, 1e-9) ** -0.5))
    return ranked[: MOST_NAMED if clear else 1]


def _times(odds: float) -> str:
    return f"×{odds:.1f}" if odds < MOST_SAID else f"more than ×{MOST_SAID:.0f}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
