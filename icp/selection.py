"""Which attributes are real: one additive fit per axis, a test per candidate, and the grade each one earns.

Fit attributes (who an account is) are estimated first; intent attributes (what it does now) are estimated on top of
them. All candidates of both axes are tested together, so looking at more attributes makes each one harder to confirm.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icp.bins import kernel
from icp.evidence import AxisFit, Evidence, fit_axis, shortage
from icp.profile import Attribute, Axis, Grade
from icp.score_test import attribute_tests, variance_component_test
from icp.stats import Floats, benjamini_hochberg

AXES: tuple[Axis, ...] = ("fit", "intent")
ENTER_RATE, STAY_RATE = 0.04, 0.10
MOST_FALSE = 0.2  # newcomers confirmed by chance, expected per derivation, were nothing real at all
MATERIAL_ODDS, MATERIAL_SHARE, MATERIAL_SD = 1.3, 0.03, 0.10
PROVISIONAL_P, PROVISIONAL_SD, MOST_IN_SCORE = 0.3, 0.08, 12
STRONG_EFFECT = 1.0  # log odds


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

    def is_confirmed(self, name: str) -> bool:
        """Whether this candidate was confirmed."""
        return any(v.attribute.name == name and v.grade == "confirmed" for v in self.verdicts)

    def axis(self, axis: Axis) -> AxisFit:
        """The fitted attributes of one axis."""
        return self.fit if axis == "fit" else self.intent


def select(evidence: Evidence, *, held: Collection[str] = (), best_effort: bool = False) -> Selection:
    """Test all candidates, grade them, and fit the scorecards on those that earned a place.

    A newcomer is confirmed at a false discovery rate of 4 %, which keeps data without any signal from confirming
    anything in about 96 % of cases, and at p <= .2 / candidates, so that no more than one derivation in five is expected
    to confirm one attribute by chance, however much else is real. What the incumbent had confirmed stays so at 10 %, so
    that an attribute at the edge does not come and go with every quarter's noise (docs/adr/0004).

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
    p_values = [v.p_value or 0.0 for v in tested]
    q_values = benjamini_hochberg(p_values)
    graded = [
        _graded(
            v,
            float(q),
            is_convincing=q <= STAY_RATE if v.attribute.name in held else _is_beyond_chance(p, q, len(tested)),
        )
        for v, p, q in zip(tested, p_values, q_values, strict=True)
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


def _is_beyond_chance(p_value: float, q_value: float, candidates: int) -> bool:
    """Whether a newcomer is beyond chance among so many candidates: by its share of false ones and by their number."""
    return q_value <= ENTER_RATE and p_value * candidates <= MOST_FALSE


def _graded(verdict: Verdict, q_value: float, *, is_convincing: bool) -> Verdict:
    """Confirmed when beyond chance and large enough to matter (a material verdict comes without a reason)."""
    if not is_convincing:
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
