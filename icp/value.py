"""What a win is worth: E[value | win, account], the second half of expected value.

Log value of the won outcomes is an additive random-effects regression on the same frozen bins as the win part
(`icp.value_fit`), tested and graded by the same rules. Back on the original scale the mean residual factor (Duan 1983)
makes up for exp(mean log) being less than the mean.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from icp.bins import kernel
from icp.evidence import Evidence, gather_evidence, shortage
from icp.fit import ordered_kernel
from icp.label_rows import LARGEST_CORRELATION, MIN_PAIRS, LabelRows, cluster_weights
from icp.profile import MISSING, AttributeTest, Estimate, Grade, Profile, Value, ValueDriver, ValueEffect
from icp.score_test import attribute_tests
from icp.selection import MOST_IN_SCORE, PROVISIONAL_SD
from icp.stats import Floats, benjamini_hochberg, normal_quantile
from icp.value_fit import GaussianFit, fit_gaussian
from icp.win_error import win_error

LEAST_FOR_LEVEL, LEAST_FOR_DRIVERS = 10, 30
LIMIT_SDS, NORMAL_MAD = 4.0, 1.4826
MOST_INFLATION = 2.0
MATERIAL_SD, MATERIAL_MULTIPLIER, MATERIAL_SHARE = 0.08, 1.15, 0.03
LIKELY_P = 0.05  # a driver that is likely but not confirmed; its least effect and their number are those of criteria
# Stricter than for criteria: with some hundred wins the noise variance is estimated a little too small (docs/method.md).
DRIVER_ENTER_RATE, DRIVER_STAY_RATE = 0.02, 0.05


@dataclass(frozen=True)
class _Wins:
    """Won outcomes with a value above 0: log value (far ones at the limit), what was left out, and what rows count."""

    evidence: Evidence
    logs: Floats
    weights: Floats
    wins: int
    missing: int
    not_positive: int
    limited: int


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
    wins = _read(Evidence(rows, profile.bins))
    if not profile.gives_probability or len(wins.logs) < LEAST_FOR_LEVEL:
        return None
    error = win_error(profile, gather_evidence(rows, profile.bins, profile.change_points))
    if profile.state == "kept" and incumbent is not None:
        return _kept(profile, wins, incumbent, error)
    if len(wins.logs) < LEAST_FOR_DRIVERS:
        note = f"{len(wins.logs)} wins with a value: what moves it is asked from {LEAST_FOR_DRIVERS} on."
        return _value(profile, *_level_only(wins), (), (), error, note)
    held = frozenset(d.attribute for d in incumbent.drivers if d.grade == "confirmed") if incumbent else frozenset()
    return _derived(profile, wins, held, error)


def _read(evidence: Evidence) -> _Wins:
    rows = evidence.rows
    won = rows.won > 0
    known = won & np.isfinite(rows.value)
    valued = known & (np.nan_to_num(rows.value) > 0)
    logs = np.log(rows.value[valued])
    near = _limited(logs)
    chosen = evidence.where(valued)
    return _Wins(
        evidence=chosen,
        logs=near,
        weights=np.ones(len(logs)),
        wins=int(won.sum()),
        missing=int((won & ~known).sum()),
        not_positive=int((known & ~valued).sum()),
        limited=int((near != logs).sum()),
    )


def _limited(logs: Floats) -> Floats:
    """Values further than four robust standard deviations from the median count as one at that limit."""
    if len(logs) == 0:
        return logs
    middle = float(np.median(logs))
    reach = LIMIT_SDS * NORMAL_MAD * float(np.median(np.abs(logs - middle)))
    return np.clip(logs, middle - reach, middle + reach) if reach > 0 else logs


def _derived(profile: Profile, wins: _Wins, held: Collection[str], error: float) -> Value:
    evidence = wins.evidence
    candidates = [a for a in profile.bins.attributes if a.axis == "fit"]
    reasons = {a.name: shortage(evidence, a).replace("opportunities", "wins") for a in candidates}
    names = tuple(name for name, reason in reasons.items() if not reason)
    everything = _fit(wins, names)
    weighted = _with_repeats(wins, everything)
    if weighted is not wins:
        wins, everything = weighted, _fit(weighted, names)
    tests = _tests(profile, wins, everything, names, reasons, held)
    chosen = _chosen(tests)
    fitted = _fit(wins, chosen)
    used = tuple(
        replace(t, grade="provisional", reason="likely, not yet certain")
        if t.attribute in chosen and t.grade != "confirmed"
        else t
        for t in tests
    )
    drivers = _drivers(profile, wins, fitted, chosen, {t.attribute: t for t in used})
    note = "" if chosen else "No attribute is proved to move the value of a win: it is the same for every account."
    return _value(profile, wins, fitted, drivers, used, error, note)


def _kept(profile: Profile, wins: _Wins, incumbent: Value, error: float) -> Value:
    """The multipliers of before on today's wins: only the level (and what is left open around it) is estimated."""
    offset = np.zeros(len(wins.logs))
    for driver in incumbent.drivers:
        offset += log_multipliers(profile, driver)[wins.evidence.rows.codes[driver.attribute].to_numpy()]
    wins, level = _level_only(replace(wins, logs=wins.logs - offset))
    fresh = _value(profile, wins, level, incumbent.drivers, incumbent.tests, error, "")
    return replace(fresh, derived_in=incumbent.derived_in, notes=incumbent.notes)


def log_multipliers(profile: Profile, driver: ValueDriver) -> Floats:
    """Log multiplier per bin of a driver, in the order of the frozen bins."""
    by_key = {b.key: b.multiplier.value for b in driver.bins}
    return np.log([by_key.get(b.key, 1.0) for b in profile.bins.bins[driver.attribute]])


# -- fitting -----------------------------------------------------------------------------------------------------------


def _fit(wins: _Wins, names: Sequence[str]) -> GaussianFit:
    """Effects of these attributes on log value, each quarter at its own level (the last block)."""
    rows, dictionary = wins.evidence.rows, wins.evidence.dictionary
    columns = [rows.codes[name].to_numpy().astype(np.int64) for name in names]
    kernels = [kernel(dictionary.attribute(n), dictionary.bins[n], c) for n, c in zip(names, columns, strict=True)]
    columns.append(rows.periods)
    kernels.append(ordered_kernel(len(rows.window), has_missing=False))
    return fit_gaussian(np.column_stack(columns), kernels, wins.logs, wins.weights)


def _level_only(wins: _Wins) -> tuple[_Wins, GaussianFit]:
    """The fit without attributes, wins of one account weighed."""
    fitted = _fit(wins, ())
    weighted = _with_repeats(wins, fitted)
    return (wins, fitted) if weighted is wins else (weighted, _fit(weighted, ()))


def _with_repeats(wins: _Wins, fitted: GaussianFit) -> _Wins:
    """Wins of one account that are worth alike count for less than one each (moment estimate over pairs)."""
    rows = wins.evidence.rows
    pairs = float((rows.repeats - 1).sum())
    if pairs / 2 < MIN_PAIRS:
        return wins
    sums = np.bincount(rows.groups, fitted.residual)
    together = float((sums**2).sum() - (fitted.residual**2).sum())
    correlation = float(np.clip(together / (pairs * fitted.sigma2), 0.0, LARGEST_CORRELATION))
    return replace(wins, weights=cluster_weights(rows, correlation)) if correlation > 0 else wins


def _tests(
    profile: Profile,
    wins: _Wins,
    fitted: GaussianFit,
    names: Sequence[str],
    reasons: dict[str, str],
    held: Collection[str],
) -> tuple[AttributeTest, ...]:
    p_values = attribute_tests(fitted.fit, range(len(names)))
    q_values = benjamini_hochberg(p_values) if len(names) else np.empty(0)
    place = {name: j for j, name in enumerate(names)}
    tests = []
    for name, reason in reasons.items():
        if name not in place:
            tests.append(_test(profile, wins, name, "not_enough_evidence", None, None, None, reason))
            continue
        j = place[name]
        shares = wins.evidence.shares(name)
        effect = _contrast(fitted, j, shares)[0]
        sd = float(np.sqrt(shares @ effect**2))
        big = np.abs(effect[shares >= MATERIAL_SHARE]).max(initial=0.0) >= np.log(MATERIAL_MULTIPLIER)
        convincing = q_values[j] <= (DRIVER_STAY_RATE if name in held else DRIVER_ENTER_RATE)
        material = bool(big) or sd >= MATERIAL_SD
        grade: Grade = "confirmed" if convincing and material else "not_confirmed"
        why = "" if grade == "confirmed" else "could be chance" if not convincing else "effect too small to matter"
        tests.append(_test(profile, wins, name, grade, float(p_values[j]), float(q_values[j]), sd, why))
    return tuple(tests)


def _test(
    profile: Profile, wins: _Wins, name: str, grade: Grade, p: float | None, q: float | None, sd: float | None, why: str
) -> AttributeTest:
    attribute, bins = profile.bins.attribute(name), profile.bins.bins[name]
    counts = wins.evidence.counts(name)
    known = int(counts[:-1].sum()) if bins[-1].key == MISSING else int(counts.sum())
    coverage = known / max(len(wins.logs), 1)
    return AttributeTest(
        name, attribute.label, attribute.family, attribute.axis, grade, p, q, sd, coverage, known, known, why
    )


def _chosen(tests: Sequence[AttributeTest]) -> tuple[str, ...]:
    """Confirmed drivers, then provisional ones up to twelve in all; nothing without a confirmed one."""
    confirmed = [t.attribute for t in tests if t.grade == "confirmed"]
    if not confirmed:
        return ()
    likely = [
        t
        for t in tests
        if t.grade == "not_confirmed" and (t.p_value or 0.0) < LIKELY_P and (t.effect_sd or 0.0) >= PROVISIONAL_SD
    ]
    likely.sort(key=lambda t: (-round(t.effect_sd or 0.0, 9), t.attribute))
    return (*confirmed, *(t.attribute for t in likely[: max(MOST_IN_SCORE - len(confirmed), 0)]))


# -- on the original scale ---------------------------------------------------------------------------------------------


def _contrast(fitted: GaussianFit, block: int, shares: Floats) -> tuple[Floats, Floats]:
    """Log value of each bin against the average win, with standard errors."""
    against = np.eye(len(shares)) - shares
    covariance = against @ fitted.fit.effect_covariance(block) @ against.T
    return against @ fitted.fit.effects[block], np.sqrt(np.maximum(np.diagonal(covariance), 0.0))


def _drivers(
    profile: Profile, wins: _Wins, fitted: GaussianFit, names: Sequence[str], tests: dict[str, AttributeTest]
) -> tuple[ValueDriver, ...]:
    drivers: list[ValueDriver] = []
    for j, name in enumerate(names):
        effect, error = _contrast(fitted, j, wins.evidence.shares(name))
        counts, test = wins.evidence.counts(name), tests[name]
        bins = tuple(
            ValueEffect(state.key, state.label, around_log(effect[b], error[b]), int(counts[b]))
            for b, state in enumerate(profile.bins.bins[name])
        )
        sd = float(np.sqrt(wins.evidence.shares(name) @ effect**2))
        drivers.append(ValueDriver(name, test.label, test.grade, test.p_value or 0.0, test.q_value or 0.0, sd, bins))
    return tuple(sorted(drivers, key=lambda d: (d.grade != "confirmed", -round(d.effect_sd, 9), d.attribute)))


def _value(
    profile: Profile,
    wins: _Wins,
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


def _level(wins: _Wins, fitted: GaussianFit) -> Estimate:
    """Expected value of the average win at the newest quarter's level: exp(mean log) x the mean residual factor.

    The factor is estimated from the same residuals as the constant, so its influence is e^r / mean(e^r) - 1 - r, and the
    two errors are added with their covariance (delta method on the log scale).
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
    variance = float(row @ fitted.fit.covariance @ row) + extra
    return around_log(log_level, max(variance, 0.0) ** 0.5)


def _centre(fitted: GaussianFit) -> float:
    return float(fitted.fit.intercepts[0] - fitted.fit.coefficients[0])


def _average_row(fitted: GaussianFit, periods: NDArray[np.int64]) -> Floats:
    """The design row of the average win, in the newest quarter."""
    design = fitted.fit.design
    row = design.crossed(np.zeros(len(periods), dtype=np.int64), 1, np.ones(len(periods)))[0] / len(periods)
    row[design.slices[-1]] = design.factors[-1][-1]
    return np.asarray(row)


def around_log(log_value: float, error: float) -> Estimate:
    """exp of a number with a normal interval."""
    half = normal_quantile() * error
    return Estimate(float(np.exp(log_value)), float(np.exp(log_value - half)), float(np.exp(log_value + half)))
