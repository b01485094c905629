"""Beliefs against data: what outcomes alone say about every hypothesis, and how far the rest may be trusted.

A belief is graded on a fit that does not know it, so that it cannot support itself. Contradicted ones no longer shape
the profile; when outcomes disagree with the beliefs as a whole, none do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

import numpy as np
import pandas as pd

from icp.evidence import AxisFit, Evidence, fit_axis, shortage
from icp.hypotheses import STRENGTH_ODDS, Hypothesis, belief_text
from icp.prior_means import Placement, place, prior_means
from icp.profile import Axis, Estimate
from icp.selection import AXES
from icp.stats import Floats, normal_quantile

BeliefState = Literal["supported", "contradicted", "cannot tell"]

FREE_TAU2 = 2.25  # prior variance of the effects a belief is graded on: hardly shrunk
MIN_OUTCOMES = 10
MOST_GROUPS = 12
NEAR = 0.75  # similarity of two names from which on one is taken for a typing error of the other
OVERRULED = 0.3  # beliefs count for nothing once their trust weight is credibly below this


@dataclass(frozen=True)
class BeliefVerdict:
    """One hypothesis against the outcomes. `odds` is what outcomes alone say of the contrast believed in, None where
    they cannot; `opportunities` and `wins` are those of the accounts the belief names (of all known, for a scale)."""

    attribute: str
    label: str
    belief: str
    strength: str
    believed_odds: float
    verdict: BeliefState
    reason: str
    author: str
    date: str
    source: str
    note: str
    odds: Estimate | None = None
    opportunities: int = 0
    wins: int = 0


@dataclass(frozen=True)
class Beliefs:
    """All hypotheses of an ICP in one quarter.

    `trust` is the weight of beliefs about who an account is (1: as believed, 0: not at all) with its 95 % interval,
    `intent_trust` that of beliefs about what it does; None without such beliefs. `is_overruled` when outcomes
    disagree so much that beliefs no longer shape the profile. `outcomes` is how many there were to grade on.
    """

    icp: str
    quarter: str
    verdicts: tuple[BeliefVerdict, ...]
    trust: Estimate | None = None
    intent_trust: Estimate | None = None
    is_overruled: bool = False
    outcomes: int = 0


@dataclass(frozen=True)
class Weighed:
    """The table of beliefs, and the believed effects that are still to shape the profile, per bin of an attribute."""

    beliefs: Beliefs
    means: Mapping[str, Floats]


def weigh(
    evidence: Evidence, hypotheses: Sequence[Hypothesis], accounts: pd.DataFrame, *, icp: str = "", quarter: str = ""
) -> Weighed:
    """Grade every hypothesis on the outcomes alone, then see how far those not contradicted may be trusted.

    Args:
        evidence: the label rows; beliefs it may hold already are not looked at.
        hypotheses: what is believed.
        accounts: codes of the accounts to be scored, which say what an average account is.
        icp: name of the ICP.
        quarter: the quarter.
    """
    blind = replace(evidence, beliefs={})
    fits = _data_fits(blind) if len(evidence.rows) else {}
    graded = [(h, _verdicts_on(h, blind, fits)) for h in hypotheses]
    held = [h for h, verdicts in graded if all(v.verdict != "contradicted" for v in verdicts)]
    means = prior_means(held, evidence.dictionary, _shares(accounts, evidence))
    trust = {axis: _trust(replace(evidence, beliefs=means), axis) for axis in AXES}
    overruled = {axis for axis, weight in trust.items() if weight is not None and weight.high < OVERRULED}
    kept = {n: m for n, m in means.items() if evidence.dictionary.attribute(n).axis not in overruled}
    verdicts = tuple(v for _, own in graded for v in own)
    outcomes = len(evidence.rows)
    return Weighed(Beliefs(icp, quarter, verdicts, trust["fit"], trust["intent"], not kept, outcomes), kept)


def _shares(accounts: pd.DataFrame, evidence: Evidence) -> dict[str, Floats]:
    bins = evidence.dictionary.bins
    return {n: np.bincount(accounts[n], minlength=len(bins[n])) / max(len(accounts), 1) for n in bins}


def _trust(evidence: Evidence, axis: Axis) -> Estimate | None:
    """The trust weight, with every attribute that outcomes can speak of beside the believed ones."""
    own = [a for a in evidence.dictionary.attributes if a.axis == axis]
    if not any(a.name in evidence.beliefs for a in own):
        return None
    names = [a.name for a in own if a.name in evidence.beliefs or not shortage(evidence, a)]
    trust = fit_axis(evidence, names, _offset(evidence, axis)).trust
    return trust.weight if trust else None


def _offset(evidence: Evidence, axis: Axis) -> Floats | None:
    """For intent, the log odds that who an account is explains."""
    if axis == "fit":
        return None
    blind = replace(evidence, beliefs={})
    names = [a.name for a in evidence.dictionary.attributes if a.axis == "fit" and not shortage(evidence, a)]
    return fit_axis(blind, names).fit.linear_predictor


def _data_fits(evidence: Evidence) -> dict[Axis, tuple[AxisFit, Floats | None]]:
    """All attributes outcomes can speak of, per axis, with the offset they were fitted on."""
    fits: dict[Axis, tuple[AxisFit, Floats | None]] = {}
    offset: Floats | None = None
    for axis in AXES:
        names = [a.name for a in evidence.dictionary.attributes if a.axis == axis and not shortage(evidence, a)]
        fits[axis] = fit_axis(evidence, names, offset), offset
        offset = fits[axis][0].fit.linear_predictor
    return fits


def _verdicts_on(
    hypothesis: Hypothesis, evidence: Evidence, fits: Mapping[Axis, tuple[AxisFit, Floats | None]]
) -> list[BeliefVerdict]:
    placements, absent = place(hypothesis, evidence.dictionary)
    verdicts = [_graded(hypothesis, p, evidence, fits) for p in placements]
    for name in absent:
        reason = f"no account group is called {name}: {_unknown(name, hypothesis, evidence)}"
        verdicts.append(_said(hypothesis, hypothesis.attribute, name, reason))
    return verdicts


def _unknown(name: str, hypothesis: Hypothesis, evidence: Evidence) -> str:
    """Why a group may not be there: a typing error where one of nearly that name is, and those there are."""
    column = hypothesis.attribute.partition("=")[0]
    own = [a for a in evidence.dictionary.attributes if column in (a.name, a.column)]
    groups = [a.member for a in own if a.member] or [b.label for a in own for b in evidence.dictionary.bins[a.name]]
    named = {group.casefold(): group for group in groups if group not in ("unknown", "any other")}
    near = get_close_matches(name.partition("=")[2].casefold() or name.casefold(), named, n=1, cutoff=NEAR)
    if near:
        return f"did you mean {named[near[0]]}?"
    listed = f"{', '.join([*named.values()][:MOST_GROUPS])}{' …' if len(named) > MOST_GROUPS else ''}"
    return "too rare, or spelt differently" + (f"; there are {listed}" if named else "")


def _said(hypothesis: Hypothesis, label: str, named: str, reason: str) -> BeliefVerdict:
    only = replace(hypothesis, values=(named,), bins=()) if named else hypothesis
    return BeliefVerdict(
        attribute=hypothesis.attribute,
        label=label,
        belief=belief_text(only),
        strength=hypothesis.strength,
        believed_odds=hypothesis.odds,
        verdict="cannot tell",
        reason=reason,
        author=hypothesis.author,
        date=hypothesis.date,
        source=hypothesis.source,
        note=hypothesis.note,
    )


def _graded(
    hypothesis: Hypothesis,
    placement: Placement,
    evidence: Evidence,
    fits: Mapping[Axis, tuple[AxisFit, Floats | None]],
) -> BeliefVerdict:
    attribute = evidence.dictionary.attribute(placement.attribute)
    said = _said(hypothesis, attribute.label, "yes" if attribute.member else "", "")
    said = replace(said, attribute=placement.attribute)
    counted = _counted(said, placement, evidence)
    lacking = _lacking(counted, placement, evidence) if fits else "no outcomes yet"
    if lacking:
        return replace(counted, reason=lacking)
    log_odds, error = _contrast(placement, evidence, *fits[attribute.axis])
    half = normal_quantile() * error
    odds = Estimate(math.exp(log_odds), math.exp(log_odds - half), math.exp(log_odds + half))
    return _judged(replace(counted, odds=odds), hypothesis, log_odds, half)


def _counted(said: BeliefVerdict, placement: Placement, evidence: Evidence) -> BeliefVerdict:
    codes = evidence.current_codes(placement.attribute)
    position = np.append(placement.position, np.nan)[codes]
    named = position == 1 if set(placement.position[~np.isnan(placement.position)]) <= {0.0, 1.0} else position >= 0
    return replace(said, opportunities=int(named.sum()), wins=int(evidence.rows.won[named].sum()))


def _lacking(counted: BeliefVerdict, placement: Placement, evidence: Evidence) -> str:
    """Why outcomes cannot speak of this belief; empty when they can."""
    short = shortage(evidence, evidence.dictionary.attribute(placement.attribute))
    if short:
        return short
    if counted.opportunities < MIN_OUTCOMES:
        return f"only {counted.opportunities} outcomes of accounts it names"
    if not placement.contrast(evidence.counts(placement.attribute)).any():
        return "outcomes of one side only"
    return ""


def _contrast(
    placement: Placement, evidence: Evidence, axis_fit: AxisFit, offset: Floats | None
) -> tuple[float, float]:
    """Log odds of the named against the other accounts and its standard error, this attribute hardly shrunk."""
    block = axis_fit.names.index(placement.attribute)
    tau2 = axis_fit.fit.tau2.copy()
    tau2[block] = FREE_TAU2
    fit = fit_axis(evidence, axis_fit.names, offset, tau2=tau2).fit
    weights = placement.contrast(evidence.counts(placement.attribute))
    variance = float(weights @ fit.effect_covariance(block) @ weights)
    return float(weights @ fit.effects[block]), math.sqrt(max(variance, 0.0))


def _judged(counted: BeliefVerdict, hypothesis: Hypothesis, log_odds: float, half: float) -> BeliefVerdict:
    """Supported when the whole interval lies on the believed side; contradicted when not even half of the believed
    effect (in log odds) lies in it."""
    believed = math.log(STRENGTH_ODDS[hypothesis.strength])
    along = log_odds if hypothesis.odds > 1 else -log_odds
    if along - half > 0:
        weaker = "; weaker than believed" if along + half < believed else ""
        return replace(counted, verdict="supported", reason=f"outcomes alone show it{weaker}")
    if along + half < 0:
        return replace(counted, verdict="contradicted", reason="outcomes alone show the opposite")
    if along + half < believed / 2:
        return replace(counted, verdict="contradicted", reason="outcomes leave no room for an effect half as large")
    return replace(counted, reason="outcomes allow for it and for no effect")


def trust_sentence(beliefs: Beliefs) -> str:
    """How far what people believe still shapes the profile, in words."""
    if not beliefs.outcomes:
        return f"There is no outcome to hold the {len(beliefs.verdicts)} stated beliefs against; they count as stated."
    counts = {state: sum(v.verdict == state for v in beliefs.verdicts) for state in ("supported", "contradicted")}
    unknown = len(beliefs.verdicts) - sum(counts.values())
    lead = (
        f"Of {len(beliefs.verdicts)} stated beliefs outcomes support {counts['supported']}, contradict "
        f"{counts['contradicted']} and cannot tell of {unknown}."
    )
    if beliefs.is_overruled:
        return f"{lead} Outcomes have overruled the beliefs: they no longer shape the points."
    weights = _listed(
        [
            f"{'beliefs about who wins' if axis == 'fit' else 'beliefs about what accounts do'} count for "
            f"{w.value:.0%} ({w.low:.0%} to {w.high:.0%}) of what was stated"
            for axis, w in (("fit", beliefs.trust), ("intent", beliefs.intent_trust))
            if w is not None
        ]
    )
    return f"{lead} Now {weights}." if weights else lead


def _listed(parts: Iterable[str]) -> str:
    return ", and ".join(parts)
