"""The statistics of watching between quarters: tests that are repeated every week without their promise wearing out.

Pure formulas on tables of counts (docs/method.md, "Drift between quarters"). A quarter is a block of 13 weeks; each
monitor may give a false alarm with a stated probability per block, and spends it over the looks of the block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, ndtr, ndtri
from scipy.stats import chi2

from icp.stats import Floats, population_stability_index

WEEKS = 13
MIN_EXPECTED = 5.0
GRID, REACH = 120, 8.0
LEAST_NEWS = 0.01  # of the information so far; the grid is too coarse for smaller steps
NEVER = math.inf
FALLS = (0.5, 0.25)  # what the e-process bets on: the odds ratio has halved, or fallen to a quarter


@dataclass(frozen=True)
class MixTest:
    """How the mix of one attribute moved. `excess` is the PSI less what chance alone would give."""

    p_value: float
    psi: float
    excess: float
    states: int


@dataclass(frozen=True)
class LogOddsRatio:
    """A log odds ratio with its variance."""

    value: float
    variance: float


def spent(alpha: float, share: float) -> float:
    """How much of a block's false-alarm probability may have been used when this share of the block has passed.

    2 - 2 Phi(z(alpha / 2) / sqrt(share)): hardly anything early, nearly all at the end (O'Brien & Fleming's shape as a
    spending function, Lan & DeMets 1983), so that looking every week costs little power at the quarter's end.

    >>> round(spent(0.02, 0.5), 4), round(spent(0.02, 1.0), 4)
    (0.001, 0.02)
    """
    if share <= 0 or alpha <= 0:
        return 0.0
    return float(2 * ndtr(ndtri(alpha / 2) / math.sqrt(min(share, 1.0))))


def boundaries(information: Sequence[float] | Floats, shares: Sequence[float], alpha: float) -> Floats:
    """The z-value that counts as an alarm at each look, so that all looks together err with probability alpha.

    One-sided; the looks' z-values are those of one Brownian motion seen at rising information (Armitage, McPherson &
    Rowe 1969; Lan & DeMets 1983), integrated on a grid.

    A look that brings hardly anything new keeps the limit of the one before: time alone is no evidence.

    Args:
        information: per look 1 / variance of the estimate; must not fall.
        shares: per look the share of the block that has passed.
        alpha: of the whole block.
    """
    limits = np.full(len(information), NEVER)
    place, density, before, used, limit = np.zeros(1), np.ones(1), 0.0, 0.0, NEVER
    for k, (level, share) in enumerate(zip(information, shares, strict=True)):
        if level <= before * (1 + LEAST_NEWS):
            limits[k] = limit / math.sqrt(before)
            continue
        step = math.sqrt(level - before)
        allowed = max(spent(alpha, share) - used, 0.0)
        limit = _limit(place, density, step, allowed)
        limits[k] = limit / math.sqrt(level)
        place, density = _surviving(place, density, step, limit, math.sqrt(level))
        before, used = max(level, before), used + allowed
    return limits


def _limit(place: Floats, density: Floats, step: float, allowed: float) -> float:
    """The value of the walk that is passed first at this look with the probability allowed."""
    if allowed <= 1e-12:
        return NEVER
    low, high = float(place.min() - REACH * step), float(place.max() + REACH * step)
    for _ in range(60):
        middle = (low + high) / 2
        if float((density * ndtr((place - middle) / step)).sum()) > allowed:
            low = middle
        else:
            high = middle
    return high


def _surviving(place: Floats, density: Floats, step: float, limit: float, scale: float) -> tuple[Floats, Floats]:
    """Where the walks that have not alarmed are now: probabilities at the middles of equal cells below the limit."""
    edges = np.linspace(-REACH * scale, min(limit, REACH * scale), GRID + 1)
    below = ndtr((edges[:, None] - place) / step) @ density
    return (edges[1:] + edges[:-1]) / 2, np.diff(below)


def mix_test(before: Floats, now: Floats) -> MixTest:
    """Has the mix of accounts over the frozen bins moved? Chi-square of homogeneity with the PSI beside it.

    States too rare for the test (expected under 5 on either side) are taken together. The excess, PSI - (1/n + 1/m)
    (B - 1), takes off what two samples of the same mix would show (Yurdakul 2018).

    Args:
        before: accounts per bin the profile was derived on.
        now: accounts per bin since.
    """
    n, m = float(before.sum()), float(now.sum())
    table = _merged(np.vstack([before, now]))
    states = table.shape[1]
    if states < 2 or min(n, m) <= 0:
        return MixTest(1.0, 0.0, 0.0, states)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / (n + m)
    statistic = float(((table - expected) ** 2 / expected).sum())
    psi = population_stability_index(table[0], table[1])
    return MixTest(float(chi2.sf(statistic, states - 1)), psi, psi - (1 / n + 1 / m) * (states - 1), states)


def _merged(table: Floats) -> Floats:
    """The two rows with their rare states added up; if even together they are rare they join the smallest other one."""
    total = table.sum(axis=0)
    least = MIN_EXPECTED * total.sum() / max(float(table.sum(axis=1).min()), 1e-9)
    common, rare = table[:, total >= least], table[:, (total < least) & (total > 0)]
    if rare.size == 0:
        return common
    together = rare.sum(axis=1, keepdims=True)
    if together.sum() >= least or common.size == 0:
        return np.hstack([common, together])
    common = common.copy()
    common[:, [int(common.sum(axis=0).argmin())]] += together
    return common


def pooled_odds_ratio(weeks: Floats) -> LogOddsRatio:
    """The odds of winning in the top tier against the rest, week by week, so that good and bad weeks cancel.

    Mantel & Haenszel (1959) with the variance of Robins, Breslow & Greenland (1986). Where a cell is empty over all
    weeks, half a deal is lent to every cell of the summed table instead.

    Args:
        weeks: one row per week: wins and losses of the top tier, wins and losses of the rest.
    """
    a, b, c, d = weeks.T
    total = np.maximum(weeks.sum(axis=1), 1e-9)
    r, s = a * d / total, b * c / total
    if r.sum() <= 0 or s.sum() <= 0:
        return summed_odds_ratio(weeks.sum(axis=0))
    p, q = (a + d) / total, (b + c) / total
    variance = (
        (p * r).sum() / (2 * r.sum() ** 2)
        + (p * s + q * r).sum() / (2 * r.sum() * s.sum())
        + (q * s).sum() / (2 * s.sum() ** 2)
    )
    return LogOddsRatio(float(np.log(r.sum() / s.sum())), float(variance))


def summed_odds_ratio(cells: Floats) -> LogOddsRatio:
    """Log odds ratio of one table with half a deal lent to each cell (Haldane 1956; variance of Woolf 1955)."""
    a, b, c, d = np.asarray(cells, dtype=float) + 0.5
    return LogOddsRatio(math.log(a * d / (b * c)), float(1 / a + 1 / b + 1 / c + 1 / d))


@dataclass(frozen=True)
class Shortfall:
    """How many wins of the top tier are missing at an odds ratio; their variance and third moment, were it true."""

    wins: float
    variance: float
    third: float

    def error(self, prior: float) -> float:
        """Standard error of the fall in log odds ratio that the shortfall stands for, `prior` the old value's variance."""
        return math.sqrt(1 / self.variance + prior)

    def z(self, prior: float) -> float:
        """The shortfall in standard errors, as a normal number would be as unlikely (Cornish & Fisher 1938, first order).

        Where nearly all of the top tier wins, a few losses more are a large shortfall by chance; where few do, a large
        one cannot happen. Without the correction alarms would be too many there and too few here.
        """
        plain = self.wins / self.variance / self.error(prior)
        sixth = self.third / (self.variance * self.error(prior)) ** 3 / 6
        if plain <= 0:
            return plain + sixth
        if sixth <= 0:
            return plain - sixth * (plain**2 - 1)
        # The quantile's formula plain = z + sixth (z^2 - 1) solved for z: a larger shortfall never has a smaller z.
        return (math.sqrt(1 + 4 * sixth * (sixth + plain)) - 1) / (2 * sixth)


def shortfalls(tables: Floats, log_odds: float) -> list[Shortfall]:
    """Wins of the top tier that are missing up to each table, were its log odds ratio against the rest still this.

    Table by table given its totals (Fisher's noncentral hypergeometric), so that good and bad times cancel. The
    variance is that under the odds ratio tested: with few wins it is known far better than that of the odds ratio seen,
    which is unsure most where it has fallen most.

    Args:
        tables: one row per stretch of time, columns as in `pooled_odds_ratio`.
        log_odds: the odds ratio tested.
    """
    missing, variance, third = 0.0, 0.0, 0.0
    totals = []
    for table in tables:
        seen, possible, base = _given_totals(table)
        logs = base + possible * log_odds
        chances = np.exp(logs - logs.max())
        chances /= chances.sum()
        mean = float(chances @ possible)
        missing += mean - seen
        variance += float(chances @ (possible - mean) ** 2)
        third -= float(chances @ (possible - mean) ** 3)  # of what is missing, so the other way round
        totals.append(Shortfall(missing, variance, third))
    return totals


def e_value(weeks: Floats, floor: float) -> float:
    """The stake after betting every week that the odds ratio has fallen: 20 is as good as p = .05 at any moment.

    Product over weeks of the likelihood ratio of a fallen odds ratio against one of `floor`, given the week's totals
    (Fisher's noncentral hypergeometric), averaged over two sizes of fall. Under any odds ratio of at least `floor` it
    exceeds 1/alpha with probability at most alpha however often one looks (Ville 1939; Ramdas et al. 2023).

    Args:
        weeks: as in `pooled_odds_ratio`.
        floor: the lowest log odds ratio that counts as unchanged.
    """
    logs = np.array([sum(_log_ratio(week, floor, fall) for week in weeks) for fall in FALLS])
    return float(np.exp(np.minimum(logs, 700.0)).mean())


def _log_ratio(week: Floats, floor: float, fall: float) -> float:
    seen, possible, base = _given_totals(week)
    if len(possible) < 2:
        return 0.0
    shift = math.log(fall)
    return seen * shift - _log_sum(base + possible * (floor + shift)) + _log_sum(base + possible * floor)


def _given_totals(week: Floats) -> tuple[int, Floats, Floats]:
    """Wins of the top tier, those possible given the week's totals, and their log weights at an odds ratio of 1."""
    a, b, c, d = (round(float(x)) for x in week)
    wins, top = a + c, a + b
    possible = np.arange(max(0, wins - c - d), min(wins, top) + 1, dtype=float)
    base = -(
        gammaln(possible + 1)
        + gammaln(top - possible + 1)
        + gammaln(wins - possible + 1)
        + gammaln(c + d - wins + possible + 1)
    )
    return a, possible, base


def _log_sum(logs: Floats) -> float:
    peak = float(logs.max())
    return peak + math.log(float(np.exp(logs - peak).sum()))
