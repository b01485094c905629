"""How well the best tier separates between quarters: looked at every week of a block of 13, against a boundary over time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from icp.drift_monitors import NOTICED, POWER, block_of
from icp.drift_report import Finding
from icp.drift_tests import (
    WEEKS,
    LogOddsRatio,
    Shortfall,
    boundaries,
    e_value,
    pooled_odds_ratio,
    shortfalls,
    summed_odds_ratio,
)
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

    The best tier's wins in the block's weeks against those the out-of-fold odds ratio leads to expect, one-sided; both
    are uncertain. Every week is a look, against the boundary of `drift_tests.boundaries`. Beside it the e-process over all weeks.

    Args:
        top: the tables.
        week: the last settled week since the profile's quarter.
        alpha: false-alarm probability per block of 13 weeks.
    """
    start, _ = block_of(week)
    limits, series = performance_looks(top, start, week, alpha)
    finding = Finding("performance", "top_tier", top.label, week, "not enough data", "")
    if not series or series[-1] is None:
        why = _shortage(top, start, week) or "no week has outcomes, won and lost, of the best tier and of the rest"
        return replace(finding, sentence=f"{top.label}: not enough data ({why}).")
    now, expected = pooled_odds_ratio(top.weeks[start:week]), summed_odds_ratio(top.before)
    error, z, limit = series[-1].error(expected.variance), series[-1].z(expected.variance), float(limits[-1])
    stake = e_value(top.weeks[:week], expected.value - normal_quantile(0.90) * math.sqrt(expected.variance))
    drifts = (
        z >= limit and now.value < expected.value
    )  # what is told is the pooled odds ratio; it must have fallen, too
    noticed = z >= normal_quantile(1 - 2 * NOTICED) or stake >= NOTICED_STAKE
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


def performance_looks(top: TopTier, start: int, week: int, alpha: float) -> tuple[Floats, list[Shortfall | None]]:
    """The boundary and the shortfall of wins of every week of the block up to this one (None: too few outcomes)."""
    expected = summed_odds_ratio(top.before)
    series = _missing(top, start, week, expected.value)
    usable = [(k, found) for k, found in enumerate(series) if found is not None]
    levels = np.array([found.error(expected.variance) ** -2 for _, found in usable])
    information: Floats = np.maximum.accumulate(levels)
    limits = np.full(len(series), math.inf)
    limits[[k for k, _ in usable]] = boundaries(information, [(k + 1) / WEEKS for k, _ in usable], alpha)
    return limits, series


def _missing(top: TopTier, start: int, week: int, log_odds: float) -> list[Shortfall | None]:
    """The shortfall since week `start`, after each week up to this one; None where the outcomes say too little."""
    totals = enumerate(shortfalls(top.weeks[start:week], log_odds), start=start + 1)
    return [found if found.variance > 0 and not _shortage(top, start, w) else None for w, found in totals]


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
    recent = _missing(top, start, week, expected.value)[-1]
    return recent is not None and recent.z(expected.variance) <= CALM_Z


def _odds(ratio: LogOddsRatio) -> Estimate:
    half = normal_quantile() * math.sqrt(ratio.variance)
    return Estimate(*(math.exp(x) for x in (ratio.value, ratio.value - half, ratio.value + half)))


def _times(log_odds: float) -> str:
    return f"×{math.exp(log_odds):.2g}"
