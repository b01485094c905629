"""Effects turned into whole points: 0 for the worst bin of each attribute, 100 for the best account there can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.evidence import AxisFit, Evidence
from icp.fit import fit_additive, ordered_kernel
from icp.profile import BinDictionary, Scorecard
from icp.stats import Floats

TOTAL = 100

Points = NDArray[np.int64]


@dataclass(frozen=True)
class PointsCard:
    """Points per bin of each attribute, and the line from the sum of points to log odds."""

    points: Mapping[str, Points]
    intercept: float
    slope: float

    def score(self, codes: pd.DataFrame) -> Points:
        """The sum of points per row."""
        total = np.zeros(len(codes), dtype=np.int64)
        for name, points in self.points.items():
            total += points[codes[name].to_numpy()]
        return total


def make_points(axis_fit: AxisFit) -> PointsCard:
    """Share 100 points among the attributes by the range of their effects, and among the bins by effect.

    Whole points per attribute come from largest remainders, so the best possible account has exactly 100 and the worst
    exactly 0. One point is worth `slope` in log odds.
    """
    effects = axis_fit.effects
    lowest = np.array([e.min() for e in effects])
    ranges = np.array([e.max() for e in effects]) - lowest
    total = float(ranges.sum())
    if total <= 0:
        flat = {n: np.zeros(len(e), dtype=np.int64) for n, e in zip(axis_fit.names, effects, strict=True)}
        return PointsCard(flat, axis_fit.intercept + float(lowest.sum()), 0.0)
    largest = _largest_remainders(ranges * TOTAL / total)
    points = {
        name: np.rint((effect - low) * (most / width if width > 0 else 0.0)).astype(np.int64)
        for name, effect, low, width, most in zip(axis_fit.names, effects, lowest, ranges, largest, strict=True)
    }
    return PointsCard(points, axis_fit.intercept + float(lowest.sum()), total / TOTAL)


def _largest_remainders(exact: Floats) -> Points:
    """Round down, then give the points left over to the largest remainders (ties: the earlier one)."""
    whole = np.floor(np.round(exact, 9)).astype(np.int64)
    left = TOTAL - int(whole.sum())
    order = np.argsort(-np.round(exact - whole, 9), kind="stable")
    whole[order[:left]] += 1
    return whole


def card_of(scorecard: Scorecard, dictionary: BinDictionary) -> PointsCard:
    """The points of a published scorecard, in the order of its dictionary's bins."""
    points = {}
    for criterion in scorecard.criteria:
        by_key = {b.key: b.points for b in criterion.bins}
        keys = [b.key for b in dictionary.bins[criterion.attribute]]
        points[criterion.attribute] = np.array([by_key.get(k, 0) for k in keys], dtype=np.int64)
    return PointsCard(points, scorecard.intercept, scorecard.slope)


def refit_intercept(card: PointsCard, evidence: Evidence) -> PointsCard:
    """Keep the points, bring the level up to date: the newest quarter's win rate at a given score.

    Only the intercept moves. Quarters have levels of their own, shrunk towards each other and towards their neighbours,
    so a thin newest quarter borrows from the ones before.
    """
    offset = card.slope * card.score(evidence.rows.codes)
    periods = evidence.rows.periods[:, None]
    kernels = [ordered_kernel(len(evidence.rows.window), has_missing=False)]
    fit = fit_additive(periods, kernels, evidence.rows.won, offset=offset, weights=evidence.weights)
    return PointsCard(card.points, float(fit.intercepts[0] + fit.effects[0][-1]), card.slope)
