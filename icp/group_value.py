"""What a win is worth on average over a group of accounts, such as a tier or the market, with its interval."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from icp.expected_value import bin_terms, log_error, log_odds_variance
from icp.profile import Estimate, Profile, Value
from icp.stats import Floats, normal_quantile

LEAST_CHANCE = 1e-12  # of winning, to have a logarithm

Codes = NDArray[np.int64]


def mean_value_of_win(profile: Profile, value: Value, codes: pd.DataFrame, weights: Floats) -> Estimate:
    """The value of a win of a group of accounts, weighted by how likely each is to be won.

    Unsure are the level, the multipliers (`_group_variance`: of a group that splits over the bins as the wins did, only
    the level), and how likely accounts are won, by which the value is weighted (`_chance_variance`, `_dilution`).

    Args:
        profile: whose bins `codes` are in.
        value: its value part.
        codes: one row per account, at least one.
        weights: the win probability per account, of at least one above 0.
    """
    log_value = np.full(len(codes), np.log(value.level.value))
    variance = log_error(value.level) ** 2
    tables = {
        d.attribute: bin_terms(profile, d.attribute, {b.key: b.multiplier for b in d.bins}) for d in value.drivers
    }
    for name, table in tables.items():
        log_value += table[_bins(codes, name), 0]
    carried = weights * np.exp(log_value)
    mean, part = float(carried.sum() / weights.sum()), carried / carried.sum()
    for driver in value.drivers:
        table, wins = tables[driver.attribute], {b.key: b.wins for b in driver.bins}
        of_bins = np.asarray(np.bincount(_bins(codes, driver.attribute), part, len(table)), dtype=float)
        variance += _group_variance(of_bins, table[:, 1], _per_bin(profile, driver.attribute, wins))
    pull = (part - weights / weights.sum()) * (1 - weights)
    variance += _chance_variance(profile, value, codes, pull)
    dilution = _dilution(log_value, weights, log_odds_variance(profile, value, codes))
    mean *= float(np.exp(-dilution / 2))  # half-way, give or take the other half
    half = normal_quantile() * float(variance + dilution**2 / 4) ** 0.5
    return Estimate(mean, mean * float(np.exp(-half)), mean * float(np.exp(half)))


def _bins(codes: pd.DataFrame, name: str) -> Codes:
    return codes[name].to_numpy().astype(np.int64)


def _per_bin(profile: Profile, attribute: str, counts: Mapping[str, int]) -> Floats:
    return np.array([counts.get(b.key, 0) for b in profile.bins.bins[attribute]], dtype=float)


def _group_variance(parts: Floats, variances: Floats, counts: Floats) -> float:
    """Squared error of a weighted sum of an attribute's effects, `parts` the weight of each bin.

    Effects are told against the average row, so the errors of all bins share the error of that average and sum to 0 over
    the rows. Bin errors of their own, independent, that lead to the published ones are found by least squares; the sum's
    error is that of its bins against the average's.
    """
    told = variances > 0
    if not told.any():
        return 0.0
    share = counts[told] / max(float(counts[told].sum()), 1.0)
    against = np.eye(len(share)) - share
    own, _ = nnls(against**2, variances[told])
    return float((parts[told] @ against) ** 2 @ own)


def _chance_variance(profile: Profile, value: Value, codes: pd.DataFrame, pull: Floats) -> float:
    """Squared error of the log mean that comes from the errors in the log odds of winning (delta method).

    `pull` is what an account's log odds move the log mean by. The errors are those of the score's bins; of a driver of
    value outside the score, that it may move wins as much as anything the score leaves open.
    """
    variance = 0.0
    for c in profile.fit.criteria:
        table = bin_terms(profile, c.attribute, {b.key: b.odds for b in c.bins})
        moved = np.asarray(np.bincount(_bins(codes, c.attribute), pull, len(table)), dtype=float)
        rows = _per_bin(profile, c.attribute, {b.key: b.opportunities for b in c.bins})
        variance += _group_variance(moved, table[:, 1], rows)
    scored = {c.attribute for c in profile.fit.criteria}
    left_out = sum(t.axis == "fit" and t.effect_sd is not None and t.attribute not in scored for t in profile.tests)
    for driver in value.drivers:
        if driver.attribute not in scored:
            moved = np.bincount(_bins(codes, driver.attribute), pull)
            variance += float(moved @ moved) * value.win_error**2 / max(left_out, 1)
    return variance


def _dilution(log_value: Floats, chance: Floats, variance: Floats) -> float:
    """By how much the log mean would be off, were the error part of the estimated chances' spread no spread at all.

    True chances may differ less within a group than estimated ones. As far as value and chance go together in the group
    (among accounts chosen by expected value they go against each other), the mean of value weighted by chance is then off
    by the error's part of their covariance. Shrunken estimates suffer less from it, or not at all.
    """
    log_chance = np.log(np.maximum(chance, LEAST_CHANCE))
    error, spread = float(np.mean(variance * (1 - chance) ** 2)), float(np.var(log_chance))
    together = float(np.mean((log_value - log_value.mean()) * (log_chance - log_chance.mean())))
    return together * error / (error + spread) if error > 0 else 0.0
