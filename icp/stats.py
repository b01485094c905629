"""Pure formulas: intervals, tests and tails, each with its reference and no knowledge of profiles.

An interval here is always 95 % unless `level` says otherwise. Where a number cannot be estimated (one class, no rows)
the answer is the widest honest interval, never an exception.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtri, stdtrit
from scipy.stats import beta, chi2, rankdata

Floats = NDArray[np.float64]

TINY = 1e-300
TALBOT_NODES = 48
FEWEST_AMOUNTS, LENT_VARIANCE = 5, 0.25


class Interval(NamedTuple):
    """A point estimate with the range the truth plausibly lies in."""

    value: float
    low: float
    high: float


def normal_quantile(level: float = 0.95) -> float:
    """The number of standard errors a two-sided interval of this level reaches to each side.

    >>> round(normal_quantile(0.95), 3)
    1.96
    """
    return float(ndtri(0.5 + level / 2))


def share_under_odds(share: float, win_rate: float, odds: float) -> float:
    """The share of the wins a group would have, were its odds of winning multiplied and the others' not.

    Args:
        share: the group's share of the wins now.
        win_rate: the group's win rate now.
        odds: what its odds are multiplied by.

    >>> round(share_under_odds(0.5, 0.2, 3.0), 3)  # it wins 3/7 instead of 1/5, so 15/7 times as often
    0.682
    """
    growth = odds / (1 - win_rate + odds * win_rate)
    return share * growth / (share * growth + 1 - share)


def wilson_interval(wins: float, total: float, level: float = 0.95) -> Interval:
    """A win rate with its interval: how far the true rate may be from what this many deals showed.

    Wilson (1927): keeps its coverage for small counts and rates near 0 or 1, where the textbook interval does not.
    With no deals at all the rate is unknown: the whole of 0 to 1 (the value is then the middle, and means nothing).

    >>> tuple(round(x, 4) for x in wilson_interval(10, 100))
    (0.1, 0.0552, 0.1744)
    """
    if total <= 0:
        return Interval(0.5, 0.0, 1.0)
    z2 = normal_quantile(level) ** 2
    rate = wins / total
    centre = (rate + z2 / (2 * total)) / (1 + z2 / total)
    half = math.sqrt(z2 * rate * (1 - rate) / total + z2 * z2 / (4 * total * total)) / (1 + z2 / total)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(rate, 0.0 if wins <= 0 else low, 1.0 if wins >= total else high)


def wilson_trials(value: float, low: float, high: float, level: float = 0.95) -> float:
    """On how many independent deals a Wilson interval rests: the inverse of `wilson_interval` in its width.

    >>> round(wilson_trials(*wilson_interval(10, 100)), 6)
    100.0
    """
    squared, spread = ((high - low) / 2) ** 2, value * (1 - value)
    a, b, c = squared - 0.25, 2 * squared - spread, squared
    share = (-b - math.sqrt(max(b * b - 4 * a * c, 0.0))) / (2 * a) if a else -c / b  # z2 / deals
    return normal_quantile(level) ** 2 / share if share > 0 else math.inf


def independent_share(rates: Sequence[tuple[tuple[float, float, float], int]]) -> float:
    """How much of an independent deal one deal of these groups is worth, at most 1.

    What is counted afresh on deals whose published rates have wider intervals (deals of one account, folds that share
    their rows) is to be no surer than those rates are.

    Args:
        rates: of each group its win rate with the ends of its Wilson interval, and its deals.

    >>> round(independent_share([(wilson_interval(10, 100), 200), (wilson_interval(30, 300), 300)]), 6)
    0.8
    """
    deals = sum(count for _, count in rates)
    return min(1.0, sum(wilson_trials(*rate) for rate, count in rates if count) / deals) if deals else 1.0


def jeffreys_interval(wins: float, total: float, level: float = 0.95) -> Interval:
    """A win rate with the equal-tailed Bayesian interval under the Jeffreys prior Beta(1/2, 1/2).

    Brown, Cai & DasGupta (2001). Ends are set to 0 and 1 when nothing or everything was won.

    >>> tuple(round(x, 4) for x in jeffreys_interval(10, 100))
    (0.1, 0.0526, 0.1701)
    """
    if total <= 0:
        return Interval(0.5, 0.0, 1.0)
    a, b, tail = wins + 0.5, total - wins + 0.5, (1 - level) / 2
    low = 0.0 if wins <= 0 else float(beta.ppf(tail, a, b))
    high = 1.0 if wins >= total else float(beta.ppf(1 - tail, a, b))
    return Interval(wins / total, low, high)


def ratio_interval(wins: float, total: float, other_wins: float, other_total: float, level: float = 0.95) -> Interval:
    """How many times higher the first group's win rate is than the second, independent, group's.

    The two Wilson intervals are combined on the log scale (MOVER; Zou & Donner 2008). With no win in a group half a
    win is lent to both so that the ratio stays finite.
    """
    lent = 0.5 if min(wins, other_wins) <= 0 else 0.0
    one = _log_rate(wins + lent, total + 2 * lent, level)
    two = _log_rate(other_wins + lent, other_total + 2 * lent, level)
    ratio = one.value - two.value
    low = ratio - math.hypot(one.value - one.low, two.high - two.value)
    high = ratio + math.hypot(one.high - one.value, two.value - two.low)
    return Interval(math.exp(ratio), math.exp(low), math.exp(high))


def _log_rate(wins: float, total: float, level: float) -> Interval:
    rate = wilson_interval(wins, max(total, wins, 1.0), level)
    return Interval(*(math.log(max(x, 1e-9)) for x in rate))


def lift_interval(wins: float, total: float, base_wins: float, base_total: float, level: float = 0.95) -> Interval:
    """How many times more often a group wins than all deals together, when the group is part of "all".

    The group is compared with the rest (independent), then mapped to the whole: with share s of all deals and ratio R
    to the rest, lift = R / (s R + 1 - s), which rises with R, so the interval's ends map too.

    >>> tuple(round(x, 3) for x in lift_interval(20, 100, 100, 1000))
    (2.0, 1.369, 2.763)
    """
    if total <= 0 or base_wins <= 0:
        return Interval(1.0, 0.0, float("inf") if base_wins <= 0 else base_total / base_wins)
    share = total / base_total
    if share >= 1:
        return Interval(1.0, 1.0, 1.0)
    ratio = ratio_interval(wins, total, base_wins - wins, base_total - total, level)
    low, high = (r / (share * r + 1 - share) for r in ratio[1:])
    value = wins / total / (base_wins / base_total)
    return Interval(value, min(low, value), max(min(high, base_total / base_wins), value))


def auc_with_interval(won: ArrayLike, score: ArrayLike, level: float = 0.95) -> Interval:
    """The chance that a won deal scores above a lost one; .5 is a coin toss, 1 a perfect ranking.

    Standard error by DeLong, DeLong & Clarke-Pearson (1988), through ranks (Sun & Xu 2014); the interval is made on the
    logit scale so that it stays inside 0 to 1. With one class only the answer is (nan, 0, 1).

    >>> auc_with_interval([0, 0, 1, 1], [1, 2, 2, 3]).value
    0.875
    """
    y = np.asarray(won).astype(bool)
    s = np.asarray(score, dtype=float)
    positives, negatives = int(y.sum()), int((~y).sum())
    if positives == 0 or negatives == 0:
        return Interval(math.nan, 0.0, 1.0)
    ranks = rankdata(s)
    above = (ranks[y] - rankdata(s[y])) / negatives
    below = 1 - (ranks[~y] - rankdata(s[~y])) / positives
    auc = float(above.mean())
    return _logit_interval(auc, math.sqrt(_mean_variance(above) + _mean_variance(below)), level)


def _mean_variance(values: Floats) -> float:
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.25


def _logit_interval(value: float, se: float, level: float) -> Interval:
    if value <= 0 or value >= 1 or se <= 0:
        half = normal_quantile(level) * se
        return Interval(value, max(0.0, value - half), min(1.0, value + half))
    centre, half = math.log(value / (1 - value)), normal_quantile(level) * se / (value * (1 - value))
    return Interval(value, float(expit(centre - half)), float(expit(centre + half)))


def mixture_chi2_tail(q: float, weights: ArrayLike) -> float:
    """The chance that a weighted sum of independent chi-squares (1 df each) exceeds q: a test's p-value.

    P(Q > q) for Q = sum w_i X_i^2, by numerical inversion of the Laplace transform on a Talbot contour through the
    saddlepoint (Kuonen 1999 for the saddlepoint; Abate & Valko 2004, Weideman 2006 for the contour). The relative
    error stays under 1e-6 also far out in the tail, where moment matching (Liu) and integration (Davies) lose digits.

    >>> round(mixture_chi2_tail(3.841458820694124, [1.0]), 6)
    0.05
    """
    w = np.asarray(weights, dtype=float)
    largest = float(w.max(initial=0.0))
    w = w[w > 1e-9 * largest] if largest > 0 else w[:0]
    if w.size == 0 or q <= 0:
        return 1.0
    if w.min() > (1 - 1e-9) * largest:
        return float(chi2.sf(q / largest, w.size))
    return _talbot_tail(q / largest, w / largest)


def _talbot_tail(q: float, w: Floats) -> float:
    saddle = _saddlepoint(q, w)
    spread = 1 / math.sqrt(2 * float(((w / (1 + 2 * w * saddle)) ** 2).sum()))
    crossing = saddle if abs(saddle) > spread else min(spread, 1.0)
    radius = crossing + 0.5
    count = max(TALBOT_NODES, math.ceil(8 * radius / spread))
    theta = (np.arange(count) + 0.5) * math.pi / count
    cotangent = 1 / np.tan(theta)
    z = -0.5 + radius * theta * (cotangent + 1j)
    slope = radius * (1j + cotangent - theta / np.sin(theta) ** 2)
    log_terms = z * q - 0.5 * np.log1p(2 * w[:, None] * z).sum(axis=0)
    peak = float(log_terms.real.max())
    integral = float((np.exp(log_terms - peak) / z * slope).imag.mean()) * math.exp(peak)
    tail = 1 - integral if crossing > 0 else -integral
    return min(1.0, max(TINY, tail))


def _saddlepoint(q: float, w: Floats) -> float:
    """Where sum w / (1 + 2 w z) = q, right of the rightmost singularity (largest weight 1, so z > -1/2)."""
    low, high = -0.5 + 1e-12, max(1.0, w.size / q)
    for _ in range(200):
        middle = (low + high) / 2
        if float((w / (1 + 2 * w * middle)).sum()) > q:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def combined_p_value(p_values: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """One p-value of several dependent tests of one hypothesis: nearly as small as the smallest times their number.

    The mean of tan((1/2 - p) pi) is Cauchy under the null whatever the dependence, as far as small p-values go (Liu & Xie
    2020), with equal or with given weights. Equal p-values combine to themselves.

    >>> round(combined_p_value([0.01, 0.01]), 6), round(combined_p_value([0.001, 0.5]), 6)
    (0.01, 0.002)
    """
    p = np.clip(np.asarray(p_values, dtype=float), 1e-300, 1 - 1e-15)
    # tan((1/2 - p) pi) is 1/(p pi) for small p, where the subtraction would lose it.
    cauchy = np.where(p < 1e-8, 1 / (np.pi * p), np.tan((0.5 - p) * np.pi))
    mean = float(np.average(cauchy, weights=weights))
    return 1 / (math.pi * mean) if mean > 1e8 else 0.5 - math.atan(mean) / math.pi


def benjamini_hochberg(p_values: Sequence[float] | Floats) -> Floats:
    """q-values: the share of false discoveries expected if everything at least as convincing as this is believed.

    Benjamini & Hochberg (1995); q_(i) = min over k >= i of p_(k) m / k.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p = np.asarray(p_values, dtype=float)
    if p.size == 0:
        return p
    order = np.argsort(-p, kind="stable")
    scaled = p[order] * p.size / np.arange(p.size, 0, -1)
    q = np.empty_like(p)
    q[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return q


def population_stability_index(expected: ArrayLike, actual: ArrayLike, floor: float = 1e-4) -> float:
    """How far the current mix of accounts has moved from the mix it is compared with; 0 means no movement.

    Sum over bins of (actual - expected) ln(actual / expected) on shares; empty bins are floored. The expected value
    with nothing changed is (1/n + 1/m)(bins - 1) (Yurdakul 2018), so fixed limits such as .10 are no test.

    >>> population_stability_index([50, 50], [5, 5])
    0.0
    """
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    e, a = np.maximum(e / e.sum(), floor), np.maximum(a / a.sum(), floor)
    return float(((a - e) * np.log(a / e)).sum())


def pooled_estimate(values: Sequence[float], errors: Sequence[float], level: float = 0.95) -> Interval:
    """The average of several estimates of one thing that may differ from occasion to occasion.

    Random effects: weights 1 / (error^2 + between), `between` the moment estimate of how much occasions differ beyond
    their errors (DerSimonian & Laird 1986). Errors must be above 0.

    >>> tuple(round(x, 3) for x in pooled_estimate([1.0, 3.0], [0.5, 0.5]))
    (2.0, 0.04, 3.96)
    """
    value, error = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    weight = 1 / error**2
    fixed = float((weight * value).sum() / weight.sum())
    spread = float(weight.sum() - (weight**2).sum() / weight.sum())
    excess = float((weight * (value - fixed) ** 2).sum()) - (len(value) - 1)
    weight = 1 / (error**2 + (max(excess, 0.0) / spread if spread > 0 else 0.0))
    centre, half = float((weight * value).sum() / weight.sum()), normal_quantile(level) / math.sqrt(float(weight.sum()))
    return Interval(centre, centre - half, centre + half)


def amount_mean_interval(values: ArrayLike, level: float = 0.95) -> Interval | None:
    """The mean of skewed amounts with a t interval of its logarithm; None with under five amounts: nobody can tell.

    The error is the larger of two: that of the mean, and that of a lognormal mean (Cox's method, Zhou & Gao 1997), which
    knows of the far tail that few amounts have not shown; it counts up to twice the first. One amount e^.5 from the rest
    is lent to the variance, so that a handful of equal amounts is not certainty. Covers 92-98 % at lognormal sigma .5 to
    1.2 and 5 to 200 amounts, where a percentile bootstrap covers 67-95 % (docs/method.md).

    >>> tuple(round(x, 2) for x in amount_mean_interval([100.0] * 5)), amount_mean_interval([100.0] * 4)
    ((100.0, 75.43, 132.57), None)
    """
    v = np.sort(np.asarray(values, dtype=float))
    v = v[np.isfinite(v)]
    if v.size < FEWEST_AMOUNTS:
        return None
    unit = float(np.abs(v).max()) or 1.0  # squares of amounts near the largest number would have none
    return Interval(*(end * unit for end in _amount_mean(v / unit, level)))


def _amount_mean(v: Floats, level: float) -> Interval:
    n, mean = v.size, float(v.mean())
    quantile = float(stdtrit(n - 1, 0.5 + level / 2))
    if v[0] <= 0:  # no logarithm
        half = quantile * math.sqrt(((n - 1) * float(v.var(ddof=1)) + LENT_VARIANCE * mean**2) / n / n)
        return Interval(mean, mean - half, mean + half)
    error = math.sqrt(((n - 1) * float(v.var(ddof=1)) / mean**2 + LENT_VARIANCE) / n / n)
    spread = ((n - 1) * float(np.log(v).var(ddof=1)) + LENT_VARIANCE) / n
    lognormal = math.sqrt(spread / n + spread**2 / (2 * (n - 1)))
    reach = math.exp(quantile * min(max(lognormal, error), 2 * error))
    return Interval(mean, mean / reach, mean * reach)


def bootstrap_share_interval(
    values: ArrayLike, own: ArrayLike, seed: int, draws: int = 1000, level: float = 0.95
) -> Interval:
    """The part of a total of skewed amounts that some of them hold, with a percentile bootstrap interval.

    Amounts are drawn again together with whether they are `own`, so the order they come in does not matter.
    """
    v, mask = np.asarray(values, dtype=float), np.asarray(own, dtype=bool)
    order = np.lexsort((mask, v))
    v, held = v[order], (v * mask)[order]
    drawn = np.random.default_rng(seed).integers(0, v.size, size=(draws, v.size))
    low, high = np.quantile(held[drawn].sum(axis=1) / v[drawn].sum(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(held.sum() / v.sum()), float(low), float(high))
