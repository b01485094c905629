"""Bad input to the core: the right answer or a clear refusal, never a traceback, never a number without support.

Every case goes through two quarters of `answer` (derive, compare, backtest, settle); what must hold of any answer is
checked of all of them: every published number finite, inside its interval, with the outcomes that support it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from small_market import ATTRIBUTES, make_accounts, make_outcomes

from icp.backtest import backtest
from icp.bins import make_bins
from icp.derive import derive
from icp.diff import compare
from icp.errors import ConfigError, NotEnoughEvidence
from icp.profile import Attribute, Estimate
from icp.quarterly import QuarterResult, Question, answer
from icp.question import ContrastSetting
from icp.serialize import profile_from_yaml, profile_to_yaml, rounded, to_json

FIRST, NEXT = "2025Q4", "2026Q1"
NAMES = ("employees", "industry", "visits_30d")
CANDIDATES = tuple(a for a in ATTRIBUTES if a.name in NAMES)
TIERS = {"A": 0.05, "B": 0.15, "C": 0.30}


@pytest.fixture(scope="module")
def market() -> pd.DataFrame:
    return make_outcomes((FIRST, NEXT), 180, seed=11)


@pytest.fixture(scope="module")
def universe() -> pd.DataFrame:
    frame = make_accounts(300, np.random.default_rng(2))
    return frame.assign(account_id=[f"u{i:04d}" for i in range(len(frame))])


def asked(
    labels: pd.DataFrame,
    universe: pd.DataFrame,
    attributes: tuple[Attribute, ...] = CANDIDATES,
    minimum: int = 20,
    quarters: tuple[str, ...] = (FIRST, NEXT),
    contrast: ContrastSetting = "auto",
) -> QuarterResult:
    """The quarters one after the other, each with the profile of the one before; the last answer, checked."""
    incumbent, result = None, None
    for quarter in quarters:
        question = Question("main", quarter, TIERS, {"wins": minimum, "losses": minimum}, contrast=contrast)
        rows = labels[labels["outcome_quarter"].fillna(quarter) <= quarter]
        result = rounded(answer(question, rows, universe, attributes, incumbent))
        incumbent = result.profile
        assert_sound(result)
    assert result is not None
    return result


def estimates(value: object) -> Iterator[Estimate]:
    if isinstance(value, Estimate):
        yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from estimates(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from estimates(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from estimates(item)


def assert_sound(result: QuarterResult) -> None:
    profile = result.profile
    for estimate in estimates(result):
        assert math.isfinite(estimate.value) and not math.isnan(estimate.low + estimate.high), estimate
        assert estimate.low <= estimate.value + 1e-9 and estimate.value <= estimate.high + 1e-9, estimate
    assert profile_from_yaml(profile_to_yaml(profile)) == profile
    assert "NaN" not in to_json(result.diff)
    confirmed = {t.attribute for t in profile.tests if t.grade == "confirmed"}
    for test in profile.tests:
        assert test.p_value is None or 0 <= test.p_value <= 1
    if profile.state == "no_icp":
        assert not confirmed and not profile.fit.criteria and not profile.tiers
    for criterion in profile.fit.criteria:
        assert max(b.points for b in criterion.bins) <= 100


def grade(result: QuarterResult, attribute: str) -> str:
    return next(t.grade for t in result.profile.tests if t.attribute == attribute)


# -- outcomes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("won", [True, False])
def test_one_class_only_is_refused(market, universe, won):
    with pytest.raises(NotEnoughEvidence, match=r"\d+ won and \d+ lost"):
        asked(market.assign(is_won=won), universe, contrast="won_or_lost")


def test_wins_only_are_compared_with_the_universe_and_support_nothing_where_it_is_alike(market, universe):
    result = asked(market.assign(is_won=True), universe, quarters=(NEXT,))
    assert result.profile.contrast == "customer_or_not" and not result.profile.gives_probability
    assert not {c.attribute for c in result.profile.fit.criteria} & {"noise_score", "noise_level"}
    with pytest.raises(NotEnoughEvidence, match="accounts that are none"):
        asked(market.assign(is_won=True), universe.head(5), quarters=(NEXT,))


def test_three_wins_are_refused_and_with_a_lower_minimum_confirm_nothing(market, universe):
    few = market.assign(is_won=np.arange(len(market)) % 120 == 0)
    with pytest.raises(NotEnoughEvidence, match="3 won"):
        asked(few, universe, quarters=(NEXT,))
    result = asked(few, universe, minimum=1, quarters=(NEXT,))
    assert result.profile.state == "no_icp" and result.profile.base_rate.high < 0.03


def test_a_quarter_with_one_class_only_after_a_good_one(market, universe):
    for won in (True, False):
        rows = market.copy()
        rows.loc[rows["outcome_quarter"] == NEXT, "is_won"] = won
        result = asked(rows, universe)
        assert result.diff.outcome in ("cannot tell at this n", "first profile", "no evidence")
        assert not result.diff.is_change
        assert result.backtest is not None and result.backtest.auc is None


def test_no_rows_at_all(market, universe):
    with pytest.raises(NotEnoughEvidence, match="0 won and 0 lost"):
        asked(market.iloc[:0], universe)
    with pytest.raises(NotEnoughEvidence):
        asked(market.assign(is_won=None), universe)


def test_outcomes_of_a_few_accounts_repeated_many_times_are_not_many_outcomes(market, universe):
    few = market.assign(account_id=[f"a{i % 25}" for i in range(len(market))])
    first = few.drop_duplicates("account_id").set_index("account_id")
    same = few.assign(**{n: few["account_id"].map(first[n]) for n in [*NAMES, "is_won"]})
    try:
        result = asked(same, universe, minimum=5, quarters=(NEXT,))
    except NotEnoughEvidence:
        return
    assert result.profile.state == "no_icp"
    assert any("resemble each other" in note for note in result.profile.notes)


def test_a_row_given_twice_is_named(market, universe):
    with pytest.raises(ConfigError, match="more than once"):
        asked(pd.concat([market, market.iloc[:3]]), universe)


def test_values_of_wins_may_be_anything(market, universe):
    odd = np.array([np.nan, np.inf, -np.inf, -5_000.0, 0.0, 1e300])
    result = asked(market.assign(outcome_value=odd[np.arange(len(market)) % len(odd)]), universe)
    assert result.profile.wins > 0


# -- attributes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "x", 7.0])
@pytest.mark.parametrize("kind", ["numeric", "category", "flag", "set"])
def test_a_constant_or_empty_attribute_says_nothing(market, universe, kind, value):
    constant = Attribute("constant", kind, "firmographic", "Constant")
    rows = market.iloc[::2].assign(constant=value)
    result = asked(rows, universe.assign(constant=value), (constant,), minimum=5, quarters=(NEXT,))
    assert {t.grade for t in result.profile.tests} <= {"not_enough_evidence"}
    assert result.profile.state == "no_icp"


def test_an_attribute_known_for_score_rows_only(market, universe):
    attribute = Attribute("late", "category", "firmographic", "Late")
    result = asked(market, universe.assign(late="x"), (*CANDIDATES, attribute), quarters=(NEXT,))
    assert grade(result, "late") == "not_enough_evidence"


def test_perfect_separation_is_confirmed_with_a_finite_interval(market, universe):
    oracle = Attribute("oracle", "flag", "firmographic", "Oracle")
    rows = market.assign(oracle=market["is_won"])
    result = asked(
        rows, universe.assign(oracle=np.arange(len(universe)) % 5 == 0), (*CANDIDATES, oracle), quarters=(NEXT,)
    )
    criterion = result.profile.fit.criterion("oracle")
    assert criterion is not None and criterion.grade == "confirmed"
    yes = next(b for b in criterion.bins if b.key == "yes")
    assert yes.odds.low > 5 and math.isfinite(yes.odds.high)
    assert 0 < result.profile.tiers[0].rate.high <= 1


def test_a_category_with_5000_levels_confirms_nothing(market, universe):
    rng = np.random.default_rng(4)
    street = Attribute("street", "category", "firmographic", "Street")
    rows = market.assign(street=[f"s{i}" for i in rng.integers(0, 5000, len(market))])
    result = asked(
        rows, universe.assign(street=[f"s{i}" for i in range(len(universe))]), (*CANDIDATES, street), quarters=(NEXT,)
    )
    assert grade(result, "street") in ("not_confirmed", "not_enough_evidence")
    assert len(result.profile.bins.bins["street"]) <= 42


def test_a_set_with_5000_members_has_few_candidates(market, universe):
    rng = np.random.default_rng(5)
    tools = Attribute("tools", "set", "technographic", "Tools")

    def drawn(count: int) -> list[str]:
        return [f"|{'|'.join(f't{i}' for i in rng.integers(0, 5000, 5))}|" for _ in range(count)]

    result = asked(
        market.assign(tools=drawn(len(market))), universe.assign(tools=drawn(len(universe))), (tools,), quarters=(NEXT,)
    )
    assert len(result.profile.bins.attributes) <= 120
    assert not [t for t in result.profile.tests if t.grade == "confirmed"]


def test_numbers_that_are_none(market, universe):
    odd = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e308, -1e308, 3.5])
    number = Attribute("odd", "numeric", "firmographic", "Odd")
    cut = Attribute("cut", "numeric", "firmographic", "Cut", cuts=(-5.0, 0.0, 10.0))
    rows = market.assign(odd=odd[np.arange(len(market)) % 8], cut=odd[np.arange(len(market)) % 8])
    accounts = universe.assign(odd=odd[np.arange(len(universe)) % 8], cut=np.inf)
    result = asked(rows, accounts, (*CANDIDATES, number, cut))
    assert all(math.isfinite(b.lower or 0.0) for b in result.profile.bins.bins["odd"])
    assert grade(result, "odd") != "confirmed"


def test_negative_numbers_have_bins_of_their_own(market, universe):
    rng = np.random.default_rng(6)
    profit = Attribute("profit", "numeric", "firmographic", "Profit")
    rows = market.assign(profit=rng.normal(-50, 40, len(market)))
    result = asked(rows, universe.assign(profit=-1.0), (*CANDIDATES, profit), quarters=(NEXT,))
    bins = result.profile.bins.bins["profit"]
    assert any((b.upper or 1.0) < 0 for b in bins) and bins[0].lower is None


@pytest.mark.parametrize("kind", ["numeric", "category", "flag", "set"])
def test_mixed_types_in_one_column(market, universe, kind):
    mixed = np.array([1, "1", 2.5, True, None, "yes", "|a|b|", "", pd.Timestamp("2025-01-01"), (1, 2)], dtype=object)
    attribute = Attribute("mixed", kind, "firmographic", "Mixed")
    rows = market.iloc[::2].assign(mixed=lambda f: mixed[np.arange(len(f)) % len(mixed)])
    accounts = universe.assign(mixed=mixed[np.arange(len(universe)) % len(mixed)])
    result = asked(rows, accounts, (attribute,), minimum=5, quarters=(NEXT,))
    assert result.profile.state == "no_icp"


def test_no_candidate_at_all(market, universe):
    assert asked(market, universe, ()).profile.state == "no_icp"


def test_an_attribute_declared_twice_is_named(market, universe):
    with pytest.raises(ConfigError, match="declared twice"):
        asked(market, universe, (*CANDIDATES, CANDIDATES[0]))


# -- accounts ----------------------------------------------------------------------------------------------------------


def test_an_empty_universe(market, universe):
    result = asked(market, universe.iloc[:0])
    assert sum(t.accounts for t in result.profile.tiers) in (0, len(market))


def test_one_account_and_equal_accounts(market, universe):
    assert sum(t.accounts for t in asked(market, universe.iloc[:1], quarters=(NEXT,)).profile.tiers) in (0, 1)
    same = universe.iloc[[0] * 50]
    assert sum(t.accounts for t in asked(market, same, quarters=(NEXT,)).profile.tiers) in (0, 50)


def test_duplicated_accounts_change_nothing_but_the_count(market, universe):
    once, twice = (asked(market, u, quarters=(NEXT,)) for u in (universe, pd.concat([universe, universe])))
    assert [c.attribute for c in once.profile.fit.criteria] == [c.attribute for c in twice.profile.fit.criteria]
    assert [2 * t.accounts for t in once.profile.tiers] == [t.accounts for t in twice.profile.tiers]


# -- the parts by themselves -------------------------------------------------------------------------------------------


def test_derive_compare_and_backtest_refuse_a_frame_without_outcomes_in_words(market):
    dictionary = make_bins(market, CANDIDATES, FIRST)
    profile = derive(market, dictionary, icp="main", quarter=FIRST)
    judged = backtest(profile, market.iloc[:0], "2026Q2")
    assert (judged.auc is None and "Not enough outcomes" in judged.sentence) or "Nothing to backtest" in judged.sentence
    found = compare(profile, profile, market, "2026Q2")
    assert found.outcome == "cannot tell at this n"
    with pytest.raises(ConfigError, match="no column"):
        derive(market.drop(columns="is_won"), dictionary, icp="main", quarter=FIRST)


def test_half_a_thing_cannot_be_won(market, universe):
    for odd in ("maybe", "False", 0.5, 2):
        with pytest.raises(ConfigError, match="is_won holds"):
            asked(market.assign(is_won=odd), universe)
    dictionary = make_bins(market, CANDIDATES, FIRST)
    with pytest.raises(ConfigError, match="is_won holds"):
        derive(market.assign(is_won=-1), dictionary, icp="main", quarter=FIRST)
