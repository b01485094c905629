import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from icp.stats import (
    amount_mean_interval,
    auc_with_interval,
    benjamini_hochberg,
    jeffreys_interval,
    lift_interval,
    mixture_chi2_tail,
    population_stability_index,
    ratio_interval,
    wilson_interval,
)

counts = st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_wilson_matches_the_textbook_example():
    # Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    for wins, total, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        interval = wilson_interval(wins, total)
        assert interval.low == pytest.approx(low, abs=5e-5)
        assert interval.high == pytest.approx(high, abs=5e-5)


def test_no_deals_means_the_rate_is_anything():
    assert wilson_interval(0, 0)[1:] == (0.0, 1.0)
    assert jeffreys_interval(0, 0)[1:] == (0.0, 1.0)
    assert lift_interval(0, 0, 10, 100)[1:] == (0.0, 10.0)


@given(counts)
def test_rate_intervals_hold_the_rate_and_stay_inside_0_and_1(pair):
    wins, total = pair
    for interval in (wilson_interval(wins, total), jeffreys_interval(wins, total)):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1


@settings(max_examples=50)
@given(counts, counts)
def test_lift_interval_holds_the_lift(group, rest):
    wins, total = group[0] + rest[0], group[1] + rest[1]
    if total == 0 or wins == 0:
        return
    lift = lift_interval(*group, wins, total)
    assert lift.low <= lift.value <= lift.high
    assert lift.high <= total / wins + 1e-9  # all of the group won


def test_ratio_of_equal_groups_is_one_and_symmetric():
    ratio = ratio_interval(20, 100, 20, 100)
    assert ratio.value == pytest.approx(1)
    assert ratio.low * ratio.high == pytest.approx(1)


def test_auc_counts_pairs_and_halves_ties():
    # pairs (won, lost): (3,1) (3,2) (2,1) won, (2,2) tied -> 3.5 of 4
    assert auc_with_interval([0, 0, 1, 1], [1, 2, 2, 3]).value == 0.875


def test_delong_standard_error_by_hand():
    # won 1, 3, 4 against lost 0, 2: placements of the won 1/2, 1, 1, of the lost 1, 2/3
    # variance = (1/12)/3 + (1/18)/2 = 1/18; logit scale: half width 1.96 sqrt(1/18) / (5/36)
    interval = auc_with_interval([1, 1, 1, 0, 0], [1, 3, 4, 0, 2])
    assert interval.value == pytest.approx(5 / 6)
    half = 1.959964 * math.sqrt(1 / 18) / (5 / 36)
    assert interval.low == pytest.approx(1 / (1 + math.exp(-(math.log(5) - half))), abs=1e-6)


def test_auc_of_one_class_is_unknown():
    interval = auc_with_interval([1, 1], [1, 2])
    assert math.isnan(interval.value)
    assert interval[1:] == (0.0, 1.0)


@pytest.mark.parametrize("freedom", [1, 2, 7, 40])
@pytest.mark.parametrize("p", [0.9, 0.3, 0.05, 1e-4, 1e-9, 1e-20])
def test_mixture_tail_of_nearly_equal_weights_is_the_chi_square_tail(freedom, p):
    weights = np.linspace(1, 1 + 1e-7, freedom)
    assert mixture_chi2_tail(chi2.isf(p, freedom), weights) == pytest.approx(p, rel=1e-4)


@pytest.mark.parametrize("q", [0.5, 5.0, 40.0, 300.0])
def test_mixture_tail_of_two_pairs_is_exact(q):
    # a pair of equal weights w is exponential with mean 2w, so two pairs have a closed form
    exact = (math.exp(-q / 2) - 0.3 * math.exp(-q / 0.6)) / 0.7
    assert mixture_chi2_tail(q, [1, 1, 0.3, 0.3]) == pytest.approx(exact, rel=1e-6)


def test_mixture_tail_of_nothing_is_one():
    assert mixture_chi2_tail(3.0, []) == 1.0
    assert mixture_chi2_tail(0.0, [1.0]) == 1.0
    assert mixture_chi2_tail(3.0, [0.0, 0.0]) == 1.0


def test_benjamini_hochberg_by_hand():
    # sorted .01 .03 .04 .5 -> .01*4, .03*4/2=.06 -> min with .04*4/3=.0533
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert benjamini_hochberg([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_are_never_below_p_and_keep_their_order(p_values):
    q_values = benjamini_hochberg(p_values)
    assert (q_values >= np.array(p_values) - 1e-12).all()
    order = np.argsort(p_values)
    assert (np.diff(q_values[order]) >= -1e-12).all()


def test_stability_index_by_hand():
    # (.6-.5) ln(.6/.5) + (.4-.5) ln(.4/.5)
    assert population_stability_index([50, 50], [6, 4]) == pytest.approx(0.1 * math.log(1.2) - 0.1 * math.log(0.8))


def test_a_mean_of_amounts_does_not_depend_on_the_order_and_forgets_what_is_not_a_number():
    values = [5.0, 1.0, 9.0, math.nan, 2.0, 4.0]
    assert amount_mean_interval(values) == amount_mean_interval(values[::-1])
    assert amount_mean_interval(values[:5]) is None  # four amounts


def test_equal_amounts_are_certain_only_when_many():
    few, many = amount_mean_interval([100.0] * 6), amount_mean_interval([100.0] * 300)
    assert few.high / few.low > 1.4
    assert many.high / many.low < 1.01
    refunded = amount_mean_interval([0.0, 100.0, 100.0, 100.0, 100.0, 100.0])
    assert refunded.low < 100 * 5 / 6 < refunded.high


@pytest.mark.parametrize(("sigma", "count"), [(0.5, 10), (0.8, 15), (0.8, 40), (1.2, 100)])
def test_the_interval_of_a_lognormal_mean_covers(sigma, count):
    rng = np.random.default_rng(5)
    truth = math.exp(sigma**2 / 2)
    found = [amount_mean_interval(rng.lognormal(0, sigma, count)) for _ in range(2000)]
    assert 0.93 <= np.mean([f.low <= truth <= f.high for f in found]) <= 0.97
