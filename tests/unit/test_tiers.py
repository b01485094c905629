import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import planted_world

from icp.evidence import gather_evidence
from icp.label_rows import read_label_rows
from icp.profile import Estimate, Tier
from icp.stats import wilson_interval
from icp.tiers import (
    cross_fitted_places,
    cut_tiers,
    intent_levels,
    is_within_capacity,
    measure_tiers,
    place,
    recount,
    rest_name,
)

SHARES = {"A": 0.05, "B": 0.15, "C": 0.30}


def test_a_hundred_different_scores_are_cut_at_5_20_and_50():
    cuts = cut_tiers(np.arange(100), SHARES)
    assert cuts == (("A", 95), ("B", 80), ("C", 50), ("D", 0))
    assert np.bincount(place(np.arange(100), cuts)).tolist() == [5, 15, 30, 50]


def test_ties_are_not_split_and_capacity_is_kept():
    scores = np.repeat([90, 80, 70, 60], [4, 4, 30, 62])
    cuts = cut_tiers(scores, SHARES)
    assert cuts == (("A", 90), ("B", 80), ("C", 70), ("D", 0))


def test_a_first_tie_larger_than_the_best_tier_goes_there_whole():
    cuts = cut_tiers(np.repeat([90, 10], [30, 70]), SHARES)
    assert cuts[0] == ("A", 90)
    assert np.bincount(place(np.array([90, 10]), cuts), minlength=4).tolist() == [1, 0, 0, 1]


def test_equal_scores_rank_nobody():
    cuts = cut_tiers(np.zeros(50, dtype=int), SHARES)
    assert place(np.zeros(50, dtype=int), cuts).tolist() == [3] * 50


def test_no_accounts_no_failure():
    assert [name for name, _ in cut_tiers(np.array([], dtype=int), SHARES)] == ["A", "B", "C", "D"]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=200))
def test_cuts_fall_and_no_tier_below_the_first_exceeds_capacity(values):
    scores = np.array(values)
    cuts = cut_tiers(scores, SHARES)
    floors = [floor for _, floor in cuts]
    assert floors == sorted(floors, reverse=True)
    held = [(scores >= floor).mean() for floor in floors[:-1]]
    first_tie = (scores == scores.max()).mean()
    for share, limit in zip(held, np.cumsum(list(SHARES.values())), strict=True):
        assert share <= max(limit, first_tie) + 1e-9


def test_the_rest_has_the_next_letter():
    assert rest_name(["A", "B", "C"]) == "D"
    assert rest_name(["gold", "silver"]) == "rest"


def test_intent_levels_are_two_floors():
    assert intent_levels(np.arange(100)) == (90, 60)


@pytest.fixture(scope="module")
def evidence():
    world = planted_world(11, rows=900, count=8, planted=4, sd=(0.5, 0.8), universe=10)
    return gather_evidence(read_label_rows(world.frame, world.dictionary), world.dictionary, {})


def test_out_of_fold_tiers_are_repeatable_and_rank(evidence):
    places = cross_fitted_places(evidence, None, SHARES, seed=0)
    assert (places == cross_fitted_places(evidence, None, SHARES, seed=0)).all()
    rates = [evidence.rows.won[places == i].mean() for i in range(4)]
    assert rates[0] > rates[2] > rates[3]


def test_rates_are_counted_and_compared_with_the_base(evidence):
    places = np.where(np.arange(900) < 90, 0, 3)
    tiers = measure_tiers(evidence, places, (("A", 80), ("B", 60), ("C", 40), ("D", 0)), np.array([85, 10]))
    best, empty, _, rest = tiers
    assert (best.accounts, empty.accounts, rest.accounts) == (1, 0, 1)
    assert best.opportunities == 90
    assert best.wins == int(evidence.rows.won[:90].sum())
    assert best.rate.value == pytest.approx(best.wins / 90)
    assert best.lift.value == pytest.approx(best.rate.value / evidence.rows.won.mean())
    assert not best.is_supported  # the first rows by number are like any others
    assert (empty.opportunities, empty.is_supported, empty.value_per_win) == (0, False, None)
    assert best.value_per_win.low <= best.value_per_win.value <= best.value_per_win.high


@pytest.mark.parametrize(("placed", "covary"), [(None, 1.4), (4999, 1.4), (5000, 1.25)])
def test_rates_are_as_unsure_as_the_folds_they_come_from(evidence, placed, covary):
    places = np.where(np.arange(900) < 90, 0, 3)
    cuts = (("A", 80), ("B", 60), ("C", 40), ("D", 0))
    best = measure_tiers(evidence, places, cuts, np.array([85, 10]), placed)[0]
    counted = evidence.weights[:90].mean() / covary
    by_hand = wilson_interval(best.wins * counted, 90 * counted)
    assert (best.rate.low, best.rate.high) == pytest.approx((by_hand.low, by_hand.high))


def test_kept_cuts_hold_until_capacity_is_exceeded_by_a_quarter():
    cuts = (("A", 95), ("B", 80), ("C", 50), ("D", 0))
    assert is_within_capacity(np.arange(100), cuts, SHARES)
    assert not is_within_capacity(np.arange(100) + 2, cuts, SHARES)
    assert not is_within_capacity(np.arange(100), cuts, {"A": 0.05})


def test_recount_keeps_rates_and_counts_accounts():
    rate = Estimate(0.2, 0.1, 0.3)
    measured = {n: Tier(n, 0, 0, 10, 2, rate, rate, True) for n in "AD"}
    tiers = recount((("A", 50), ("D", 0)), np.array([60, 50, 49]), measured)
    assert [(t.min_score, t.accounts, t.wins) for t in tiers] == [(50, 2, 2), (0, 1, 2)]
