"""The rows of a scorecard: what each bin does to the odds and the win rate, on how many deals, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

from icp.evidence import AxisFit, Evidence
from icp.points import Points, PointsCard
from icp.profile import (
    MISSING,
    OTHER,
    Axis,
    Bin,
    BinEffect,
    Criterion,
    Disqualifier,
    Estimate,
    Grade,
    Profile,
    Scorecard,
    Stance,
)
from icp.stats import Floats, normal_quantile

SURE = 0.9
MOST_HEADLINES = 8
DISQUALIFYING_ODDS, DISQUALIFYING_HIGH = 0.5, 1 / 1.3  # the odds, and the most they may be at 95 %


@dataclass(frozen=True)
class Grading:
    """How sure we are that an attribute matters, and since when it has been part of the ICP."""

    grade: Grade
    p_value: float
    q_value: float
    since: str


def make_scorecard(
    axis: Axis,
    card: PointsCard,
    axis_fit: AxisFit,
    evidence: Evidence,
    universe: pd.DataFrame,
    gradings: Mapping[str, Grading],
) -> Scorecard:
    """Put points and evidence together, the strongest criterion first, and mark the headline ones of the fit axis.

    Args:
        axis: fit or intent.
        card: points per bin.
        axis_fit: effects of the same attributes, with their uncertainty.
        evidence: labelled rows.
        universe: codes of the accounts to be scored.
        gradings: per attribute.
    """
    criteria = [
        _criterion(name, _bin_effects(block, card.points[name], axis_fit, evidence, universe), evidence, gradings[name])
        for block, name in enumerate(axis_fit.names)
    ]
    criteria.sort(key=lambda c: (c.grade != "confirmed", -round(c.effect_sd, 9), c.attribute))
    if axis == "fit":
        criteria = _with_headlines(criteria)
    return Scorecard(axis, card.intercept, card.slope, tuple(criteria))


def disqualifiers(criteria: Sequence[Criterion]) -> tuple[Disqualifier, ...]:
    """States of confirmed criteria that at least halve the odds, and surely lower them: not ICP, the worst first.

    Not knowing an attribute never disqualifies, nor does being one of its rare levels.
    """
    found = [
        Disqualifier(criterion.attribute, effect.key, f"{criterion.label} {effect.label}", effect.odds)
        for criterion in criteria
        if criterion.grade == "confirmed"
        for effect in criterion.bins
        if effect.key not in (MISSING, OTHER)
        and effect.odds.value <= DISQUALIFYING_ODDS
        and effect.odds.high <= DISQUALIFYING_HIGH
    ]
    return tuple(sorted(found, key=lambda d: (round(d.odds.value, 9), d.label)))


def gradings_since(gradings: Mapping[str, Grading], incumbent: Profile | None) -> dict[str, Grading]:
    """A criterion the incumbent has already keeps its own date."""
    if incumbent is None:
        return dict(gradings)
    held = {c.attribute: c.since for c in (*incumbent.fit.criteria, *incumbent.intent.criteria)}
    return {name: replace(g, since=held.get(name, g.since)) for name, g in gradings.items()}


def _criterion(name: str, effects: tuple[BinEffect, ...], evidence: Evidence, grading: Grading) -> Criterion:
    attribute = evidence.dictionary.attribute(name)
    logs = np.log([e.odds.value for e in effects])
    return Criterion(
        attribute=name,
        label=attribute.label,
        family=attribute.family,
        grade=grading.grade,
        p_value=grading.p_value,
        q_value=grading.q_value,
        effect_sd=float(np.sqrt(evidence.shares(name) @ logs**2)),
        bins=effects,
        since=max(grading.since, evidence.change_points.get(name, grading.since)),
    )


def _with_headlines(criteria: Sequence[Criterion]) -> list[Criterion]:
    """The strongest confirmed criteria that say something about a known state lead the report."""
    telling = [c for c in criteria if c.grade == "confirmed" and any(b.stance != "neutral" for b in c.bins)]
    names = {c.attribute for c in telling[:MOST_HEADLINES]}
    return [replace(c, headline=c.attribute in names) for c in criteria]


def _bin_effects(
    block: int, points: Points, axis_fit: AxisFit, evidence: Evidence, universe: pd.DataFrame
) -> tuple[BinEffect, ...]:
    name = axis_fit.names[block]
    bins = evidence.dictionary.bins[name]
    codes = evidence.current_codes(name)
    effect, error = axis_fit.contrast(block, evidence.shares(name))
    lifts = _lifts(axis_fit, evidence, codes, effect, error)
    opportunities, accounts = evidence.counts(name), np.bincount(universe[name], minlength=len(bins))
    wins = np.bincount(codes[codes >= 0], evidence.rows.won[codes >= 0], minlength=len(bins))
    above = ndtr(np.divide(effect, error, out=np.zeros_like(effect), where=error > 0))
    return tuple(
        BinEffect(
            key=state.key,
            label=state.label,
            odds=around(effect[b], error[b]),
            lift=lifts[b],
            probability_above_average=float(above[b]),
            points=int(points[b]),
            wins=int(wins[b]),
            opportunities=int(opportunities[b]),
            accounts=int(accounts[b]),
            stance=stance_of(state, float(above[b])),
        )
        for b, state in enumerate(bins)
    )


def stance_of(state: Bin, above: float) -> Stance:
    """In or out of the ICP when we are sure which side of average the bin is; not knowing an attribute is neither."""
    if state.key == MISSING or 1 - SURE < above < SURE:
        return "neutral"
    return "in" if above >= SURE else "out"


def around(log_value: float, error: float) -> Estimate:
    """A multiplier with its 95 % interval, from its logarithm and standard error."""
    half = normal_quantile() * error
    return Estimate(float(np.exp(log_value)), float(np.exp(log_value - half)), float(np.exp(log_value + half)))


def _lifts(axis_fit: AxisFit, evidence: Evidence, codes: Points, effect: Floats, error: Floats) -> list[Estimate]:
    """Expected win rate of each bin's deals over that of all deals: shrunk like the effects it is made of.

    Unlike the odds it is not "all else equal": the deals of a bin differ in other attributes too. The interval is by
    the delta method on the log scale. Two things are not known exactly: the effects (their posterior), and the mix of
    other attributes within the bin, of which the deals at hand are a sample. A bin without deals gets the average mix.
    """
    own = _rates(axis_fit, evidence, codes, len(effect))
    every = _rates(axis_fit, evidence, np.where(codes >= 0, 0, -1), 1)
    base, base_sum = every.rate[0], every.rate[0] * every.counts[0]
    lifts = []
    for b, rate in enumerate(own.rate):
        if not own.counts[b]:
            lifts.append(_without_deals(effect[b], error[b], float(base)))
            continue
        gradient, bin_sum = own.slope[b] / rate - every.slope[0] / base, rate * own.counts[b]
        of_effects = gradient @ axis_fit.fit.covariance @ gradient
        of_mix = own.scatter[b] * (1 / bin_sum**2 - 2 / (bin_sum * base_sum)) + every.scatter[0] / base_sum**2
        lifts.append(around(float(np.log(rate / base)), float(np.sqrt(max(of_effects + of_mix, 0.0)))))
    return lifts


@dataclass(frozen=True)
class _Rates:
    """Per group of rows: mean probability, its slope by every coefficient, rows, squared deviations summed.

    The deviations of one account's rows go together, so each counts as often as the account has rows.
    """

    rate: Floats
    slope: Floats
    counts: Points
    scatter: Floats


def _rates(axis_fit: AxisFit, evidence: Evidence, codes: Points, groups: int) -> _Rates:
    probability, own = expit(axis_fit.fit.linear_predictor), codes >= 0
    counts = np.bincount(codes[own], minlength=groups)
    rows = np.maximum(counts, 1)
    rate = np.bincount(codes[own], probability[own], groups) / rows
    slopes = axis_fit.fit.design.crossed(codes, groups, probability * (1 - probability)) / rows[:, None]
    deviations = evidence.rows.repeats[own] * (probability[own] - rate[codes[own]]) ** 2
    scatter = np.bincount(codes[own], deviations, groups).astype(float)
    return _Rates(rate, slopes, counts, scatter)


def _without_deals(effect: float, error: float, base: float) -> Estimate:
    level = np.log(base / (1 - base))
    odds = around(effect, error)
    return Estimate(*(float(expit(level + np.log(x)) / base) for x in (odds.value, odds.low, odds.high)))
