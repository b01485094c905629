"""The won outcomes with a value, in log value: what the value of a win is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from icp.bins import kernel
from icp.evidence import Evidence
from icp.fit import ordered_kernel
from icp.label_rows import LARGEST_CORRELATION, MIN_PAIRS, Mask, cluster_weights
from icp.stats import Floats
from icp.value_fit import Codes, GaussianFit, fit_gaussian

LIMIT_SDS, NORMAL_MAD = 4.0, 1.4826


@dataclass(frozen=True)
class WonValues:
    """Won outcomes with a value above 0: log value (far ones at the limit), what was left out, and what rows count."""

    evidence: Evidence
    logs: Floats
    weights: Floats
    wins: int
    missing: int
    not_positive: int
    limited: int

    def where(self, mask: Mask) -> WonValues:
        """The same with some of the values; what was left out is not counted again."""
        return replace(self, evidence=self.evidence.where(mask), logs=self.logs[mask], weights=self.weights[mask])

    def codes(self, names: Sequence[str]) -> Codes:
        """Bins of these attributes per row, and its quarter as the last column."""
        rows = self.evidence.rows
        return np.column_stack([*(rows.codes[n].to_numpy().astype(np.int64) for n in names), rows.periods])


def read_won_values(evidence: Evidence) -> WonValues:
    """The won outcomes of these rows that have a value above 0."""
    rows = evidence.rows
    won = rows.won > 0
    known = won & np.isfinite(rows.value)
    valued = known & (np.nan_to_num(rows.value) > 0)
    logs = np.log(rows.value[valued])
    near = _limited(logs)
    return WonValues(
        evidence=evidence.where(valued),
        logs=near,
        weights=np.ones(len(logs)),
        wins=int(won.sum()),
        missing=int((won & ~known).sum()),
        not_positive=int((known & ~valued).sum()),
        limited=int((near != logs).sum()),
    )


def _limited(logs: Floats) -> Floats:
    """Values further than four robust standard deviations from the median count as one at that limit.

    Where half of the wins share one price, the robust standard deviation is that of the others.
    """
    middle = float(np.median(logs)) if len(logs) else 0.0
    away = np.abs(logs - middle)
    if not away.any():
        return logs
    spread = float(np.median(away)) or float(np.median(away[away > 0]))
    reach = LIMIT_SDS * NORMAL_MAD * spread
    return np.clip(logs, middle - reach, middle + reach)


def fit_won_values(wins: WonValues, names: Sequence[str], noise: float | None = None) -> GaussianFit:
    """Effects of these attributes on log value, each quarter at its own level (the last block)."""
    dictionary, codes = wins.evidence.dictionary, wins.codes(names)
    kernels = [kernel(dictionary.attribute(n), dictionary.bins[n], codes[:, j]) for j, n in enumerate(names)]
    kernels.append(ordered_kernel(len(wins.evidence.rows.window), has_missing=False))
    return fit_gaussian(codes, kernels, wins.logs, wins.weights, noise)


def weigh_repeats(wins: WonValues, names: Sequence[str]) -> tuple[WonValues, GaussianFit]:
    """The fit on these attributes, wins of one account that are worth alike counting for less than one each.

    How much alike is a moment estimate over pairs of wins of one account.
    """
    fitted = fit_won_values(wins, names)
    rows = wins.evidence.rows
    pairs = float((rows.repeats - 1).sum())
    if pairs / 2 < MIN_PAIRS:
        return wins, fitted
    sums = np.bincount(rows.groups, fitted.residual)
    together = float((sums**2).sum() - (fitted.residual**2).sum())
    correlation = float(np.clip(together / (pairs * fitted.sigma2), 0.0, LARGEST_CORRELATION))
    if correlation == 0:
        return wins, fitted
    weighted = replace(wins, weights=cluster_weights(rows, correlation))
    return weighted, fit_won_values(weighted, names)
