"""The profile of a company with too few outcomes to learn from: what people believe, marked as such.

Points follow the believed effects (and the few outcomes there are, through the trust-weighted fit). Intervals are as
wide as belief is; no win probability and no tier rate is claimed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr

from icp.beliefs import BeliefVerdict, weigh
from icp.criteria import around, stance_of
from icp.errors import NotEnoughEvidence
from icp.evidence import AxisFit, Evidence, fit_axis
from icp.hypotheses import Hypothesis, belief_text
from icp.label_rows import LabelRows
from icp.points import Points, PointsCard, card_of, make_points
from icp.profile import (
    MISSING,
    Attribute,
    AttributeTest,
    Axis,
    BinDictionary,
    BinEffect,
    Criterion,
    Estimate,
    Profile,
    Scorecard,
)
from icp.selection import AXES
from icp.stats import wilson_interval
from icp.tiers import intent_levels, unmeasured_tiers
from icp.verdicts import ProfileDiff

REASONS_SHOWN = 6


def believed_profile(
    rows: LabelRows,
    dictionary: BinDictionary,
    hypotheses: Sequence[Hypothesis],
    universe: pd.DataFrame,
    *,
    icp: str,
    quarter: str,
    shares: Mapping[str, float],
    incumbent: Profile | None = None,
) -> Profile:
    """The profile that rests on beliefs (state "hypotheses"), every account scored, tiers cut by capacity.

    Args:
        rows: the outcomes there are, which may be none.
        dictionary: the frozen bins.
        hypotheses: what is believed.
        universe: codes of the accounts to be scored.
        icp: name of the ICP.
        quarter: the quarter.
        shares: tier name -> share of the universe, best first.
        incumbent: the profile in force; what was believed then keeps its date.

    Raises:
        NotEnoughEvidence: no belief is about anything the accounts can be told apart by.
    """
    weighed = weigh(Evidence(rows, dictionary), hypotheses, universe)
    means = weighed.means
    evidence = Evidence(rows, dictionary, beliefs=means)
    held = (
        {c.attribute: c.since for card in (incumbent.fit, incumbent.intent) for c in card.criteria} if incumbent else {}
    )
    cards: dict[Axis, Scorecard] = {}
    offset = None
    for axis in AXES:
        names = sorted(a.name for a in dictionary.attributes if a.axis == axis and a.name in means)
        axis_fit = fit_axis(evidence, names, offset)
        offset = axis_fit.fit.linear_predictor
        cards[axis] = _scorecard(axis, make_points(axis_fit), axis_fit, evidence, universe, held, quarter)
    if not cards["fit"].criteria or cards["fit"].slope == 0:
        raise NotEnoughEvidence(
            f"Too few outcomes to derive an ICP for {quarter}, and no hypothesis tells the accounts apart: "
            f"{_why_not(weighed.beliefs.verdicts)}. Check hypotheses.yml against the values of your accounts, or wait for "
            "outcomes."
        )
    base = Estimate(*wilson_interval(float(rows.won.sum()), len(rows)))
    return Profile(
        icp=icp,
        quarter=quarter,
        state="hypotheses",
        derived_in=quarter,
        window=rows.window,
        opportunities=len(rows),
        wins=int(rows.won.sum()),
        base_rate=base,
        bins=dictionary,
        fit=cards["fit"],
        intent=cards["intent"],
        tiers=unmeasured_tiers(card_of(cards["fit"], dictionary).score(universe), shares, base),
        intent_levels=_levels(cards["intent"], dictionary, universe),
        tests=tuple(_test(evidence, a, means) for a in dictionary.attributes),
        paragraph=belief_paragraph(rows, hypotheses, dictionary),
        notes=("No win probabilities and no tier rates are given: this profile is what people believe, not what "
               "outcomes show.",),
    )  # fmt: skip


def _why_not(verdicts: Sequence[BeliefVerdict]) -> str:
    """Why none of the beliefs shapes a profile, belief by belief."""
    told = [f"{v.label}: {v.belief} ({v.reason})" for v in verdicts if v.reason]
    more = f"; and {len(told) - REASONS_SHOWN} more" if len(told) > REASONS_SHOWN else ""
    return "; ".join(told[:REASONS_SHOWN]) + more or "what they name holds for every account or for none"


def _scorecard(
    axis: Axis,
    card: PointsCard,
    axis_fit: AxisFit,
    evidence: Evidence,
    universe: pd.DataFrame,
    held: Mapping[str, str],
    quarter: str,
) -> Scorecard:
    criteria = []
    for block, name in enumerate(axis_fit.names):
        attribute, accounts = evidence.dictionary.attribute(name), universe[name].to_numpy()
        effects = _bin_effects(block, card.points[name], axis_fit, evidence, accounts)
        weights = np.bincount(accounts, minlength=len(effects)) / max(len(accounts), 1)
        logs = np.log([e.odds.value for e in effects])
        spread = float(np.sqrt(weights @ logs**2))
        since = held.get(name, quarter)
        criteria.append(
            Criterion(name, attribute.label, attribute.family, "believed", 1.0, 1.0, spread, effects, since)
        )
    criteria.sort(key=lambda c: (-round(c.effect_sd, 9), c.attribute))
    return Scorecard(axis, card.intercept, card.slope, tuple(criteria))


def _bin_effects(
    block: int, points: Points, axis_fit: AxisFit, evidence: Evidence, accounts: Points
) -> tuple[BinEffect, ...]:
    """Odds against the average account of the universe. Lift is taken as the odds, which it is where wins are rare:
    without a base rate nothing better can be said."""
    name = axis_fit.names[block]
    bins = evidence.dictionary.bins[name]
    counts = np.bincount(accounts, minlength=len(bins))
    effect, error = axis_fit.contrast(block, counts / max(int(counts.sum()), 1))
    codes = evidence.current_codes(name)
    opportunities = np.bincount(codes[codes >= 0], minlength=len(bins))
    wins = np.bincount(codes[codes >= 0], evidence.rows.won[codes >= 0], minlength=len(bins))
    above = ndtr(np.divide(effect, error, out=np.zeros_like(effect), where=error > 0))
    return tuple(
        BinEffect(
            key=state.key,
            label=state.label,
            odds=around(effect[b], error[b]),
            lift=around(effect[b], error[b]),
            probability_above_average=float(above[b]),
            points=int(points[b]),
            wins=int(wins[b]),
            opportunities=int(opportunities[b]),
            accounts=int(counts[b]),
            stance=stance_of(state, float(above[b])),
        )
        for b, state in enumerate(bins)
    )


def _levels(intent: Scorecard, dictionary: BinDictionary, universe: pd.DataFrame) -> tuple[int, ...]:
    return intent_levels(card_of(intent, dictionary).score(universe)) if intent.criteria else ()


def _test(evidence: Evidence, attribute: Attribute, believed: Collection[str]) -> AttributeTest:
    bins = evidence.dictionary.bins[attribute.name]
    codes = evidence.current_codes(attribute.name)
    known = codes < len(bins) - int(bins[-1].key == MISSING)
    is_believed = attribute.name in believed
    return AttributeTest(
        attribute=attribute.name,
        label=attribute.label,
        family=attribute.family,
        axis=attribute.axis,
        grade="believed" if is_believed else "not_enough_evidence",
        p_value=None,
        q_value=None,
        effect_sd=None,
        coverage=float(known.mean()) if len(known) else 0.0,
        opportunities=int(known.sum()),
        wins=int(evidence.rows.won[known].sum()),
        reason="believed; too few outcomes to test it" if is_believed else "too few outcomes to test anything",
    )


def belief_paragraph(rows: LabelRows, hypotheses: Sequence[Hypothesis], dictionary: BinDictionary) -> str:
    """Say that this is belief, who is believed to win, and what it would take to know."""
    wins = int(rows.won.sum())
    known = f"Only {len(rows):,} outcomes are known, {wins:,} of them won" if len(rows) else "No outcome is known yet"
    labels = {a.name: a.label for a in dictionary.attributes} | {a.column: a.label for a in dictionary.attributes}
    said = "; ".join(
        f"{labels.get(h.attribute, h.attribute).split(': ')[0]} {belief_text(h)} ({h.strength}"
        f"{', ' + h.author if h.author else ''})"
        for h in hypotheses
    )
    return f"{known}, too few to derive an ICP: these points are what people believe, not a finding. {said}."


def belief_diff(incumbent: Profile | None, candidate: Profile) -> ProfileDiff:
    """What there is to say of a quarter whose profile rests on beliefs alone: nothing could be tested."""
    had = incumbent is not None
    begun = "still rests" if had else "rests"
    outcomes = (
        f"{candidate.opportunities:,} outcomes ({candidate.wins:,} won)" if candidate.opportunities else "no outcome"
    )
    sentence = f"The ICP {begun} on stated beliefs: {outcomes} so far, too few to derive one or to test a belief."
    return ProfileDiff(
        icp=candidate.icp,
        before_quarter=incumbent.quarter if incumbent else None,
        quarter=candidate.quarter,
        outcome="cannot tell at this n" if had else "first profile",
        sentence=sentence,
        opportunities=candidate.opportunities,
        wins=candidate.wins,
        criteria=0,
        detectable=None,
        attributes=(),
        entering=(),
        memberships=(),
        change_points={},
    )
