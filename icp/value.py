"""What a win is worth: E[value | win, account], the second half of expected value.

Log value of the won outcomes is an additive random-effects regression on the same frozen bins as the win part
(`icp.value_fit`), tested and graded by the same rules (`icp.value_drivers`). Back on the original scale the mean residual
factor (Duan 1983) makes up for exp(mean log) being less than the mean.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from icp.criteria import around
from icp.evidence import Evidence, gather_evidence
from icp.label_rows import LabelRows
from icp.profile import AttributeTest, Estimate, Profile, Value, ValueDriver
from icp.stats import LENT_VARIANCE, Floats
from icp.value_drivers import find_drivers
from icp.value_fit import GaussianFit
from icp.win_error import win_error
from icp.won_values import WonValues, fit_won_values, read_won_values, weigh_repeats

LEAST_FOR_LEVEL, LEAST_FOR_DRIVERS = 10, 30
MOST_INFLATION = 2.0
NO_DRIVER = "No attribute is proved to move the value of a win: it is the same for every account."


def value_of_wins(profile: Profile, rows: LabelRows, incumbent: Value | None = None) -> Value | None:
    """What a win of an account is worth, by the attributes that are proved to move it; None with under ten values.

    A kept profile keeps the drivers and multipliers of `incumbent` and brings the level up to date. Otherwise all fit
    attributes are tested on the wins; at least one must be confirmed for any to be used, so without a confirmed driver
    a win is worth the same everywhere.

    Args:
        profile: the profile to publish; its frozen bins and fit criteria are used.
        rows: the label rows of the window in those bins.
        incumbent: the value part in force.
    """
    wins = read_won_values(Evidence(rows, profile.bins))
    if not profile.gives_probability or len(wins.logs) < LEAST_FOR_LEVEL:
        return None
    error = win_error(profile, gather_evidence(rows, profile.bins, profile.change_points))
    if profile.state == "kept" and incumbent is not None:
        return _kept(profile, wins, incumbent, error)
    if len(wins.logs) < LEAST_FOR_DRIVERS:
        note = f"{len(wins.logs)} wins with a value: what moves it is asked from {LEAST_FOR_DRIVERS} on."
        return _value(profile, *weigh_repeats(wins, ()), (), (), error, note)
    held = frozenset(d.attribute for d in incumbent.drivers if d.grade == "confirmed") if incumbent else frozenset()
    found = find_drivers(wins, held)
    value = _value(
        profile, found.wins, found.fitted, found.drivers, found.tests, error, "" if found.drivers else NO_DRIVER
    )
    return replace(value, noise_ratio=found.noise_ratio)


def _kept(profile: Profile, wins: WonValues, incumbent: Value, error: float) -> Value:
    """The multipliers of before on today's wins: only the level (and what is left open around it) is estimated."""
    offset = np.zeros(len(wins.logs))
    for driver in incumbent.drivers:
        offset += log_multipliers(profile, driver)[wins.evidence.rows.codes[driver.attribute].to_numpy()]
    wins, level = weigh_repeats(replace(wins, logs=wins.logs - offset), ())
    if incumbent.noise_ratio != 1:
        level = fit_won_values(wins, (), level.sigma2 * _noise_ratio(wins, incumbent))
    fresh = _value(profile, wins, level, incumbent.drivers, incumbent.tests, error, "")
    return replace(fresh, derived_in=incumbent.derived_in, notes=incumbent.notes, noise_ratio=incumbent.noise_ratio)


def _noise_ratio(wins: WonValues, incumbent: Value) -> float:
    """The incumbent's, as far as these are the wins its drivers were chosen on."""
    rows = wins.evidence.rows
    seen = float(np.mean(np.array(rows.window)[rows.periods] <= incumbent.derived_in))
    return 1 + (incumbent.noise_ratio - 1) * seen


def log_multipliers(profile: Profile, driver: ValueDriver) -> Floats:
    """Log multiplier per bin of a driver, in the order of the frozen bins."""
    by_key = {b.key: b.multiplier.value for b in driver.bins}
    return np.log([by_key.get(b.key, 1.0) for b in profile.bins.bins[driver.attribute]])


def _value(
    profile: Profile,
    wins: WonValues,
    fitted: GaussianFit,
    drivers: tuple[ValueDriver, ...],
    tests: tuple[AttributeTest, ...],
    error: float,
    note: str,
) -> Value:
    return Value(
        derived_in=profile.quarter,
        wins=wins.wins,
        valued=len(wins.logs),
        missing=wins.missing,
        not_positive=wins.not_positive,
        limited=wins.limited,
        level=_level(wins, fitted),
        spread=float(np.sqrt(fitted.sigma2)),
        win_error=error,
        drivers=drivers,
        tests=tests,
        notes=(note,) if note else (),
    )


def _level(wins: WonValues, fitted: GaussianFit) -> Estimate:
    """Expected value of the average win at the newest quarter's level: exp(mean log) x the mean residual factor.

    The factor is estimated from the same residuals as the constant, so its influence is e^r / mean(e^r) - 1 - r, and the
    two errors are added with their covariance (delta method on the log scale). As of tiers, one amount off is lent to the
    variance: equal values are not certainty.
    """
    weights = wins.weights / wins.weights.sum()
    swallowed = max(float(weights @ fitted.residual**2), 1e-300)  # residuals are smaller than errors: effects took some
    residual = fitted.residual * np.sqrt(min(fitted.sigma2 / swallowed, MOST_INFLATION))
    factor = float(weights @ np.exp(residual))
    influence = np.exp(residual) / factor - 1 - residual
    counted = float(wins.weights.sum())
    extra = float(weights @ (influence**2 + 2 * residual * influence)) / counted
    row = _average_row(fitted, wins.evidence.rows.periods)
    log_level = float(row @ fitted.fit.coefficients) + _centre(fitted) + float(np.log(factor))
    variance = float(row @ fitted.fit.covariance @ row) + extra + LENT_VARIANCE / counted**2
    return around(log_level, max(variance, 0.0) ** 0.5)


def _centre(fitted: GaussianFit) -> float:
    return float(fitted.fit.intercepts[0] - fitted.fit.coefficients[0])


def _average_row(fitted: GaussianFit, periods: NDArray[np.int64]) -> Floats:
    """The design row of the average win, in the newest quarter."""
    design = fitted.fit.design
    row = design.crossed(np.zeros(len(periods), dtype=np.int64), 1, np.ones(len(periods)))[0] / len(periods)
    row[design.slices[-1]] = design.factors[-1][-1]
    return np.asarray(row)
