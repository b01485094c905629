"""Which profile a quarter publishes: the one in force with fresh evidence, or the candidate.

Refitting every quarter moves a third of all accounts to another tier with nothing changed (docs/method.md), so a quiet
quarter keeps the incumbent's points and accounts move only because they themselves changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from icp.backtest import Backtest
from icp.criteria import disqualifiers
from icp.errors import ConfigError
from icp.hypotheses import Hypothesis
from icp.keep import keep
from icp.membership import confirmed, fading, published_changes, qualified_changes
from icp.paragraph import write_paragraph
from icp.profile import Criterion, Grade, Profile, Scorecard
from icp.verdicts import ProfileDiff

LONGEST_KEPT = 4
_LABEL = re.compile(r"(\d{4})Q([1-4])")


def settle(
    incumbent: Profile | None,
    candidate: Profile,
    diff: ProfileDiff,
    frame: pd.DataFrame,
    *,
    backtest: Backtest | None = None,
    universe: pd.DataFrame | None = None,
    tiers_config: Mapping[str, float] | None = None,
    seed: int = 0,
    hypotheses: Sequence[Hypothesis] = (),
    outcomes: pd.DataFrame | None = None,
) -> Profile:
    """The profile this quarter publishes, with a note saying why the points were refitted or kept.

    A refit takes the candidate's bins and points; which of its attributes count as criteria still follows the sticky
    rule (`icp.membership`). Otherwise the incumbent goes on (state "kept").

    Args:
        incumbent: the profile in force; None for the first quarter.
        candidate: what `derive` made of the frame, with `change_points=diff.change_points`.
        diff: what `compare` said.
        frame: the label rows of the window.
        backtest: the incumbent against a challenger on this quarter's outcomes.
        universe: the accounts to be scored.
        tiers_config: tier name -> share of the universe, best first.
        seed: of hashed draws.
        hypotheses: what people believe, as for `derive`.
        outcomes: what has grown since the points were fitted is counted on these, where `frame` holds more than
            outcomes (`icp.customers`).

    Raises:
        ConfigError: the candidate was derived without the changes the diff confirmed.
    """
    if incumbent is None:
        return candidate
    reason = refit_reason(incumbent, candidate, diff, frame if outcomes is None else outcomes, backtest)
    counted = fading(incumbent, candidate)
    if not reason:
        kept = keep(
            incumbent,
            candidate,
            frame,
            universe=universe,
            tiers_config=tiers_config,
            seed=seed,
            hypotheses=hypotheses,
        )
        note = f"Points kept from {incumbent.derived_in}: no change was shown, so accounts move only if they changed."
        return replace(kept, fading=counted, notes=(*kept.notes, note))
    if dict(candidate.change_points) != dict(diff.change_points):
        raise ConfigError(
            f"The candidate of {candidate.quarter} does not know the changes that were confirmed "
            f"({', '.join(diff.changed) or 'none'}); derive it again with change_points=diff.change_points."
        )
    settled = with_sticky_criteria(incumbent, candidate, diff)
    still = {name: count for name, count in counted.items() if name in confirmed(settled)}
    return replace(settled, fading=still, notes=(*settled.notes, f"Points refitted: {reason}."))


def refit_reason(
    incumbent: Profile, candidate: Profile, diff: ProfileDiff, frame: pd.DataFrame, backtest: Backtest | None = None
) -> str:
    """Why the points are to be fitted anew; empty when the quarter is quiet."""
    has_icp, could_have = bool(confirmed(incumbent)), bool(confirmed(candidate))
    if not has_icp:
        return "the data support an ICP for the first time" if could_have else _belief_reason(incumbent, candidate)
    if diff.is_change:
        return f"a change was confirmed in {candidate.quarter}"
    if backtest is not None and backtest.candidate_is_credibly_better:
        return f"the refitted profile ranked the outcomes of {candidate.quarter} credibly better"
    if not could_have:
        return ""
    if _ordinal(candidate.quarter) - _ordinal(incumbent.derived_in) >= LONGEST_KEPT:
        return f"the points were a year old ({incumbent.derived_in})"
    since = frame["outcome_quarter"].astype(str) > incumbent.derived_in
    if int(since.sum()) >= int((~since).sum()):
        return f"the evidence has doubled since {incumbent.derived_in}"
    return ""


def _belief_reason(incumbent: Profile, candidate: Profile) -> str:
    """Points that rest on beliefs are never kept: every quarter's outcomes weigh the beliefs anew."""
    if candidate.state == "hypotheses":
        return "stated beliefs were weighed anew against the outcomes"
    return "the beliefs its points rested on no longer hold" if incumbent.state == "hypotheses" else ""


def with_sticky_criteria(incumbent: Profile, candidate: Profile, diff: ProfileDiff) -> Profile:
    """The candidate, its attributes graded by the sticky rule; its points stay as they are.

    An attribute that has not yet convinced twice counts as provisional; a criterion whose evidence is thin this once
    stays one as long as it is in the score.
    """
    moves = qualified_changes(incumbent, candidate, diff.changed)
    enters = {m.attribute for m in moves if m.direction == "enters"}
    leaves = {m.attribute for m in moves if m.direction == "leaves"}
    wanted = (confirmed(incumbent).keys() - leaves) | enters
    if not wanted & {c.attribute for c in candidate.fit.criteria} or not confirmed(incumbent):
        return candidate
    fit, intent = (_regraded(card, wanted) for card in (candidate.fit, candidate.intent))
    grades: dict[str, Grade] = {c.attribute: c.grade for c in (*fit.criteria, *intent.criteria)}
    tests = tuple(replace(t, grade=grades.get(t.attribute, t.grade)) for t in candidate.tests)
    regraded = replace(candidate, fit=fit, intent=intent, tests=tests)
    return replace(regraded, paragraph=_paragraph(regraded), disqualifiers=disqualifiers(fit.criteria))


def settled_diff(diff: ProfileDiff, incumbent: Profile | None, profile: Profile) -> ProfileDiff:
    """The diff with the criteria that really entered and left, and those that wait for the next refit."""
    if incumbent is None:
        return diff
    done = published_changes(incumbent, profile, diff.changed)
    names = {change.attribute for change in done}
    return replace(diff, memberships=(*done, *(m for m in diff.memberships if m.attribute not in names)))


def _regraded(scorecard: Scorecard, wanted: set[str]) -> Scorecard:
    criteria = [_graded(c, c.attribute in wanted) for c in scorecard.criteria]
    criteria.sort(key=lambda c: c.grade != "confirmed")
    return replace(scorecard, criteria=tuple(criteria))


def _graded(criterion: Criterion, is_wanted: bool) -> Criterion:
    if is_wanted:
        return replace(criterion, grade="confirmed")
    if criterion.grade == "believed":
        return criterion
    return replace(criterion, grade="provisional", headline=False)


def _paragraph(profile: Profile) -> str:
    return write_paragraph(
        window=profile.window,
        opportunities=profile.opportunities,
        wins=profile.wins,
        base_rate=profile.base_rate,
        criteria=profile.fit.criteria,
        tiers=profile.tiers,
        candidates=sum(t.axis == "fit" for t in profile.tests),
    )


def _ordinal(label: str) -> int:
    """Quarters counted through: 2026Q1 is one after 2025Q4."""
    match = _LABEL.fullmatch(label)
    if match is None:
        raise ConfigError(f"'{label}' is not a quarter; write it as 2026Q3.")
    return 4 * int(match[1]) + int(match[2]) - 1
