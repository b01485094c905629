"""Which attributes are real: one additive fit per axis, a test per candidate, and the grade each one earns.

Fit attributes (who an account is) are estimated first; intent attributes (what it does now) are estimated on top of
them. All candidates of both axes are tested together, so looking at more attributes makes each one harder to confirm.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from icp.bins import is_contrast, kernel
from icp.design import with_zero_row
from icp.fit import AdditiveFit, fit_additive, identity_kernel, ordered_kernel
from icp.label_rows import LabelRows, Mask, cluster_weights, hashed_share, within_account_correlation
from icp.profile import MISSING, Attribute, Axis, BinDictionary, Contrast, Grade
from icp.score_test import attribute_tests, variance_component_test
from icp.stats import Floats, benjamini_hochberg
from icp.trust import Trust, fit_trusted

AXES: tuple[Axis, ...] = ("fit", "intent")
ENTER_RATE, STAY_RATE = 0.05, 0.10
MATERIAL_ODDS, MATERIAL_SHARE, MATERIAL_SD = 1.3, 0.03, 0.10
PROVISIONAL_P, PROVISIONAL_SD, MOST_IN_SCORE = 0.3, 0.08, 12
STRONG_EFFECT = 1.0  # log odds
SPLIT_SEED = 20  # of the halves of accounts segments are searched and confirmed on
MIN_KNOWN_ROWS, MIN_KNOWN_SHARE = 20, 0.03
MIN_CONTRAST_ROWS, MIN_CONTRAST_SHARE = 10, 0.01
SMALL_CORRELATION, CORRELATION_ROUNDS = 0.02, 6


@dataclass(frozen=True)
class Evidence:
    """The labelled rows with all that does not depend on which attributes are looked at.

    `beliefs` are the effects people believe in before seeing outcomes, per bin of an attribute (`icp.hypotheses`).
    `contrast` says what the rows are: deals won or lost, or accounts that are customers or not.
    """

    rows: LabelRows
    dictionary: BinDictionary
    change_points: Mapping[str, str] = field(default_factory=dict)
    correlation: float = 0.0
    beliefs: Mapping[str, Floats] = field(default_factory=dict)
    contrast: Contrast = "won_or_lost"

    def where(self, mask: Mask) -> Evidence:
        """The same with some of the rows."""
        return replace(self, rows=self.rows.where(mask))

    @cached_property
    def weights(self) -> Floats:
        """What each row counts for (accounts that come back count less than once per row)."""
        return cluster_weights(self.rows, self.correlation)

    @cached_property
    def is_searched(self) -> Mask:
        """Rows segments are searched on: those of one half of the accounts."""
        return np.array([hashed_share(str(a), SPLIT_SEED) < 0.5 for a in self.rows.accounts])

    def is_unseen(self, found_in: str) -> Mask:
        """Rows the search that found a segment had not seen: the other half of the accounts, and later quarters."""
        later = np.array(self.rows.window)[self.rows.periods] > found_in
        return np.asarray(later | ~self.is_searched)

    def is_old(self, name: str) -> Mask:
        """Rows from before the attribute's effect changed; all False when it never did."""
        quarter = self.change_points.get(name)
        return self.rows.is_before(quarter) if quarter else np.zeros(len(self.rows), dtype=bool)

    def current_codes(self, name: str) -> NDArray[np.int64]:
        """The bin of each row, -1 for rows from before the attribute's effect changed."""
        return np.where(self.is_old(name), -1, self.rows.codes[name].to_numpy().astype(np.int64))

    def counts(self, name: str) -> Floats:
        """Rows per bin, of the current regime."""
        codes = self.current_codes(name)
        return np.bincount(codes[codes >= 0], minlength=len(self.dictionary.bins[name])).astype(float)

    def shares(self, name: str) -> Floats:
        """Share of rows per bin, of the current regime."""
        counts = self.counts(name)
        return np.asarray(counts / max(counts.sum(), 1.0))


@dataclass(frozen=True)
class AxisFit:
    """Effects of the bins of some attributes. `intercept` is the level of the newest quarter.

    `believed` are the believed effects of each attribute and `trust` how far they count; absent without beliefs.
    """

    names: tuple[str, ...]
    fit: AdditiveFit
    intercept: float
    believed: tuple[Floats, ...] = ()
    trust: Trust | None = None

    @property
    def effects(self) -> tuple[Floats, ...]:
        """Log odds of each bin of each attribute: what outcomes say, around what is believed."""
        own = self.fit.effects[: len(self.names)]
        if self.trust is None:
            return own
        weight = self.trust.coefficient(self.fit)
        return tuple(effect + weight * mean for effect, mean in zip(own, self.believed, strict=True))

    def contrast(self, block: int, shares: Floats) -> tuple[Floats, Floats]:
        """Log odds of each bin against the average account worked, with standard errors."""
        against = np.eye(len(shares)) - shares
        covariance = against @ self._covariance(block) @ against.T
        return against @ self.effects[block], np.sqrt(np.maximum(np.diagonal(covariance), 0.0))

    def _covariance(self, block: int) -> Floats:
        if self.trust is None:
            return self.fit.effect_covariance(block)
        return self.trust.effect_covariance(self.fit, block, self.believed[block])


@dataclass(frozen=True)
class Verdict:
    """What the data say about one candidate."""

    attribute: Attribute
    grade: Grade
    p_value: float | None = None
    q_value: float | None = None
    effect_sd: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Selection:
    """The attributes that enter each scorecard, their effects, and the verdict on every candidate."""

    fit: AxisFit
    intent: AxisFit
    verdicts: tuple[Verdict, ...]

    def axis(self, axis: Axis) -> AxisFit:
        """The fitted attributes of one axis."""
        return self.fit if axis == "fit" else self.intent


def gather_evidence(rows: LabelRows, dictionary: BinDictionary, change_points: Mapping[str, str]) -> Evidence:
    """Find out how much repeated outcomes of one account repeat each other, and weigh rows accordingly.

    Deals of one account are not independent trials; counting them as if they were confirms attributes that merely name
    accounts. The correlation left once the attributes are accounted for is estimated anew with the weights it implies,
    until it settles.
    """
    evidence = Evidence(rows, dictionary, dict(change_points))
    names = [a.name for a in dictionary.attributes if not shortage(evidence, a)]
    for _ in range(CORRELATION_ROUNDS):
        if float(rows.repeats.max(initial=1.0)) == 1.0:
            break
        correlation = within_account_correlation(rows, fit_axis(evidence, names).fit)
        settled = abs(correlation - evidence.correlation) < SMALL_CORRELATION
        evidence = Evidence(rows, dictionary, evidence.change_points, correlation)
        if settled:
            break
    return evidence


def fit_axis(
    evidence: Evidence, names: Sequence[str], offset: Floats | None = None, tau2: Floats | None = None
) -> AxisFit:
    """Estimate the effects of these attributes together, each quarter at its own level.

    With an offset (the fit axis, when intent is estimated) the level is the offset's business. An attribute whose
    effect changed has its older rows in a block of their own: the effect reported is the current one. Of customers
    against all accounts, what is not known of an account says who enriched its record, and is taken out of every
    attribute's effect. `tau2` holds the variances of all blocks where they are.
    """
    rows = evidence.rows
    current = [evidence.current_codes(n) for n in names]
    unknown = _unknown(evidence, names, current)
    current = [np.where(gap, -1, codes) for gap, codes in zip(unknown, current, strict=True)]
    kernels = [
        kernel(evidence.dictionary.attribute(n), evidence.dictionary.bins[n], c)
        for n, c in zip(names, current, strict=True)
    ]
    columns = list(current)
    for j, name in enumerate(names):
        old = evidence.is_old(name)
        if old.any():
            columns.append(np.where(old, rows.codes[name].to_numpy(), -1))
            kernels.append(kernels[j])
    for gap in {gap.tobytes(): gap for gap in unknown if gap.any()}.values():
        columns.append(np.where(gap, 0, -1))
        kernels.append(identity_kernel(1))
    has_periods = offset is None and len(rows.window) > 1
    if has_periods:
        columns.append(rows.periods)
        kernels.append(ordered_kernel(len(rows.window), has_missing=False))
    codes = np.column_stack(columns) if columns else np.empty((len(rows), 0), dtype=np.int64)

    def fitted(also: Floats | None = None, fixed: Floats | None = None) -> AdditiveFit:
        known = offset if also is None else also if offset is None else offset + also
        return fit_additive(codes, kernels, rows.won, offset=known, fixed=fixed, weights=evidence.weights, tau2=tau2)

    believed = tuple(evidence.beliefs.get(n, np.zeros(len(evidence.dictionary.bins[n]))) for n in names)
    log_odds = _believed(believed, current)
    fit, trust = (fitted(), None) if log_odds is None else fit_trusted(fitted, log_odds)
    newest = float(fit.effects[-1][-1]) if has_periods else 0.0
    return AxisFit(tuple(names), fit, float(fit.intercepts[0]) + newest, believed if trust else (), trust)


def _unknown(evidence: Evidence, names: Sequence[str], codes: Sequence[NDArray[np.int64]]) -> list[Mask]:
    """Per attribute the rows whose value is not known and must not speak for it; none of them among deals."""
    if evidence.contrast == "won_or_lost":
        return [np.zeros(len(evidence.rows), dtype=bool)] * len(names)
    places = [[b.key for b in evidence.dictionary.bins[name]].index(MISSING) for name in names]
    return [np.asarray(own == place) for own, place in zip(codes, places, strict=True)]


def _believed(means: Sequence[Floats], codes: Sequence[NDArray[np.int64]]) -> Floats | None:
    """The believed log odds of each row, None where nothing is believed of these attributes."""
    if not any(mean.any() for mean in means):
        return None
    rows = [with_zero_row(mean)[own] for mean, own in zip(means, codes, strict=True)]
    return np.asarray(np.sum(rows, axis=0))


def shortage(evidence: Evidence, attribute: Attribute) -> str:
    """Why the data cannot say anything about this attribute; empty when they can."""
    counts, bins = evidence.counts(attribute.name), evidence.dictionary.bins[attribute.name]
    total = int(counts.sum())
    states = counts[:-1] if bins[-1].key == MISSING and is_contrast(attribute) else counts
    known = int(counts[:-1].sum()) if bins[-1].key == MISSING else total
    if known < max(MIN_KNOWN_ROWS, MIN_KNOWN_SHARE * total):
        return f"known for {known} of {total} opportunities"
    contrast = int(states.sum() - states.max(initial=0.0))
    if contrast == 0:
        return "the same for every opportunity"
    if contrast < max(MIN_CONTRAST_ROWS, MIN_CONTRAST_SHARE * total):
        return f"only {contrast} of {total} opportunities differ from the rest"
    return ""


def select(evidence: Evidence, *, held: Collection[str] = (), best_effort: bool = False) -> Selection:
    """Test all candidates, grade them, and fit the scorecards on those that earned a place.

    A newcomer is confirmed at a false discovery rate of 5 %, which keeps data without any signal from confirming
    anything in about 95 % of cases; what the incumbent had confirmed stays so at 10 %, so that an attribute at the edge
    does not come and go with every quarter's noise.

    Args:
        evidence: labelled rows of the window.
        held: attributes the incumbent has confirmed.
        best_effort: fill an axis with its provisional attributes even when none is confirmed; for cross-fitting only,
            where a fold with fewer rows must still rank its accounts. Never for a published profile.
    """
    verdicts = _verdicts(replace(evidence, beliefs={}), held)  # a belief is no evidence for itself
    chosen = {axis: _chosen(verdicts, axis, best_effort) for axis in AXES}
    believed = {axis: _believed_in(evidence, axis, chosen[axis]) for axis in AXES}
    chosen = {axis: [*chosen[axis], *believed[axis]] for axis in AXES}
    fit = fit_axis(evidence, chosen["fit"])
    intent = fit_axis(evidence, chosen["intent"], fit.fit.linear_predictor)
    only_believed = {*believed["fit"], *believed["intent"]}
    return Selection(fit, intent, tuple(_final(v, chosen[v.attribute.axis], only_believed) for v in verdicts))


def _believed_in(evidence: Evidence, axis: Axis, chosen: Collection[str]) -> list[str]:
    """Attributes of an axis that are in the score only because somebody believes in them."""
    own = {a.name for a in evidence.dictionary.attributes if a.axis == axis}
    return sorted((own & evidence.beliefs.keys()) - set(chosen))


def _verdicts(evidence: Evidence, held: Collection[str]) -> list[Verdict]:
    tested: list[Verdict] = []
    untested: list[Verdict] = []
    offset: Floats | None = None
    for axis in AXES:
        names = []
        for attribute in (a for a in evidence.dictionary.attributes if a.axis == axis):
            reason = shortage(evidence, attribute)
            if reason:
                untested.append(Verdict(attribute, "not_enough_evidence", reason=reason))
            else:
                names.append(attribute.name)
        axis_fit = fit_axis(evidence, names, offset)
        tested += _tested(evidence, axis_fit, offset)
        offset = axis_fit.fit.linear_predictor
    q_values = benjamini_hochberg([v.p_value or 0.0 for v in tested])
    graded = [
        _graded(v, float(q), STAY_RATE if v.attribute.name in held else ENTER_RATE)
        for v, q in zip(tested, q_values, strict=True)
    ]
    place = {a.name: i for i, a in enumerate(evidence.dictionary.attributes)}
    return sorted([*graded, *untested], key=lambda v: place[v.attribute.name])


def _tested(evidence: Evidence, axis_fit: AxisFit, offset: Floats | None) -> list[Verdict]:
    p_values = _p_values(evidence, axis_fit, offset)
    verdicts = []
    for j, name in enumerate(axis_fit.names):
        shares = evidence.shares(name)
        effect = axis_fit.contrast(j, shares)[0]
        sd = math.sqrt(float(shares @ effect**2))
        is_material = sd >= MATERIAL_SD or bool(
            (np.abs(effect[shares >= MATERIAL_SHARE]) >= math.log(MATERIAL_ODDS)).any()
        )
        attribute = evidence.dictionary.attribute(name)
        reason = "" if is_material else "effect too small to matter"
        verdicts.append(Verdict(attribute, "not_confirmed", float(p_values[j]), None, sd, reason))
    return verdicts


def _p_values(evidence: Evidence, axis_fit: AxisFit, offset: Floats | None) -> Floats:
    """The score test of every attribute. Of a strong one the null model is fitted, not extrapolated from the full fit.

    Where a bin never wins, its weights p (1 - p) at the full fit are almost nothing, and so would be the evidence. A
    segment is tested on the rows its search has not seen.
    """
    p_values = attribute_tests(axis_fit.fit, range(len(axis_fit.names)))
    for j in range(len(axis_fit.names)):
        if np.abs(axis_fit.fit.effects[j]).max(initial=0.0) >= STRONG_EFFECT:
            without = axis_fit.fit.tau2.copy()
            without[j] = 0.0
            null = fit_axis(evidence, axis_fit.names, offset, tau2=without)
            p_values[j] = attribute_tests(null.fit, [j])[0]
    for j, name in enumerate(axis_fit.names):
        attribute = evidence.dictionary.attribute(name)
        if attribute.conditions:
            codes = np.where(evidence.is_unseen(attribute.found_in), evidence.current_codes(name), -1)
            own = kernel(attribute, evidence.dictionary.bins[name], codes)
            p_values[j] = variance_component_test(axis_fit.fit, codes, own, drop=j)
    return p_values


def _graded(verdict: Verdict, q_value: float, rate: float) -> Verdict:
    """Confirmed when beyond chance and large enough to matter (a material verdict comes without a reason)."""
    if q_value > rate:
        return replace(verdict, q_value=q_value, reason="could be chance")
    return replace(verdict, q_value=q_value, grade="not_confirmed" if verdict.reason else "confirmed")


def _chosen(verdicts: Sequence[Verdict], axis: Axis, best_effort: bool) -> list[str]:
    """Confirmed attributes of an axis, then provisional ones up to twelve in all; nothing without a confirmed one."""
    own = [v for v in verdicts if v.attribute.axis == axis and v.p_value is not None]
    confirmed = [v.attribute.name for v in own if v.grade == "confirmed"]
    if not confirmed and not best_effort:
        return []
    provisional = [
        v
        for v in own
        if v.grade != "confirmed"
        and (v.effect_sd or 0.0) >= PROVISIONAL_SD
        and (v.p_value or 0.0) < PROVISIONAL_P
        and not v.attribute.conditions  # a segment is certain or nothing
    ]
    provisional.sort(key=lambda v: (-round(v.effect_sd or 0.0, 9), v.attribute.name))
    room = max(MOST_IN_SCORE - len(confirmed), 0)
    return confirmed + [v.attribute.name for v in provisional[:room]]


def _final(verdict: Verdict, chosen: Sequence[str], believed: Collection[str]) -> Verdict:
    if verdict.attribute.name in believed:
        return replace(verdict, grade="believed", reason="believed; outcomes do not show it yet")
    if verdict.grade == "confirmed" or verdict.attribute.name not in chosen:
        return verdict
    return replace(verdict, grade="provisional", reason="likely, not yet certain")
