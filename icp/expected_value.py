"""Expected value of an account = P(win | fit score) x E[value of a win | account], with its interval.

`icp.scoring` says the same in SQL; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from icp.points import card_of
from icp.profile import Estimate, Profile, Value
from icp.stats import Floats, normal_quantile

LEAST_CHANCE = 1e-12  # of winning, to have a logarithm


@dataclass(frozen=True)
class ExpectedValues:
    """Per account: probability of winning, value of a win, and the variances of their logs' linear predictors."""

    win_probability: Floats
    value_of_win: Floats
    log_odds_variance: Floats
    log_value_variance: Floats

    @property
    def value(self) -> Floats:
        return np.asarray(self.win_probability * self.value_of_win)

    @property
    def low(self) -> Floats:
        return self._end(-1.0)

    @property
    def high(self) -> Floats:
        return self._end(1.0)

    def _end(self, side: float) -> Floats:
        """An end of the 95 % interval: those of both factors combined on the log scale (MOVER; Zou & Donner 2008).

        The probability's interval is made in log odds, so the end never stands for a probability above 1.
        """
        reach = normal_quantile() * np.sqrt(self.log_odds_variance)
        from_wins = np.log(self.win_probability + (1 - self.win_probability) * np.exp(-side * reach))
        half = np.sqrt(from_wins**2 + normal_quantile() ** 2 * self.log_value_variance)
        return np.asarray(self.value * np.exp(side * half))


def expected_values(profile: Profile, value: Value, codes: pd.DataFrame) -> ExpectedValues:
    """What working an opportunity at each account is worth, in the order of the rows of `codes` (bins of the profile)."""
    card = card_of(profile.fit, profile.bins)
    log_value = np.full(len(codes), np.log(value.level.value))
    value_variance = np.full(len(codes), log_error(value.level) ** 2)
    for driver in value.drivers:
        own = codes[driver.attribute].to_numpy()
        table = bin_terms(profile, driver.attribute, {b.key: b.multiplier for b in driver.bins})
        log_value += table[own, 0]
        value_variance += table[own, 1]
    probability = expit(card.intercept + card.slope * card.score(codes))
    return ExpectedValues(
        np.asarray(probability), np.exp(log_value), log_odds_variance(profile, value, codes), value_variance
    )


def log_odds_variance(profile: Profile, value: Value, codes: pd.DataFrame) -> Floats:
    """How unsure each account's log odds of winning are: what is left open for all, and the errors of its bins."""
    variance = np.full(len(codes), value.win_error**2)
    for c in profile.fit.criteria:
        table = bin_terms(profile, c.attribute, {b.key: b.odds for b in c.bins})
        variance += table[codes[c.attribute].to_numpy(), 1]
    return variance


def mean_value_of_win(profile: Profile, value: Value, codes: pd.DataFrame, weights: Floats) -> Estimate:
    """The value of a win of a group of accounts, weighted by how likely each is to be won.

    Errors of different bins are taken as independent (they sum to about 0, so this is on the wide side) and count by the
    part of the value they carry: a group spread over many bins is known better than one account of it. The weights are
    not known for certain either (`_from_weights`).

    Args:
        profile: whose bins `codes` are in.
        value: its value part.
        codes: one row per account, at least one.
        weights: the win probability per account.
    """
    log_value = np.full(len(codes), np.log(value.level.value))
    tables = []
    for driver in value.drivers:
        tables.append(bin_terms(profile, driver.attribute, {b.key: b.multiplier for b in driver.bins}))
        log_value += tables[-1][codes[driver.attribute].to_numpy(), 0]
    carried = weights * np.exp(log_value)
    mean, variance = float(carried.sum() / weights.sum()), log_error(value.level) ** 2
    for driver, table in zip(value.drivers, tables, strict=True):
        parts = np.bincount(codes[driver.attribute].to_numpy(), carried, len(table)) / carried.sum()
        variance += float(parts**2 @ table[:, 1])
    variance += _from_weights(log_value, weights, log_odds_variance(profile, value, codes)) ** 2
    half = normal_quantile() * variance**0.5
    return Estimate(mean, mean * float(np.exp(-half)), mean * float(np.exp(half)))


def _from_weights(log_value: Floats, chance: Floats, variance: Floats) -> float:
    """Standard error of a group's mean log value that comes from not knowing how likely its accounts are won.

    True chances differ less within a group than estimated ones. By how much is the part of the estimates' spread that is
    error; as far as value and chance go together in the group (among accounts chosen by expected value they go against
    each other), the mean of value weighted by chance is off by that part of their covariance.
    """
    log_chance = np.log(np.maximum(chance, LEAST_CHANCE))
    error, spread = float(np.mean(variance * (1 - chance) ** 2)), float(np.var(log_chance))
    together = float(np.mean((log_value - log_value.mean()) * (log_chance - log_chance.mean())))
    return together * error / (error + spread) if error > 0 else 0.0


def bin_terms(profile: Profile, attribute: str, estimates: Mapping[str, Estimate]) -> Floats:
    """Per frozen bin: log of the estimate and its squared standard error."""
    average = Estimate(1.0, 1.0, 1.0)
    found = [estimates.get(b.key, average) for b in profile.bins.bins[attribute]]
    return np.array([(np.log(e.value), log_error(e) ** 2) for e in found])


def log_error(estimate: Estimate) -> float:
    """The standard error on the log scale that a published interval stands for."""
    return float(np.log(estimate.high / estimate.low) / (2 * normal_quantile()))
