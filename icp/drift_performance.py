"""How well the best tier separates between quarters: looked at every week of a block of 13, against a boundary over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from icp.drift_monitors import NOTICED, POWER, block_of
from icp.drift_report import Finding
from icp.drift_tests import WEEKS, LogOddsRatio, boundaries, e_value, pooled_odds_ratio, summed_odds_ratio
from icp.profile import Estimate
from icp.stats import Floats, normal_quantile

MIN_OUTCOMES, MIN_WINS, MIN_LOSSES, MIN_TOP = 30, 5, 5, 8
NOTICED_STAKE = 5.0
CALM_Z = 0.5


@dataclass(frozen=True)
class TopTier:
    """The best tier against the rest: out of fold when the profile was made (4 counts), and per week since.

    Counts are wins and losses of the top, wins and losses of the rest.
    """

    label: str
    before: Floats
    weeks: Floats


def watch_performance(top: TopTier, week: int, alpha: float) -> Finding:
    """Does the best tier still win as much more often than the rest as it did when the ICP was made?

    The odds ratio pooled over the block's weeks against the out-of-fold value, one-sided; both are uncertain. Every
    week is a look, against the boundary of `drift_tests.boundaries`. Beside it the e-process over all weeks.

    Args:
        top: the tables.
        week: the last settled week since the profile's quarter.
        alpha: false-alarm probability per block of 13 weeks.
    """
    start, _ = block_of(week)
    limits, series = performance_looks(top, start, week, alpha)
    finding = Finding("performance", "top_tier", top.label, week, "not enough data", "")
    if not series or series[-1] is None:
        return replace(finding, sentence=f"{top.label}: not enough data ({_shortage(top, start, week)}).")
    now, expected = series[-1], summed_odds_ratio(top.before)
    error = math.sqrt(now.variance + expected.variance)
    z, limit = (expected.value - now.value) / error, float(limits[-1])
    stake = e_value(top.weeks[:week], expected.value - normal_quantile(0.90) * math.sqrt(expected.variance))
    drifts, noticed = z >= limit, z >= normal_quantile(1 - 2 * NOTICED) or stake >= NOTICED_STAKE
    words = "wins less often than it did" if drifts else "may be weakening" if noticed else "holds"
    return replace(
        finding,
        verdict="drift" if drifts else "watch" if noticed else "ok",
        sentence=(
            f"{top.label} {words}: odds {_times(now.value)} the rest's in these weeks, {_times(expected.value)} when the "
            "profile was made."
        ),
        p_value=float(ndtr(-z)), threshold=float(ndtr(-limit)),
        is_calm=z < limit and _is_calm(top, week, expected),
        odds_ratio=_odds(now), odds_ratio_expected=_odds(expected), e_value=stake,
        detectable=math.exp(expected.value - (limit + normal_quantile(2 * POWER - 1)) * error) if limit < 50 else None,
    )  # fmt: skip


def performance_looks(top: TopTier, start: int, week: int, alpha: float) -> tuple[Floats, list[LogOddsRatio | None]]:
    """The boundary and the pooled odds ratio of every week of the block up to this one (None: too few outcomes)."""
    weeks = range(start + 1, week + 1)
    series = [pooled_odds_ratio(top.weeks[start:w]) if not _shortage(top, start, w) else None for w in weeks]
    prior = summed_odds_ratio(top.before).variance
    usable = [(k, found) for k, found in enumerate(series) if found is not None]
    levels = np.array([1 / (found.variance + prior) for _, found in usable])
    information: Floats = np.maximum.accumulate(levels)
    limits = np.full(len(series), math.inf)
    limits[[k for k, _ in usable]] = boundaries(information, [(k + 1) / WEEKS for k, _ in usable], alpha)
    return limits, series


def _shortage(top: TopTier, start: int, week: int) -> str:
    """Why the odds ratio of these weeks says nothing; empty when it does."""
    if (
        min(top.before[:2].sum(), top.before[2:].sum()) < MIN_TOP
        or min(top.before[::2].sum(), top.before[1::2].sum()) < MIN_WINS
    ):
        return "too few outcomes when the profile was made"
    wins, losses = top.weeks[start:week, ::2].sum(), top.weeks[start:week, 1::2].sum()
    if wins + losses < MIN_OUTCOMES or wins < MIN_WINS or losses < MIN_LOSSES:
        return f"{wins:.0f} won and {losses:.0f} lost since, {MIN_OUTCOMES} outcomes with {MIN_WINS} of each are needed"
    best = top.weeks[start:week, :2].sum()
    return f"{best:.0f} outcomes in the best tier since, {MIN_TOP} are needed" if best < MIN_TOP else ""


def _is_calm(top: TopTier, week: int, expected: LogOddsRatio) -> bool:
    """Whether the last 13 weeks look as they should."""
    start = max(week - WEEKS, 0)
    if _shortage(top, start, week):
        return False
    recent = pooled_odds_ratio(top.weeks[start:week])
    return (expected.value - recent.value) / math.sqrt(recent.variance + expected.variance) <= CALM_Z


def _odds(ratio: LogOddsRatio) -> Estimate:
    half = normal_quantile() * math.sqrt(ratio.variance)
    return Estimate(*(math.exp(x) for x in (ratio.value, ratio.value - half, ratio.value + half)))


def _times(log_odds: float) -> str:
    return f"×{math.exp(log_odds):.2g}"
