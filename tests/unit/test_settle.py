"""What a quarter publishes: quiet quarters keep the points, changes and age refit them, criteria do not flicker."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from small_market import ATTRIBUTES, flipped_size, make_outcomes, usual_log_odds

from icp.backtest import Backtest
from icp.bins import make_bins
from icp.derive import derive
from icp.diff import compare
from icp.errors import ConfigError
from icp.membership import confirmed, fading, qualified_changes
from icp.points import card_of
from icp.profile import AttributeTest, Profile
from icp.settle import refit_reason, settle, settled_diff, with_sticky_criteria
from icp.verdicts import ProfileDiff

QUARTERS = ("2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1")
NEW = QUARTERS[-1]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_outcomes(QUARTERS, 250, 31)


@pytest.fixture(scope="module")
def incumbent(frame: pd.DataFrame) -> Profile:
    earlier = frame[frame["outcome_quarter"] < NEW]
    return derive(earlier, make_bins(earlier, ATTRIBUTES, "2025Q4"), icp="main", quarter="2025Q4")


@pytest.fixture(scope="module")
def candidate(frame: pd.DataFrame, incumbent: Profile) -> Profile:
    return derive(frame, incumbent.bins, icp="main", quarter=NEW, incumbent=incumbent)


@pytest.fixture(scope="module")
def quiet(frame: pd.DataFrame, incumbent: Profile, candidate: Profile) -> ProfileDiff:
    diff = compare(incumbent, candidate, frame, NEW)
    assert not diff.is_change
    return diff


def test_the_first_profile_is_the_candidate(frame: pd.DataFrame, candidate: Profile, quiet: ProfileDiff) -> None:
    assert settle(None, candidate, quiet, frame) is candidate


def test_a_quiet_quarter_moves_no_account(
    frame: pd.DataFrame, incumbent: Profile, candidate: Profile, quiet: ProfileDiff
) -> None:
    settled = settle(incumbent, candidate, quiet, frame)
    assert (settled.state, settled.quarter, settled.derived_in) == ("kept", NEW, "2025Q4")
    before, after = (card_of(p.fit, p.bins) for p in (incumbent, settled))
    assert {n: p.tolist() for n, p in after.points.items()} == {n: p.tolist() for n, p in before.points.items()}
    assert [(t.name, t.min_score) for t in settled.tiers] == [(t.name, t.min_score) for t in incumbent.tiers]
    assert settled.bins == incumbent.bins
    assert settled.tests == candidate.tests  # the evidence is this quarter's
    assert settled.opportunities == 1_250
    assert "Points kept from 2025Q4" in settled.notes[-1]
    assert settled_diff(quiet, incumbent, settled).memberships == quiet.memberships


def test_a_confirmed_change_refits_with_the_change_known(frame: pd.DataFrame, incumbent: Profile) -> None:
    turned = make_outcomes(QUARTERS, 400, 33, log_odds=lambda q: flipped_size if q == NEW else usual_log_odds)
    unaware = derive(turned, incumbent.bins, icp="main", quarter=NEW, incumbent=incumbent)
    diff = compare(incumbent, unaware, turned, NEW)
    assert diff.changed == ("employees",)
    with pytest.raises(ConfigError, match=r"\(employees\); derive it again with change_points=diff.change_points"):
        settle(incumbent, unaware, diff, turned)
    aware = derive(
        turned, incumbent.bins, icp="main", quarter=NEW, incumbent=incumbent, change_points=diff.change_points
    )
    settled = settle(incumbent, aware, diff, turned)
    assert (settled.state, settled.derived_in, settled.change_points) == ("derived", NEW, {"employees": NEW})
    assert settled.notes[-1] == "Points refitted: a change was confirmed in 2026Q1."
    size = settled.fit.criterion("employees")
    assert size is not None
    by_label = {b.label: b.points for b in size.bins}
    assert by_label["up to 10"] > by_label["51-200"]  # turned round


def test_age_evidence_and_backtest_each_refit(
    frame: pd.DataFrame, incumbent: Profile, candidate: Profile, quiet: ProfileDiff
) -> None:
    assert refit_reason(incumbent, candidate, quiet, frame) == ""
    old = replace(incumbent, derived_in="2025Q1")
    assert refit_reason(old, candidate, quiet, frame) == "the points were a year old (2025Q1)"
    young = replace(incumbent, derived_in="2025Q2")
    assert refit_reason(young, candidate, quiet, frame) == "the evidence has doubled since 2025Q2"
    assert refit_reason(replace(incumbent, derived_in="2025Q3"), candidate, quiet, frame) == ""
    better = Backtest("main", "2025Q4", NEW, 250, 50, "", candidate_is_credibly_better=True)
    assert "credibly better" in refit_reason(incumbent, candidate, quiet, frame, better)
    assert refit_reason(incumbent, candidate, quiet, frame, replace(better, candidate_is_credibly_better=False)) == ""


def test_an_icp_is_not_given_up_because_one_quarter_confirms_nothing(
    frame: pd.DataFrame, incumbent: Profile, candidate: Profile, quiet: ProfileDiff
) -> None:
    empty = replace(candidate, fit=replace(candidate.fit, criteria=()), intent=replace(candidate.intent, criteria=()))
    assert refit_reason(replace(incumbent, derived_in="2024Q1"), empty, quiet, frame) == ""
    assert "for the first time" in refit_reason(empty, candidate, quiet, frame)


def _with_test(profile: Profile, name: str, p_value: float, q_value: float) -> Profile:
    """The same profile with other evidence about one attribute, graded as derive would."""
    grade = "confirmed" if q_value <= 0.10 else "not_confirmed"

    def changed(test: AttributeTest) -> AttributeTest:
        return replace(test, p_value=p_value, q_value=q_value, grade=grade) if test.attribute == name else test

    return replace(profile, tests=tuple(changed(t) for t in profile.tests))


def _without(profile: Profile, name: str) -> Profile:
    criteria = tuple(c for c in profile.fit.criteria if c.attribute != name)
    return replace(profile, fit=replace(profile.fit, criteria=criteria))


@pytest.mark.parametrize(
    ("q_now", "q_last", "changed", "enters"),
    [
        (0.04, 0.09, (), True),  # convinced twice
        (0.04, 0.12, (), False),  # only once
        (0.07, 0.01, (), False),  # not enough now
        (0.04, 0.90, ("employees",), True),  # its effect really changed
    ],
)
def test_a_criterion_enters_when_it_convinces_twice(
    incumbent: Profile, candidate: Profile, q_now: float, q_last: float, changed: tuple[str, ...], enters: bool
) -> None:
    before = _without(_with_test(incumbent, "employees", q_last / 4, q_last), "employees")
    moves = qualified_changes(before, _with_test(candidate, "employees", q_now / 4, q_now), changed)
    own = [m for m in moves if m.attribute == "employees"]
    assert bool(own) is enters
    if enters:
        assert (own[0].direction, own[0].is_in_force) == ("enters", False)
        assert own[0].cause == ("real change" if changed else "evidence gained")


@pytest.mark.parametrize(
    ("p_now", "quarters_before", "changed", "cause"),
    [
        (0.26, 2, (), "evidence faded"),  # the third quarter running
        (0.26, 1, (), None),
        (0.24, 2, (), None),
        (0.06, 0, ("employees",), "real change"),
        (0.04, 0, ("employees",), None),  # changed, and still matters
    ],
)
def test_a_criterion_leaves_after_three_quarters_or_a_change(
    incumbent: Profile,
    candidate: Profile,
    p_now: float,
    quarters_before: int,
    changed: tuple[str, ...],
    cause: str | None,
) -> None:
    assert "employees" in confirmed(incumbent)
    before = replace(incumbent, fading={"employees": quarters_before})
    now = _with_test(candidate, "employees", p_now, 4 * p_now)
    own = [m for m in qualified_changes(before, now, changed) if m.attribute == "employees"]
    assert [(m.direction, m.cause) for m in own] == ([("leaves", cause)] if cause else [])
    assert fading(before, now).get("employees", 0) == (quarters_before + 1 if p_now > 0.25 else 0)


def test_a_newcomer_of_one_quarter_is_in_the_score_but_not_a_criterion(
    incumbent: Profile, candidate: Profile, quiet: ProfileDiff
) -> None:
    assert {"employees", "industry"} <= confirmed(candidate).keys()
    before = _without(_with_test(incumbent, "employees", 0.5, 0.8), "employees")
    settled = with_sticky_criteria(before, candidate, quiet)
    size = settled.fit.criterion("employees")
    assert size is not None
    assert (size.grade, size.headline) == ("provisional", False)
    assert card_of(settled.fit, settled.bins).points["employees"].max() > 0
    assert next(t for t in settled.tests if t.attribute == "employees").grade == "provisional"
    assert "Company size" not in settled.paragraph
    assert confirmed(settled).keys() <= confirmed(before).keys()


def test_the_published_diff_tells_what_really_entered_and_left(
    incumbent: Profile, candidate: Profile, quiet: ProfileDiff
) -> None:
    diff = settled_diff(quiet, incumbent, _without(incumbent, "employees"))
    (left,) = [m for m in diff.memberships if m.attribute == "employees"]
    assert (left.direction, left.cause, left.is_in_force) == ("leaves", "evidence faded", True)
    assert settled_diff(quiet, None, candidate) is quiet
