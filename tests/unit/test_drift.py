"""Watching between quarters: tests whose promise survives weekly looks, alerts on entry and recovery only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from scipy.stats import nchypergeom_fisher
from small_profiles import profile

from icp.drift import Watch, advance, monitor
from icp.drift_monitors import LOOKS, Mix, allowance, last_look, watch_population
from icp.drift_performance import TopTier, performance_looks, watch_performance
from icp.drift_report import Finding, MonitorState, Remembered, State
from icp.drift_tests import (
    Shortfall,
    boundaries,
    e_value,
    mix_test,
    pooled_odds_ratio,
    shortfalls,
    spent,
    summed_odds_ratio,
)
from icp.profile import Attribute, Bin, Profile
from icp.serialize import from_json, to_json

SECTOR = Attribute("sector", "category", "firmographic", "Sector")
BINS = (*(Bin(x, x, levels=(x,)) for x in "abc"), Bin("other", "any other"), Bin("missing", "unknown"))
RATES = {"a": 0.5, "b": 0.2, "c": 0.1}
counts = st.integers(0, 30).map(float)
week_tables = st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=13).map(
    lambda rows: np.array(rows, dtype=float)
)


def outcomes(
    count: int, seed: int, *, rates: dict[str, float] = RATES, mix: tuple[float, ...] = (0.3, 0.3, 0.4), weeks: int = 13
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sector = rng.choice(list("abc"), count, p=mix)
    won = rng.random(count) < pd.Series(sector).map(rates).to_numpy()
    return pd.DataFrame(
        {
            "observation_id": [f"{seed}-{i}" for i in range(count)],
            "account_id": [f"{seed}-{i}" for i in range(count)],
            "outcome_quarter": np.array(["2025Q3", "2025Q4", "2026Q1", "2026Q2"])[np.arange(count) % 4],
            "is_won": won,
            "outcome_value": np.where(won, 100.0, np.nan),
            "sector": sector,
            "week": np.arange(count) * weeks // count + 1,
        }
    )


BEFORE = outcomes(1600, 1)


def in_force() -> Profile:
    """Sector a is tier A; tier rates as the outcomes before had them."""
    made = profile([(SECTOR, BINS, (100, 40, 0, 0, 0))], quarter="2026Q2")
    own = {"A": "a", "B": "b", "C": "c"}
    tiers = []
    for tier, floor in zip(made.tiers, (100, 40, 0, 0), strict=False):
        rows = BEFORE[BEFORE["sector"] == own.get(tier.name, "")]
        tiers.append(replace(tier, min_score=floor, opportunities=len(rows), wins=int(rows["is_won"].sum())))
    return replace(made, tiers=tuple(tiers))


def watch(week: int) -> Watch:
    return Watch(in_force(), "2026Q2/r1", "2026-09-30", week)


# -- the tests themselves ----------------------------------------------------------------------------------------------


def test_all_looks_together_err_as_often_as_promised() -> None:
    limits = boundaries([float(k) for k in range(1, 14)], [k / 13 for k in range(1, 14)], 0.05)
    walks = np.random.default_rng(1).standard_normal((100_000, 13)).cumsum(axis=1) / np.sqrt(np.arange(1, 14))
    assert (walks >= limits).any(axis=1).mean() == pytest.approx(0.05, abs=0.003)
    assert limits[-1] < -ndtri(0.03)  # looking weekly costs little at the quarter's end


def test_one_look_at_the_end_is_the_ordinary_test() -> None:
    assert boundaries([4.0], [1.0], 0.025)[0] == pytest.approx(1.96, abs=0.001)


def test_the_planned_looks_of_a_quarter_spend_exactly_its_allowance() -> None:
    assert sum(allowance(look, 0.0125) for look in LOOKS) == pytest.approx(0.0125)
    assert sum(allowance(13 + look, 0.0125) for look in LOOKS) == pytest.approx(0.0125)
    assert spent(0.02, 0.0) == 0.0


def test_the_pooled_odds_ratio_by_hand_and_waves_of_the_base_rate_cancel() -> None:
    one = np.array([[10.0, 20.0, 10.0, 60.0]])
    assert np.exp(pooled_odds_ratio(one).value) == pytest.approx(10 * 60 / (20 * 10))
    good, bad = [40.0, 10.0, 60.0, 60.0], [10.0, 40.0, 2.0, 32.0]  # odds ratio 4 in each, base rates far apart
    assert np.exp(pooled_odds_ratio(np.array([good, bad])).value) == pytest.approx(4.0)


@pytest.mark.parametrize("growth", [1.0, 1.0001, 1.005])
def test_time_alone_is_no_evidence(growth: float) -> None:
    shares = [look / 13 for look in range(3, 14)]
    limits = boundaries([9.0 * growth**k for k in range(11)], shares, 0.025)
    assert (limits >= -ndtri(0.025) - 1e-3).all()
    if growth == 1.0:
        assert limits == pytest.approx(np.full(11, limits[0]))


def test_missing_wins_are_counted_given_the_totals_of_each_table() -> None:
    tables = np.array([[3.0, 9.0, 10.0, 30.0], [0.0, 5.0, 2.0, 9.0]])
    found = shortfalls(tables, np.log(3.0))[-1]
    fisher = [nchypergeom_fisher(52, 12, 13, 3.0), nchypergeom_fisher(16, 5, 2, 3.0)]
    assert found.wins == pytest.approx(sum(f.mean() for f in fisher) - 3)
    assert found.variance == pytest.approx(sum(f.var() for f in fisher))
    skews = [f.stats(moments="s") * f.std() ** 3 for f in fisher]
    assert found.third == pytest.approx(-sum(float(s) for s in skews))
    won = np.array([[2.0, 0.0, 5.0, 0.0]])  # everything was won: these totals say nothing of the odds ratio
    assert shortfalls(won, 1.0)[-1].variance == 0.0


@pytest.mark.parametrize("third", [-4.0, 0.0, 4.0])
@pytest.mark.parametrize("prior", [0.0, 0.1])
def test_a_larger_shortfall_never_has_a_smaller_z(third: float, prior: float) -> None:
    variance, error = 3.0, (3.0 + 0.1 * 9.0 * (prior > 0)) ** 0.5
    places = np.linspace(-12, 12, 97)
    zs = [Shortfall(x * error, variance, third).z(prior) for x in places]
    assert (np.diff(zs) > 0).all()
    middle = Shortfall(2.0 * error, variance, third).z(prior)
    assert middle == pytest.approx(2.0 - third / error**3 / 6 * 3, abs=0.15)  # of the first order


@pytest.mark.parametrize(
    ("odds", "ratio", "share"),
    [(2.0, 5.0, 0.10), (0.7, 3.0, 0.15), (0.2, 3.5, 0.20)],
    ids=["most win", "half win", "few win"],
)
def test_weekly_looks_keep_their_promise_whatever_the_win_rate(odds: float, ratio: float, share: float) -> None:
    rng = np.random.default_rng(11)

    def draw(weeks: int) -> np.ndarray:
        counts = rng.poisson(150 / 13, weeks)
        top = rng.binomial(counts, share)
        won = [rng.binomial(n, o / (1 + o)) for n, o in ((top, odds * ratio), (counts - top, odds))]
        return np.column_stack([won[0], top - won[0], won[1], counts - top - won[1]]).astype(float)

    alarms, runs = 0, 250
    for _ in range(runs):
        top = TopTier("Tier A", draw(52).sum(axis=0), draw(13))
        limits, looks = performance_looks(top, 0, 13, 0.025)
        prior = summed_odds_ratio(top.before).variance
        alarms += any(look is not None and look.z(prior) >= limit for look, limit in zip(looks, limits, strict=True))
    assert alarms <= 0.025 * runs + 2 * (0.025 * runs) ** 0.5


def test_weeks_of_another_win_rate_and_another_mix_of_tiers_are_no_fall() -> None:
    good, bad = [4.0, 4.0, 6.0, 18.0], [2.0, 14.0, 1.0, 21.0]  # odds ratio 3 in both kinds of week
    weeks = np.array([good, bad] * 6 + [good])
    line = watch_performance(TopTier("Tier A", np.array([300.0, 700.0, 300.0, 2100.0]), weeks), 13, 0.025)
    assert line.verdict == "ok"


def test_a_fall_among_few_wins_is_seen_though_the_odds_ratio_now_is_hardly_known() -> None:
    before = np.array([250.0, 350.0, 400.0, 2000.0])
    weeks = np.tile([0.0, 3.0, 2.0, 8.0], (13, 1))
    weeks[::6, 0] += 1.0  # three wins in the best tier where about thirteen were due
    line = watch_performance(TopTier("Tier A", before, weeks), 13, 0.025)
    assert line.verdict == "drift"
    now, expected = pooled_odds_ratio(weeks), summed_odds_ratio(before)
    by_wald = (expected.value - now.value) / (now.variance + expected.variance) ** 0.5
    assert ndtr(-by_wald) > line.p_value


def test_outcomes_that_tell_nothing_apart_are_not_enough_data() -> None:
    weeks = np.array([[10.0, 0.0, 20.0, 0.0]] * 4 + [[0.0, 10.0, 0.0, 20.0]] * 4)
    line = watch_performance(TopTier("Tier A", np.array([200.0, 200.0, 200.0, 1000.0]), weeks), 8, 0.025)
    assert line.verdict == "not enough data"
    assert "of the best tier and of the rest" in line.sentence


def test_a_week_without_a_win_is_no_infinite_odds_ratio() -> None:
    found = pooled_odds_ratio(np.array([[0.0, 9.0, 4.0, 40.0]]))
    assert found == summed_odds_ratio(np.array([0.0, 9.0, 4.0, 40.0]))
    assert np.isfinite(found.value)


@given(week_tables, st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_order_of_weeks_does_not_matter_to_the_odds_ratio_nor_to_the_stake(weeks: np.ndarray, shuffle) -> None:
    order = list(range(len(weeks)))
    shuffle.shuffle(order)
    assert pooled_odds_ratio(weeks).value == pytest.approx(pooled_odds_ratio(weeks[order]).value)
    assert e_value(weeks, 1.0) == pytest.approx(e_value(weeks[order], 1.0), rel=1e-6)


def test_the_stake_is_fair_on_average_when_nothing_has_fallen() -> None:
    rng = np.random.default_rng(5)
    odds = np.log(3.0)
    stakes = []
    for _ in range(400):
        top, rest = rng.binomial(10, 0.43, 6), rng.binomial(30, 0.2, 6)
        stakes.append(e_value(np.column_stack([top, 10 - top, rest, 30 - rest]).astype(float), odds))
    assert np.mean(stakes) < 1.6
    assert np.mean(np.array(stakes) >= 20) <= 0.05


@given(st.lists(st.integers(1, 200).map(float), min_size=2, max_size=8), st.randoms())
@settings(max_examples=40, deadline=None)
def test_the_mix_test_does_not_care_about_the_order_of_bins_and_same_shares_are_no_drift(before, shuffle) -> None:
    table = np.array(before)
    assert mix_test(table, table).p_value == pytest.approx(1.0)
    order = list(range(len(table)))
    shuffle.shuffle(order)
    now = table[::-1].copy()
    assert mix_test(table, now).p_value == pytest.approx(
        mix_test(table[order], now[order]).p_value, rel=1e-6, abs=1e-12
    )


def test_an_empty_side_or_a_single_state_is_no_drift() -> None:
    assert mix_test(np.array([10.0, 5.0]), np.zeros(2)).p_value == 1.0
    assert mix_test(np.array([100.0, 0.0]), np.array([50.0, 0.0])).p_value == 1.0


# -- monitors ----------------------------------------------------------------------------------------------------------


def test_population_and_concept_are_looked_at_at_planned_weeks_only() -> None:
    assert [last_look(week) for week in (0, 3, 4, 7, 8, 12, 13, 14, 16, 17, 26)] == [
        0,
        0,
        4,
        4,
        8,
        8,
        13,
        13,
        13,
        17,
        26,
    ]


def test_values_that_go_missing_are_a_drift_of_the_mix() -> None:
    since = np.tile([20.0, 10.0, 10.0], (13, 1))
    mix = Mix("employees", "Company size", ("small", "large", "unknown"), np.array([700.0, 290.0, 10.0]), since)
    (line,) = watch_population([mix], 13, 0.0125)
    assert line.verdict == "drift"
    assert "unknown 1% before, 25% since" in line.sentence


def test_a_significant_but_tiny_move_of_the_mix_is_not_drift() -> None:
    mix = Mix("x", "X", ("no", "yes"), np.array([50_000.0, 50_000.0]), np.tile([2_400.0, 2_600.0], (13, 1)))
    (line,) = watch_population([mix], 13, 0.0125)
    assert line.q_value is not None
    assert line.q_value < 1e-6
    assert line.verdict == "ok"


@pytest.mark.parametrize(("week", "rows"), [(3, 30), (13, 2)])
def test_few_accounts_are_not_enough_data(week: int, rows: int) -> None:
    mix = Mix("x", "X", ("no", "yes"), np.array([500.0, 500.0]), np.tile([0.0, float(rows)], (13, 1)))
    (line,) = watch_population([mix], week, 0.0125)
    assert line.verdict == "not enough data"


def test_a_best_tier_that_no_longer_wins_is_seen_and_a_bad_quarter_overall_is_not() -> None:
    before = np.array([200.0, 200.0, 200.0, 1000.0])
    fallen = TopTier("Tier A", before, np.tile([2.0, 8.0, 5.0, 25.0], (13, 1)))
    poorer = TopTier("Tier A", before, np.tile([3.0, 9.0, 2.0, 30.0], (13, 1)))
    assert watch_performance(fallen, 13, 0.025).verdict == "drift"
    assert watch_performance(poorer, 13, 0.025).verdict == "ok"


@pytest.mark.parametrize("cells", [(0.0, 0.0, 9.0, 90.0), (0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 4.0)])
def test_a_tier_nobody_was_worked_in_gives_no_verdict(cells: tuple[float, ...]) -> None:
    top = TopTier("Tier A", np.array([200.0, 200.0, 200.0, 1000.0]), np.array([cells]))
    assert watch_performance(top, 1, 0.025).verdict == "not enough data"


# -- the report and its memory -----------------------------------------------------------------------------------------


def test_a_quiet_quarter_has_no_alert_in_any_week() -> None:
    since, remembered = outcomes(500, 2), None
    for week in range(14):
        report, remembered = monitor(watch(week), BEFORE, since, remembered)
        assert report.alerts == ()
        assert not report.is_drift
    assert report.state == "ok"
    assert report.headline.startswith("No drift")


def test_an_attribute_that_turns_round_alerts_once_and_stays() -> None:
    since = outcomes(600, 3, rates={"a": 0.1, "b": 0.2, "c": 0.5})
    events, remembered = [], None
    for week in range(14):
        report, remembered = monitor(watch(week), BEFORE, since, remembered)
        events += [(alert.key, alert.event) for alert in report.alerts]
    assert sorted(events) == [("concept/sector", "entered"), ("performance/top_tier", "entered")]
    assert report.is_drift
    assert report.headline.startswith("Drift: Tier A, Sector")


@pytest.mark.parametrize("last", [13, 17])
def test_a_first_run_late_or_a_look_back_says_what_weekly_runs_would_have_said(last: int) -> None:
    since = pd.concat([outcomes(600, 3, rates={"a": 0.1, "b": 0.2, "c": 0.5}), outcomes(300, 5).assign(week=17)])
    since["observation_id"] = np.arange(len(since)).astype(str)
    remembered, alerts = None, []
    for week in range(last + 1):
        weekly, remembered = monitor(watch(week), BEFORE, since, remembered)
        alerts += weekly.alerts
    late, kept = monitor(watch(last), BEFORE, since, None)
    assert late.is_drift  # of the first block, which has passed by week 17
    assert replace(late, alerts=()) == replace(weekly, alerts=())
    assert late.alerts == tuple(alerts)
    before_any_look = "concept/all"  # a line of weeks 0 to 3, when no attribute could be looked at
    assert kept.lines == {key: line for key, line in remembered.lines.items() if key != before_any_look}


def test_an_account_counts_once_in_the_block_whatever_it_did_in_others() -> None:
    once = outcomes(260, 7).assign(week=lambda frame: np.arange(len(frame)) % 4 + 14)
    earlier = once.assign(observation_id=lambda frame: "early-" + frame["observation_id"], week=1)
    twice = once.assign(observation_id=lambda frame: "again-" + frame["observation_id"])

    def population(since: pd.DataFrame) -> list[Finding]:
        report, _ = monitor(watch(17), BEFORE, since, None)
        return [line.finding for line in report.lines if line.finding.monitor == "population"]

    alone = population(once)
    assert alone[0].p_value is not None
    assert population(pd.concat([earlier, once])) == alone
    assert [f.p_value for f in population(pd.concat([once, twice]))] == pytest.approx([f.p_value for f in alone])


def test_a_moved_mix_is_named_with_its_largest_move() -> None:
    report, _ = monitor(watch(13), BEFORE, outcomes(500, 4, mix=(0.3, 0.55, 0.15)), None)
    drifting = {line.finding.key for line in report.lines if line.state == "drift"}
    assert drifting == {"population/sector", "population/fit_tier"}


def test_row_order_does_not_matter_and_a_repeated_run_says_the_same_without_a_second_alert() -> None:
    since = outcomes(600, 3, rates={"a": 0.1, "b": 0.2, "c": 0.5})
    report, remembered = monitor(watch(13), BEFORE, since, None)
    shuffled, _ = monitor(watch(13), BEFORE.sample(frac=1, random_state=1), since.sample(frac=1, random_state=2), None)
    assert to_json(report) == to_json(shuffled)
    again, kept = monitor(watch(13), BEFORE, since, remembered)
    assert report.alerts
    assert again.alerts == ()
    assert again.state == "drift"
    assert kept == remembered


def test_a_new_icp_in_force_starts_anew() -> None:
    since = outcomes(600, 3, rates={"a": 0.1, "b": 0.2, "c": 0.5})
    _, remembered = monitor(watch(13), BEFORE, since, None)
    report, kept = monitor(replace(watch(0), baseline="2026Q3/r1"), BEFORE, since, remembered)
    assert kept.baseline == "2026Q3/r1"
    assert report.state == "not enough data"


def test_outcomes_of_later_weeks_are_not_known_yet() -> None:
    since = outcomes(600, 3, rates={"a": 0.1, "b": 0.2, "c": 0.5})
    early, _ = monitor(watch(5), BEFORE, since, None)
    cut, _ = monitor(watch(5), BEFORE, since[since["week"] <= 5], None)
    assert early == cut


def finding(look: int, verdict: State, *, is_calm: bool = False) -> Finding:
    return Finding("performance", "top_tier", "Tier A", look, verdict, "words", is_calm=is_calm)


def test_drift_ends_after_four_calm_looks_running_and_not_before() -> None:
    known, alert = advance(finding(5, "drift"), None)
    assert alert is not None
    assert alert.event == "entered"
    events = []
    calm = [True, True, True, False, True, True, True, True]
    for look, is_calm in enumerate(calm, start=6):
        known, alert = advance(finding(look, "ok", is_calm=is_calm), known)
        events.append(alert.event if alert else "")
    assert events == [""] * 7 + ["recovered"]
    assert known.state == "ok"


def test_too_little_data_neither_ends_a_drift_nor_counts_as_calm() -> None:
    known = Remembered("drift", 5, 13, calm=2)
    kept, alert = advance(finding(14, "not enough data"), known)
    assert (kept.state, kept.calm, alert) == ("drift", 2, None)


def test_what_is_remembered_survives_the_file() -> None:
    state = MonitorState("2026Q2/r1", {"performance/top_tier": Remembered("drift", 5, 9, 2)})
    assert from_json(MonitorState, to_json(state)) == state


def test_an_icp_without_criteria_has_nothing_to_watch() -> None:
    empty = replace(in_force(), fit=replace(in_force().fit, criteria=()))
    report, _ = monitor(replace(watch(13), profile=empty), BEFORE, outcomes(200, 2), None)
    assert report.headline.startswith("Nothing to watch")
    assert report.state == "not enough data"


# -- what ages by the calendar -----------------------------------------------------------------------------------------

AGE = Attribute("company_age_years", "numeric", "firmographic", "Company age", cuts=(6, 11))
AGE_BINS = (
    Bin("b0", "under 6", upper=6), Bin("b1", "6-10", 6, 11), Bin("b2", "11 or more", 11), Bin("missing", "unknown"),
)  # fmt: skip


def seen(count: int, seed: int, *, year: int, founded: tuple[int, int]) -> pd.DataFrame:
    """Outcomes of companies founded evenly over some years, looked at in one year."""
    born = np.random.default_rng(seed).integers(*founded, count)
    return outcomes(count, seed).assign(
        company_age_years=(year - born).astype(float), observed_at=pd.Timestamp(f"{year}-06-01")
    )


def age_finding(before: pd.DataFrame, since: pd.DataFrame) -> Finding:
    made = profile([(AGE, AGE_BINS, (40, 20, 0, 0))], quarter="2026Q2")
    report, _ = monitor(Watch(made, "2026Q2/r1", "2026-09-30", 13), before, since, None)
    return next(line.finding for line in report.lines if line.finding.name == AGE.name)


def test_companies_that_only_grew_older_are_no_drift_nor_are_those_of_a_renewed_market() -> None:
    before = seen(1600, 1, year=2024, founded=(2010, 2024))
    same_companies = age_finding(before, seen(800, 2, year=2026, founded=(2010, 2024)))
    assert same_companies.verdict == "ok"
    assert "had the same companies grown older" in same_companies.sentence
    assert age_finding(before, seen(800, 3, year=2026, founded=(2012, 2026))).verdict == "ok"


def test_what_the_calendar_does_not_explain_is_still_drift() -> None:
    before = seen(1600, 1, year=2024, founded=(2010, 2024))
    assert age_finding(before, seen(800, 4, year=2026, founded=(1990, 2012))).verdict == "drift"
    assert age_finding(before, seen(800, 5, year=2026, founded=(2019, 2026))).verdict == "drift"
