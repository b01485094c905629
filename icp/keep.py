"""A quarter in which nothing changed: the incumbent's points stay, the levels and counts beside them are brought up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import pandas as pd

from icp.criteria import Grading, make_scorecard
from icp.derivation import Derivation, as_profile, make_derivation
from icp.evidence import AxisFit, fit_axis
from icp.hypotheses import Hypothesis
from icp.points import card_of, refit_intercept
from icp.profile import Axis, Profile, Scorecard, Tier
from icp.selection import AXES
from icp.tiers import Cuts, cut_tiers, is_within_capacity, recount


def keep(
    incumbent: Profile,
    candidate: Profile,
    frame: pd.DataFrame,
    *,
    universe: pd.DataFrame | None = None,
    tiers_config: Mapping[str, float] | None = None,
    seed: int = 0,
    hypotheses: Sequence[Hypothesis] = (),
) -> Profile:
    """Carry the incumbent's bins, criteria, points and tier cuts into a quarter in which nothing changed.

    Accounts then move only because they themselves changed. Brought up to date are: the level of win probabilities, the
    odds, lifts and counts beside each bin, each attribute's test, and the tiers' rates (the candidate's out-of-fold
    ones, of its tiers of the same names). Tiers are cut anew only when the accounts outgrow their capacity by a quarter,
    which a note then says.

    Args:
        incumbent: the profile in force.
        candidate: what `derive` made of the same frame.
        frame: the label rows of the window.
        universe: the accounts to be scored.
        tiers_config: tier name -> share of the universe, best first.
        seed: of hashed draws.
        hypotheses: what people believe, as for `derive`.
    """
    job = make_derivation(
        frame,
        incumbent.bins,
        incumbent.icp,
        candidate.quarter,
        candidate.change_points,
        universe,
        tiers_config,
        {"wins": 1, "losses": 1},
        seed,
        hypotheses,
        candidate.contrast,
    )
    scorecards: dict[Axis, Scorecard] = {}
    offset = None
    for axis in AXES:
        names = [c.attribute for c in incumbent.scorecard(axis).criteria]
        axis_fit = fit_axis(job.evidence, names, offset)
        offset = axis_fit.fit.linear_predictor
        scorecards[axis] = _kept_scorecard(job, incumbent.scorecard(axis), candidate, axis_fit)
    tiers = _kept_tiers(job, incumbent, candidate, scorecards["fit"])
    known = {a.name for a in incumbent.bins.attributes}  # a segment only the candidate found has no place yet
    kept = as_profile(job, scorecards, tiers, tuple(t for t in candidate.tests if t.attribute in known))
    notes = (
        ["Tier rates are those of a refit's tiers of the same names, on deals the refit had not seen."]
        if any(t.opportunities for t in tiers)
        else []
    )
    if [t.min_score for t in tiers] != [t.min_score for t in incumbent.tiers]:
        notes.append("Tiers were cut anew: the accounts had outgrown their capacity, so some moved without changing.")
    return replace(
        kept,
        notes=(*kept.notes, *notes),
        state=incumbent.state if incumbent.state == "no_icp" else "kept",
        derived_in=incumbent.derived_in,
        intent_levels=incumbent.intent_levels,
    )


def _kept_scorecard(job: Derivation, old: Scorecard, candidate: Profile, axis_fit: AxisFit) -> Scorecard:
    card = card_of(old, job.evidence.dictionary)
    if old.axis == "fit":
        card = refit_intercept(card, job.evidence)
    fresh = {t.attribute: t for t in candidate.tests if t.p_value is not None and t.q_value is not None}
    gradings = {}
    for c in old.criteria:
        test = fresh.get(c.attribute)
        p_value, q_value = (test.p_value, test.q_value) if test else (c.p_value, c.q_value)
        gradings[c.attribute] = Grading(c.grade, p_value or 0.0, q_value or 0.0, c.since)
    made = make_scorecard(old.axis, card, axis_fit, job.evidence, job.universe, gradings)
    headlines = {c.attribute for c in old.criteria if c.headline}
    by_name = {c.attribute: replace(c, headline=c.attribute in headlines) for c in made.criteria}
    return replace(made, criteria=tuple(by_name[c.attribute] for c in old.criteria))


def _kept_tiers(job: Derivation, incumbent: Profile, candidate: Profile, fit: Scorecard) -> tuple[Tier, ...]:
    if not fit.criteria:
        return ()
    scores = card_of(fit, job.evidence.dictionary).score(job.universe)
    cuts: Cuts = tuple((t.name, t.min_score) for t in incumbent.tiers)
    if not is_within_capacity(scores, cuts, job.shares):
        cuts = cut_tiers(scores, job.shares)
    rates = {t.name: t for t in chain(incumbent.tiers, candidate.tiers)}
    return recount(cuts, scores, rates)
