"""Whether a fresh profile may take over on its own, or a person must look first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from icp.backtest import Backtest
from icp.profile import Profile
from icp.verdicts import ProfileDiff

Decision = Literal["approved", "held"]


@dataclass(frozen=True)
class Approval:
    """The policy's answer with its reason in words."""

    decision: Decision
    reason: str = ""


def decide(
    mode: str, profile: Profile, incumbent: Profile | None, diff: ProfileDiff, backtest: Backtest | None
) -> Approval:
    """Approve on its own what is safe, hold what a person should see; the incumbent serves meanwhile.

    A profile that keeps the incumbent's points changes nothing and is approved in either mode. Otherwise mode
    "ask" holds everything, and "auto" holds a profile without a criterion and one whose refit, made before the quarter
    began, ranked the quarter's outcomes credibly worse than the incumbent did. Where a change was confirmed in the very
    quarter, a refit from before it has nothing to say about the candidate, and the test of the change decides.
    """
    if profile.state == "kept":
        return Approval("approved", "nothing changed: the points of the ICP in force are kept")
    if profile.state == "no_icp":
        return Approval("held", "the data support no criterion")
    if mode == "ask":
        return Approval("held", "icp.yml asks for a person's approval")
    if not profile.gives_probability:
        return _without_probability(profile, incumbent)
    if incumbent is None:
        return Approval("approved", "first profile")
    if diff.is_change:
        return Approval("approved", f"the change was confirmed on the outcomes of {profile.quarter}")
    if backtest is not None and backtest.candidate_is_credibly_worse:
        return Approval("held", "the candidate is credibly worse than the ICP in force on this quarter's outcomes")
    return Approval("approved", "not credibly worse than the ICP in force on this quarter's outcomes")


def _without_probability(profile: Profile, incumbent: Profile | None) -> Approval:
    """What only ranks may stand in for an ICP, never replace one that won and lost deals have shown."""
    is_proven = incumbent is not None and incumbent.gives_probability and incumbent.state != "no_icp"
    if profile.contrast == "customer_or_not":
        if is_proven:
            return Approval("held", "it compares customers with all accounts, the ICP in force won with lost deals")
        return Approval("approved", "nothing better is known: too few lost deals are recorded, and it says so")
    if incumbent is not None and incumbent.state not in ("hypotheses", "no_icp"):
        return Approval("held", "it rests on beliefs, the ICP in force on outcomes")
    return Approval("approved", "nothing better is known yet; it rests on stated beliefs and says so")


def guarded(
    approval: Approval,
    profile: Profile,
    *,
    moved: int,
    compared: int,
    most_moves: float | None,
    warnings: Sequence[str],
) -> Approval:
    """Hold what the policy approved when too many accounts would change tier, or a gate warned.

    A profile that keeps the points of the one in force is never held for either: whoever moves, moves because the
    account changed, and holding it would leave the old scores in use.

    Args:
        approval: What the policy says without them.
        profile: The candidate.
        moved: Accounts that change tier.
        compared: Accounts with a tier before and after.
        most_moves: The share of them that may move; None for any.
        warnings: What the gates warned of, empty when it does not matter.
    """
    if approval.decision == "held" or profile.state == "kept":
        return approval
    if most_moves is not None and compared and moved > most_moves * compared:
        share = f"{moved:,} of {compared:,} accounts ({moved / compared:.0%}) would change tier"
        return Approval("held", f"{share}, more than the {most_moves:.0%} icp.yml lets pass (approval.most_tier_moves)")
    if warnings:
        more = f" and {len(warnings) - 1} more" if len(warnings) > 1 else ""
        return Approval("held", f"a gate warned (approval.hold_on_warnings): {warnings[0]}{more}")
    return approval


def lapses_at(held_at: datetime, deadline_days: int | None) -> datetime | None:
    """Until when a held candidate waits for an answer; None when it waits for ever."""
    return None if deadline_days is None else held_at + timedelta(days=deadline_days)
