"""Where lost deals are not recorded: customers against all accounts, an order of accounts and no probability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import duckdb
import numpy as np
import pandas as pd
import pytest
from report_sample import meta, report_data
from small_market import ATTRIBUTES, make_accounts, usual_log_odds

from icp.approval import decide
from icp.bins import encode, make_bins
from icp.contrasts import customers_and_background
from icp.customers import contrast_of, reason_for
from icp.derive import derive
from icp.drift import Watch, monitor
from icp.errors import ConfigError, NotEnoughEvidence
from icp.hypotheses import Hypothesis
from icp.points import card_of
from icp.profile import Profile
from icp.quarterly import QuarterResult, Question, answer
from icp.report import diff_markdown, render_report
from icp.scoring import compile_scoring_sql
from icp.serialize import profile_from_yaml, profile_to_yaml, rounded

MINIMUM = {"wins": 20, "losses": 20}
QUESTION = Question("main", "2026Q2", {"A": 0.05, "B": 0.15, "C": 0.30}, MINIMUM)
PLANTED = {"employees", "industry", "technologies=snowflake"}


@cache
def market(seed: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deals of three quarters, won and lost, at accounts sales drew at random from a universe of 4,000."""
    rng = np.random.default_rng(seed)
    universe = make_accounts(4_000, rng).assign(account_id=[f"u{i:05d}" for i in range(4_000)])
    worked = universe[rng.random(4_000) < 0.4].reset_index(drop=True)
    won = rng.random(len(worked)) < 1 / (1 + np.exp(1.0 - 1.5 * usual_log_odds(worked)))
    quarters = np.array(["2026Q1", "2026Q2", "2026Q3"])[rng.integers(0, 3, len(worked))]
    labels = worked.assign(observation_id=worked["account_id"], is_won=won, outcome_quarter=quarters, role="label")
    labels["outcome_value"] = np.where(won, 1000.0, np.nan)
    universe["is_customer"] = universe["account_id"].isin(labels.loc[won, "account_id"])
    universe["is_worked"] = universe["account_id"].isin(labels["account_id"])
    return labels, universe


def until(quarter: str, *, wins_only: bool = True) -> pd.DataFrame:
    labels, _ = market()
    own = labels[labels["outcome_quarter"] <= quarter]
    return own[own["is_won"] | (not wins_only)].reset_index(drop=True)


@cache
def first() -> QuarterResult:
    return rounded(answer(QUESTION, until("2026Q2"), market()[1], ATTRIBUTES, None))


def test_planted_criteria_are_found_from_wins_alone() -> None:
    profile = first().profile
    found = {c.attribute for c in profile.fit.criteria if c.grade == "confirmed"}
    assert found >= PLANTED
    assert not found & {"noise_score", "noise_level", "country"}
    (industry,) = [c for c in profile.fit.criteria if c.attribute == "industry"]
    odds = {b.key: b.odds for b in industry.bins}
    assert odds["Software"].low > 1 > odds["Public"].high
    _, universe = market()
    scores = card_of(profile.fit, profile.bins).score(encode(universe, profile.bins))
    assert np.corrcoef(scores, usual_log_odds(universe))[0, 1] > 0.8
    assert profile.contrast == "customer_or_not" and profile.state == "derived"


def test_what_follows_from_being_worked_is_left_out() -> None:
    profile = first().profile
    assert {a.family for a in profile.bins.attributes} == {"firmographic", "technographic"}
    assert profile.intent.criteria == () and profile.intent_levels == ()
    assert any("follow from being worked" in note for note in profile.notes)


def test_no_probability_is_published_anywhere() -> None:
    result, (_, universe) = first(), market()
    profile = result.profile
    assert not profile.gives_probability
    assert (profile.base_rate.low, profile.base_rate.high, profile.fit.intercept) == (0.0, 1.0, 0.0)
    assert all(
        (t.opportunities, t.rate.low, t.rate.high) == (0, 0.0, 1.0) and not t.is_supported for t in profile.tiers
    )
    assert [t.name for t in profile.tiers] == ["A", "B", "C", "D"] and profile.tiers[0].accounts > 0
    assert all(b.lift == b.odds for c in profile.fit.criteria for b in c.bins)
    assert (profile.value, result.market, result.contrasts, result.sensitivity, result.exposure) == (None,) * 5
    assert profile.disqualifiers == ()
    with duckdb.connect() as database:
        database.register("accounts", universe)
        scored = database.sql(compile_scoring_sql(profile, relation="accounts")).df()
    assert len(scored) == len(universe)
    assert scored[["win_probability", "expected_value", "expected_value_low"]].isna().all().all()
    assert scored["fit_score"].nunique() > 20


def test_the_words_say_what_was_compared() -> None:
    result = first()
    reason = (
        "Lost deals are not recorded, so this compares customers with all accounts; it ranks accounts and gives no win "
        "probability; sales' past choices are in it."
    )
    assert reason in result.profile.paragraph and reason in result.profile.notes and reason in result.diff.sentence
    assert "odds of being a customer" in result.profile.paragraph and "odds of winning" not in result.profile.paragraph
    assert result.diff.outcome == "first profile"


def test_the_report_and_the_summary_say_it_and_give_no_rate() -> None:
    data = replace(
        report_data(), profile=first().profile, diff=first().diff, incumbent=None, backtest=None, market=None, beliefs=None,
        sensitivity=None, exposure=None, contrasts=None, meta=replace(meta("approved"), history=()),
    )  # fmt: skip
    for page in (render_report(data), diff_markdown(data)):
        text = page.split("<summary>Glossary")[0]
        assert "compares customers with all accounts" in text
        assert (
            "win rate of " not in text
            and "Won / opp" not in text
            and "wins now" not in text
            and "wins more" not in text
        )
        assert "odds of winning" not in text


def test_the_profile_survives_being_written_and_an_old_file_compares_won_with_lost() -> None:
    profile = first().profile
    text = profile_to_yaml(profile)
    assert profile_from_yaml(text) == profile and "contrast: customer_or_not" in text
    assert profile_from_yaml(text.replace("contrast: customer_or_not\n", "")).contrast == "won_or_lost"
    with pytest.raises(ConfigError, match="contrast"):
        profile_from_yaml(text.replace("contrast: customer_or_not", "contrast: both"))


def test_a_missing_value_says_nothing_about_becoming_a_customer() -> None:
    """Customers' records are enriched, those of others are not: that is a fact about record keeping."""
    rng = np.random.default_rng(3)
    labels, universe = until("2026Q2"), market()[1].copy()
    columns = ["noise_score", "noise_level", "country"]
    universe.loc[rng.random(len(universe)) < 0.6, columns] = np.nan
    profile = answer(QUESTION, labels, universe, ATTRIBUTES, None).profile
    found = {c.attribute for c in profile.fit.criteria if c.grade == "confirmed"}
    assert found >= PLANTED and not found & set(columns)
    naive = pd.concat(
        [labels, universe[~universe["is_customer"]].assign(is_won=False, role="label")], ignore_index=True
    )
    naive = naive.drop_duplicates("account_id").assign(outcome_quarter="2026Q2")
    naive["observation_id"] = naive["account_id"]
    dictionary = make_bins(naive, [a for a in ATTRIBUTES if a.axis == "fit"], "2026Q2")
    fooled = derive(naive, dictionary, icp="main", quarter="2026Q2", has_tiers=False)
    assert {c.attribute for c in fooled.fit.criteria if c.grade == "confirmed"} & set(columns)


def test_a_universe_of_customers_is_a_clear_error() -> None:
    _, universe = market()
    few = universe[universe["is_customer"] | (universe.index < 10)]
    with pytest.raises(NotEnoughEvidence, match="accounts that are none") as raised:
        answer(QUESTION, until("2026Q2"), few, ATTRIBUTES, None)
    assert "Map lost deals" in str(raised.value)
    with pytest.raises(NotEnoughEvidence, match="won and 0 lost"):
        answer(replace(QUESTION, contrast="won_or_lost"), until("2026Q2"), universe, ATTRIBUTES, None)
    with pytest.raises(NotEnoughEvidence, match="5 won and 0 lost"):
        answer(QUESTION, until("2026Q2").head(10), universe, ATTRIBUTES, None)


@pytest.mark.parametrize(
    ("wins", "losses", "setting", "expected"),
    [
        (20, 0, "auto", "customer_or_not"),
        (20, 19, "auto", "customer_or_not"),
        (20, 20, "auto", "won_or_lost"),
        (19, 0, "auto", "won_or_lost"),
        (500, 0, "won_or_lost", "won_or_lost"),
        (500, 500, "customer_or_not", "customer_or_not"),
    ],
)
def test_lost_deals_come_first_wherever_they_are_recorded(wins: int, losses: int, setting: str, expected: str) -> None:
    assert contrast_of(replace(QUESTION, contrast=setting), wins, losses) == expected  # type: ignore[arg-type]


def test_the_reason_is_the_true_one() -> None:
    assert reason_for(QUESTION, 3).startswith("Hardly any lost deals are recorded (3), so this compares")
    assert reason_for(replace(QUESTION, contrast="customer_or_not"), 900).startswith("As icp.yml asks, this compares")


def test_the_next_quarter_keeps_the_points_and_cannot_tell() -> None:
    result = rounded(
        answer(replace(QUESTION, quarter="2026Q3"), until("2026Q3"), market()[1], ATTRIBUTES, first().profile)
    )
    before = first().profile
    assert (result.profile.state, result.profile.contrast) == ("kept", "customer_or_not")
    assert points(result.profile) == points(before) and result.profile.bins == before.bins
    assert result.diff.outcome == "cannot tell at this n" and "other accounts that sales worked" in result.diff.sentence
    assert result.profile.base_rate.high == 1.0 and result.profile.window == ("2026Q1", "2026Q2", "2026Q3")
    assert result.backtest is not None and result.backtest.auc is None and result.backtest.tiers == ()
    assert "cannot be judged" in result.backtest.sentence and "of tier A, which holds" in result.backtest.sentence
    approval = decide("auto", result.profile, before, result.diff, result.backtest)
    assert approval.decision == "approved"


def test_contrasts_are_never_mixed_between_quarters() -> None:
    later, (_, universe) = replace(QUESTION, quarter="2026Q3"), market()
    proven = answer(QUESTION, until("2026Q2", wins_only=False), universe, ATTRIBUTES, None).profile
    assert proven.contrast == "won_or_lost" and proven.gives_probability
    to_customers = answer(later, until("2026Q3"), universe, ATTRIBUTES, proven)
    assert "compares won with lost deals, this one customers with all accounts" in to_customers.diff.sentence
    held = decide("auto", to_customers.profile, proven, to_customers.diff, to_customers.backtest)
    assert held.decision == "held" and "won with lost" in held.reason
    to_deals = answer(later, until("2026Q3", wins_only=False), universe, ATTRIBUTES, first().profile)
    assert "compares customers with all accounts, this one won with lost deals" in to_deals.diff.sentence
    assert to_deals.profile.gives_probability and to_deals.profile.base_rate.high < 1
    assert to_deals.backtest is not None and to_deals.backtest.auc is not None and to_deals.backtest.calibration is None
    for result in (to_customers, to_deals):
        assert (
            result.diff.outcome == "cannot tell at this n"
            and result.diff.memberships == ()
            and result.diff.attributes == ()
        )
        assert "cannot be held against each other" in result.diff.sentence
        assert result.incumbent is not None and result.profile.state == "derived"
        assert {c.since for c in result.profile.fit.criteria} == {"2026Q3"}
        assert any(note.startswith("Points refitted: the ICP of 2026Q2 compares") for note in result.profile.notes)


def test_beliefs_step_back_where_customers_say_something_and_stand_in_where_they_do_not() -> None:
    believed = replace(QUESTION, hypotheses=(Hypothesis("industry", "in", "strong", values=("Software",)),))
    _, universe = market()
    result = answer(believed, until("2026Q2"), universe, ATTRIBUTES, None)
    assert result.profile.contrast == "customer_or_not" and result.beliefs is None
    assert any("neither weighed nor graded" in note for note in result.profile.notes)
    few = universe[universe["is_customer"]]
    assert answer(believed, until("2026Q2"), few, ATTRIBUTES, None).profile.state == "hypotheses"


def test_won_deals_that_brought_no_good_customer_are_on_neither_side() -> None:
    labels, (_, universe) = until("2026Q2"), market()
    bad = labels.index < 15
    judged = labels.assign(is_won=~bad, outcome_deal_won=True)
    frame = customers_and_background(judged, universe, "2026Q2", 0, only_good=True)
    assert set(frame.loc[frame["is_won"], "account_id"]) == set(labels.loc[~bad, "account_id"])
    assert not set(frame["account_id"]) & set(labels.loc[bad, "account_id"])
    result = answer(QUESTION, judged, universe, ATTRIBUTES, None)
    assert "Hardly any lost deals are recorded (15)" in result.profile.paragraph


def test_the_order_of_rows_does_not_matter() -> None:
    labels, universe = (frame.sample(frac=1.0, random_state=3) for frame in (until("2026Q2"), market()[1]))
    again = answer(QUESTION, labels.reset_index(drop=True), universe.reset_index(drop=True), ATTRIBUTES, None)
    assert rounded(again.profile) == first().profile


def test_random_customers_support_no_icp() -> None:
    rng = np.random.default_rng(1)
    _, universe = market()
    chosen = universe.index.isin(rng.choice(len(universe), 200, replace=False))
    labels = universe[chosen].assign(is_won=True, outcome_quarter="2026Q2", role="label", outcome_value=np.nan)
    labels["observation_id"] = labels["account_id"]
    result = answer(QUESTION, labels, universe.assign(is_customer=chosen), ATTRIBUTES, None)
    assert result.profile.state == "no_icp" and result.profile.tiers == ()
    assert "none sets customers apart" in result.profile.paragraph and result.diff.sentence.startswith("No ICP yet")


def test_between_quarters_the_monitor_has_nothing_to_judge_by() -> None:
    before, (labels, _) = until("2026Q2"), market()
    since = labels[labels["is_won"] & (labels["outcome_quarter"] == "2026Q3")].reset_index(drop=True)
    watch = Watch(first().profile, "2026Q2/r1", "2026-09-30", 13)
    report, _ = monitor(watch, before, since.assign(week=since.index % 13 + 1), None)
    assert report.monitors["performance"] == report.monitors["concept"] == "not enough data"
    assert report.alerts == () and report.wins == len(since)


def points(profile: Profile) -> Mapping[tuple[str, str], int]:
    return {(c.attribute, b.key): b.points for c in profile.fit.criteria for b in c.bins}
