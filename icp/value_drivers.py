"""Which attributes move the value of a win, by how much, and how large the noise is that they leave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icp.criteria import around
from icp.evidence import against_average, shortage
from icp.profile import MISSING, AttributeTest, Grade, ValueDriver, ValueEffect
from icp.score_test import attribute_tests
from icp.selection import MOST_IN_SCORE, PROVISIONAL_SD
from icp.stats import Floats, benjamini_hochberg
from icp.value_fit import GaussianFit
from icp.won_values import WonValues, fit_won_values, weigh_repeats

MATERIAL_SD, MATERIAL_MULTIPLIER, MATERIAL_SHARE = 0.08, 1.15, 0.03
LIKELY_P = 0.05  # a driver that is likely but not confirmed; its least effect and their number are those of criteria
# Stricter than for criteria: with some hundred wins the noise variance is estimated a little too small (docs/method.md).
DRIVER_ENTER_RATE, DRIVER_STAY_RATE = 0.02, 0.05
NOISE_FOLDS, NOISE_SEED, LEAST_FOR_NOISE = 5, 41, 20
MANY_VALUES = 2000  # from here on the noise that a choice of attributes hides is under half a percent of it


@dataclass(frozen=True)
class DrivenValues:
    """The wins with what their repeats count for, the fit on the drivers, all tests, and the drivers themselves.

    `noise_ratio` is the noise around the drivers over what the residuals of those wins would say of it.
    """

    wins: WonValues
    fitted: GaussianFit
    tests: tuple[AttributeTest, ...]
    drivers: tuple[ValueDriver, ...]
    noise_ratio: float


@dataclass(frozen=True)
class _Choice:
    wins: WonValues
    tests: tuple[AttributeTest, ...]
    names: tuple[str, ...]


def find_drivers(wins: WonValues, held: Collection[str]) -> DrivenValues:
    """Test all fit attributes on the wins and fit those that are proved (and likely ones beside them).

    Args:
        wins: the won outcomes with a value.
        held: drivers confirmed before, which stay on weaker evidence than newcomers need.
    """
    choice = _choose(wins, held)
    wins, names = choice.wins, choice.names
    fitted, ratio = fit_won_values(wins, names), 1.0
    if names and len(wins.logs) < MANY_VALUES:
        noise = _noise(wins, fitted, held)
        fitted, ratio = fit_won_values(wins, names, noise), noise / fitted.sigma2
    used = tuple(
        replace(t, grade="provisional", reason="likely, not yet certain")
        if t.attribute in names and t.grade != "confirmed"
        else t
        for t in choice.tests
    )
    drivers = _drivers(wins, fitted, names, {t.attribute: t for t in used})
    return DrivenValues(wins, fitted, used, drivers, ratio)


def _choose(wins: WonValues, held: Collection[str]) -> _Choice:
    dictionary = wins.evidence.dictionary
    candidates = [a for a in dictionary.attributes if a.axis == "fit"]
    reasons = {a.name: shortage(wins.evidence, a).replace("opportunities", "wins") for a in candidates}
    names = tuple(name for name, reason in reasons.items() if not reason)
    wins, everything = weigh_repeats(wins, names)
    tests = _tests(wins, everything, names, reasons, held)
    return _Choice(wins, tests, _chosen(tests))


def _noise(wins: WonValues, fitted: GaussianFit, held: Collection[str]) -> float:
    """Variance of log value around the drivers, knowing that they were chosen on the same wins.

    Chosen and fitted here, the residuals are too small; of wins the whole choice has not seen they are too large by as
    much, to first order (for a least-squares fit the two mean squares are 1 - p/n and 1 + p/n times the variance). So it
    is the mean of both. Folds are of accounts; what too few other wins are left for is not judged.
    """
    folds = wins.evidence.rows.folds(NOISE_FOLDS, NOISE_SEED)
    unseen = np.full(len(wins.logs), np.nan)
    for fold in np.unique(folds):
        out = folds == fold
        if (~out).sum() < LEAST_FOR_NOISE:
            continue
        choice = _choose(wins.where(~out), held)
        rest = fit_won_values(choice.wins, choice.names)
        held_out = wins.where(out)
        unseen[out] = held_out.logs - rest.predict(held_out.codes(choice.names))
    judged = np.isfinite(unseen)
    if not judged.any():
        return fitted.sigma2
    seen = float(np.average(fitted.residual[judged] ** 2, weights=wins.weights[judged]))
    return (seen + float(np.average(unseen[judged] ** 2, weights=wins.weights[judged]))) / 2


def _tests(
    wins: WonValues, fitted: GaussianFit, names: Sequence[str], reasons: dict[str, str], held: Collection[str]
) -> tuple[AttributeTest, ...]:
    p_values = attribute_tests(fitted.fit, range(len(names)))
    q_values = benjamini_hochberg(p_values) if len(names) else np.empty(0)
    place = {name: j for j, name in enumerate(names)}
    tests = []
    for name, reason in reasons.items():
        if name not in place:
            tests.append(_test(wins, name, "not_enough_evidence", None, None, None, reason))
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
        tests.append(_test(wins, name, grade, float(p_values[j]), float(q_values[j]), sd, why))
    return tuple(tests)


def _test(
    wins: WonValues, name: str, grade: Grade, p: float | None, q: float | None, sd: float | None, why: str
) -> AttributeTest:
    dictionary = wins.evidence.dictionary
    attribute, bins = dictionary.attribute(name), dictionary.bins[name]
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


def _contrast(fitted: GaussianFit, block: int, shares: Floats) -> tuple[Floats, Floats]:
    """Log value of each bin against the average win, with standard errors."""
    return against_average(fitted.fit.effects[block], fitted.fit.effect_covariance(block), shares)


def _drivers(
    wins: WonValues, fitted: GaussianFit, names: Sequence[str], tests: dict[str, AttributeTest]
) -> tuple[ValueDriver, ...]:
    drivers: list[ValueDriver] = []
    for j, name in enumerate(names):
        effect, error = _contrast(fitted, j, wins.evidence.shares(name))
        counts, test = wins.evidence.counts(name), tests[name]
        bins = tuple(
            ValueEffect(state.key, state.label, around(effect[b], error[b]), int(counts[b]))
            for b, state in enumerate(wins.evidence.dictionary.bins[name])
        )
        sd = float(np.sqrt(wins.evidence.shares(name) @ effect**2))
        drivers.append(ValueDriver(name, test.label, test.grade, test.p_value or 0.0, test.q_value or 0.0, sd, bins))
    return tuple(sorted(drivers, key=lambda d: (d.grade != "confirmed", -round(d.effect_sd, 9), d.attribute)))
