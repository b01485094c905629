"""Which attributes are criteria of the ICP from quarter to quarter, without flickering.

An attribute that enters must convince twice, one that leaves must fail to three times running, unless a change of its
effect was confirmed (docs/method.md): re-deriving from scratch every quarter would move two or
three criteria a quarter with nothing changed. A segment has convinced twice when it is found: on the half of the accounts
it was searched on, and on the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from icp.profile import AttributeTest, Criterion, Profile
from icp.verdicts import Cause, MembershipChange

ENTER_NOW, ENTER_LAST = 0.05, 0.10
FADED, FADED_QUARTERS = 0.25, 3
GONE = 0.05


def confirmed(profile: Profile) -> dict[str, Criterion]:
    """The criteria of both axes that count as such (provisional ones are in the score only)."""
    return {c.attribute: c for c in (*profile.fit.criteria, *profile.intent.criteria) if c.grade == "confirmed"}


def qualified_changes(incumbent: Profile, candidate: Profile, changed: Collection[str]) -> tuple[MembershipChange, ...]:
    """The criteria that have earned their way in or lost their place, on the candidate's evidence."""
    held = confirmed(incumbent)
    at_once = {*changed, *(a.name for a in candidate.bins.attributes if a.conditions)}
    entering = (t for t in candidate.tests if t.attribute not in held and _enters(t, incumbent, at_once))
    leaving = (t for t in candidate.tests if t.attribute in held and _leaves(t, incumbent, changed))
    return (
        *(
            MembershipChange(t.attribute, t.label, "enters", _cause(t.attribute, "evidence gained", changed), False)
            for t in entering
        ),
        *(
            MembershipChange(t.attribute, t.label, "leaves", _cause(t.attribute, "evidence faded", changed), False)
            for t in leaving
        ),
    )


def published_changes(before: Profile, after: Profile, changed: Collection[str]) -> tuple[MembershipChange, ...]:
    """The criteria that differ between two published profiles, with why."""
    return tuple(_published(confirmed(before), confirmed(after), changed))


def fading(incumbent: Profile, candidate: Profile) -> dict[str, int]:
    """How many quarters running each of the incumbent's criteria has had nothing to show for itself."""
    p_values = {t.attribute: t.p_value for t in candidate.tests}
    counts = {}
    for name in confirmed(incumbent):
        p_value = p_values.get(name)
        if p_value is not None and p_value > FADED:
            counts[name] = incumbent.fading.get(name, 0) + 1
    return counts


def _enters(test: AttributeTest, incumbent: Profile, at_once: Collection[str]) -> bool:
    if test.grade != "confirmed" or test.q_value is None or test.q_value > ENTER_NOW:
        return False
    last = next((t.q_value for t in incumbent.tests if t.attribute == test.attribute), None)
    return test.attribute in at_once or (last is not None and last <= ENTER_LAST)


def _leaves(test: AttributeTest, incumbent: Profile, changed: Collection[str]) -> bool:
    if test.p_value is None:
        return False
    if test.attribute in changed and test.p_value > GONE:
        return True
    return test.p_value > FADED and incumbent.fading.get(test.attribute, 0) + 1 >= FADED_QUARTERS


def _published(
    before: Mapping[str, Criterion], after: Mapping[str, Criterion], changed: Collection[str]
) -> Iterator[MembershipChange]:
    for name in sorted(after.keys() - before.keys()):
        yield MembershipChange(name, after[name].label, "enters", _cause(name, "evidence gained", changed), True)
    for name in sorted(before.keys() - after.keys()):
        yield MembershipChange(name, before[name].label, "leaves", _cause(name, "evidence faded", changed), True)


def _cause(name: str, otherwise: Cause, changed: Collection[str]) -> Cause:
    return "real change" if name in changed else otherwise
