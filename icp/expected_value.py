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


def bin_terms(profile: Profile, attribute: str, estimates: Mapping[str, Estimate]) -> Floats:
    """Per frozen bin: log of the estimate and its squared standard error."""
    average = Estimate(1.0, 1.0, 1.0)
    found = [estimates.get(b.key, average) for b in profile.bins.bins[attribute]]
    return np.array([(np.log(e.value), log_error(e) ** 2) for e in found])


def log_error(estimate: Estimate) -> float:
    """The standard error on the log scale that a published interval stands for."""
    return float(np.log(estimate.high / estimate.low) / (2 * normal_quantile()))
