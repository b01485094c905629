"""From known outcomes to an ICP: the label frame in, a Profile with an interval on every number out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pandas as pd

from icp.beliefs import weigh
from icp.bins import encode, with_segment_codes
from icp.cold_start import believed_profile
from icp.criteria import Grading, disqualifiers, gradings_since, make_scorecard
from icp.evidence import AxisFit, Evidence, fit_axis, gather_evidence
from icp.hypotheses import Hypothesis
from icp.label_rows import LabelRows, Mask, has_enough, read_label_rows, require_enough
from icp.paragraph import axis_note, write_paragraph
from icp.points import card_of, make_points, refit_intercept
from icp.points_table import POINT_COLUMNS, points_table
from icp.profile import (
    MISSING,
    AttributeTest,
    Axis,
    BinDictionary,
    Contrast,
    Estimate,
    Profile,
    ProfileState,
    Scorecard,
    Tier,
)
from icp.segments import keeping_segments, with_segments
from icp.selection import AXES, Selection, Verdict, select
from icp.stats import wilson_interval
from icp.tiers import (
    Cuts,
    cross_fitted_places,
    cut_tiers,
    effective_share,
    intent_levels,
    is_within_capacity,
    measure_tiers,
    recount,
)

__all__ = ["POINT_COLUMNS", "derive", "keep", "points_table"]

DEFAULT_TIERS = {"A": 0.05, "B": 0.15, "C": 0.30}
LEAST_PER_CLASS = 100  # wins and losses a regime must have brought to be measured alone


@dataclass(frozen=True)
class _Job:
    """What every step needs to know."""

    icp: str
    quarter: str
    evidence: Evidence
    universe: pd.DataFrame
    shares: Mapping[str, float]
    seed: int


def derive(
    frame: pd.DataFrame,
    dictionary: BinDictionary,
    *,
    icp: str,
    quarter: str,
    change_points: Mapping[str, str] | None = None,
    universe: pd.DataFrame | None = None,
    tiers_config: Mapping[str, float] | None = None,
    minimum: Mapping[str, int] | None = None,
    incumbent: Profile | None = None,
    seed: int = 0,
    has_tiers: bool = True,
    hypotheses: Sequence[Hypothesis] = (),
    contrast: Contrast = "won_or_lost",
) -> Profile:
    """Derive the ICP that the outcomes in this frame support, which may be none.

    The order of rows does not matter, nothing but the arguments is read, the same arguments give the same profile.
    `fit` gives log odds of winning = intercept + slope x score at the newest quarter's level; `intent` the log odds to
    add to that for what the account does now.

    Args:
        frame: one row per known outcome of the lookback window (observation_id, account_id, is_won, outcome_quarter,
            outcome_value, attributes).
        dictionary: the frozen bins of all candidates.
        icp: name of the ICP.
        quarter: the quarter it is derived for.
        change_points: attribute -> quarter its effect is known to have changed in; older rows no longer count for it.
        universe: the accounts to be scored, on which tiers are cut; without it they are cut on the label rows.
        tiers_config: tier name -> share of the universe, best first.
        minimum: least `wins` and `losses`.
        incumbent: the profile in force: its confirmed criteria stay so on slightly weaker evidence than newcomers need,
            and keep the date since when they have been criteria.
        seed: of folds and bootstrap.
        has_tiers: False leaves the tiers out, which take half of the time, for a profile that will only rank.
        hypotheses: what people believe: the prior of the effects, trusted as far as outcomes allow. With fewer outcomes
            than `minimum` the profile rests on them alone (state "hypotheses").
        contrast: what the rows are; customers beside accounts that are none come from `icp.customers`.

    Raises:
        NotEnoughEvidence: Too few wins or losses to derive anything.
        ConfigError: The frame lacks a required column or repeats an observation.
    """
    if hypotheses and (thin := _too_thin(frame, dictionary, minimum)) is not None:
        codes = thin.codes if universe is None or universe.empty else encode(universe, dictionary)
        shares = dict(tiers_config or DEFAULT_TIERS)
        return believed_profile(
            thin, dictionary, hypotheses, codes, icp=icp, quarter=quarter, shares=shares, incumbent=incumbent
        )
    job = _job(
        frame, dictionary, icp, quarter, change_points, universe, tiers_config, minimum, seed, hypotheses, contrast
    )
    job = replace(job, evidence=with_segments(job.evidence, quarter))
    selection = select(job.evidence, held=_confirmed(incumbent))
    job = _with_segments_in_use(job, selection, _confirmed(incumbent))
    gradings = gradings_since(_gradings(selection, quarter), incumbent)
    scorecards = {
        axis: make_scorecard(
            axis, make_points(selection.axis(axis)), selection.axis(axis), job.evidence, job.universe, gradings
        )
        for axis in AXES
    }
    tiers = _tiers(job, scorecards["fit"], has_universe=universe is not None) if has_tiers else ()
    known = {a.name for a in job.evidence.dictionary.attributes}
    tests = tuple(_attribute_test(job.evidence, v) for v in selection.verdicts if v.attribute.name in known)
    return _profile(job, scorecards, tiers, tests)


def _with_segments_in_use(job: _Job, selection: Selection, held: Collection[str]) -> _Job:
    """Only segments that are criteria, now or in the ICP in force, have a place in the frozen bins."""
    used = {v.attribute.name for v in selection.verdicts if v.grade == "confirmed"} | set(held)
    evidence = keeping_segments(job.evidence, used)
    return replace(job, evidence=evidence, universe=with_segment_codes(job.universe, evidence.dictionary))


def with_tiers(
    profile: Profile,
    frame: pd.DataFrame,
    *,
    universe: pd.DataFrame | None = None,
    tiers_config: Mapping[str, float] | None = None,
    seed: int = 0,
    hypotheses: Sequence[Hypothesis] = (),
) -> Profile:
    """The profile `derive(..., has_tiers=False)` made of the same frame, with its tiers cut and measured."""
    change_points, least = profile.change_points, {"wins": 1, "losses": 1}
    job = _job(
        frame,
        profile.bins,
        profile.icp,
        profile.quarter,
        change_points,
        universe,
        tiers_config,
        least,
        seed,
        hypotheses,
    )
    tiers = _tiers(job, profile.fit, has_universe=universe is not None)
    return _profile(job, {"fit": profile.fit, "intent": profile.intent}, tiers, profile.tests)


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
    job = _job(
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
    kept = _profile(job, scorecards, tiers, tuple(t for t in candidate.tests if t.attribute in known))
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


def _job(
    frame: pd.DataFrame,
    dictionary: BinDictionary,
    icp: str,
    quarter: str,
    change_points: Mapping[str, str] | None,
    universe: pd.DataFrame | None,
    tiers_config: Mapping[str, float] | None,
    minimum: Mapping[str, int] | None,
    seed: int,
    hypotheses: Sequence[Hypothesis] = (),
    contrast: Contrast = "won_or_lost",
) -> _Job:
    rows = read_label_rows(frame, dictionary)
    require_enough(rows, quarter, minimum or {})
    evidence = replace(gather_evidence(rows, dictionary, change_points or {}), contrast=contrast)
    codes = rows.codes if universe is None or universe.empty else encode(universe, dictionary)
    if hypotheses:
        evidence = replace(evidence, beliefs=weigh(evidence, hypotheses, codes).means)
    return _Job(icp, quarter, evidence, codes, dict(tiers_config or DEFAULT_TIERS), seed)


def _too_thin(frame: pd.DataFrame, dictionary: BinDictionary, minimum: Mapping[str, int] | None) -> LabelRows | None:
    """The outcomes, where they are fewer than a profile may be derived from."""
    rows = read_label_rows(frame, dictionary)
    return None if has_enough(rows, minimum or {}) else rows


def _confirmed(incumbent: Profile | None) -> frozenset[str]:
    cards = (incumbent.fit, incumbent.intent) if incumbent else ()
    return frozenset(c.attribute for card in cards for c in card.criteria if c.grade == "confirmed")


def _gradings(selection: Selection, quarter: str) -> dict[str, Grading]:
    return {
        v.attribute.name: Grading(
            v.grade, *((1.0, 1.0) if v.p_value is None else (v.p_value, v.q_value or 0.0)), quarter
        )
        for v in selection.verdicts
        if v.p_value is not None or v.grade == "believed"
    }


def _attribute_test(evidence: Evidence, verdict: Verdict) -> AttributeTest:
    attribute = verdict.attribute
    codes = evidence.current_codes(attribute.name)
    bins = evidence.dictionary.bins[attribute.name]
    last_known = len(bins) - 2 if bins[-1].key == MISSING else len(bins) - 1
    known = (codes >= 0) & (codes <= last_known)
    return AttributeTest(
        attribute=attribute.name,
        label=attribute.label,
        family=attribute.family,
        axis=attribute.axis,
        grade=verdict.grade,
        p_value=verdict.p_value,
        q_value=verdict.q_value,
        effect_sd=verdict.effect_sd,
        coverage=float(known.sum() / max(int((codes >= 0).sum()), 1)),
        opportunities=int(known.sum()),
        wins=int(evidence.rows.won[known].sum()),
        reason=verdict.reason,
    )


def _tiers(job: _Job, fit: Scorecard, *, has_universe: bool) -> tuple[Tier, ...]:
    if not fit.criteria:
        return ()
    scores = card_of(fit, job.evidence.dictionary).score(job.universe)
    places = cross_fitted_places(job.evidence, job.universe if has_universe else None, job.shares, job.seed)
    counts = _in_present_regime(job.evidence)
    return measure_tiers(job.evidence.where(counts), places[counts], cut_tiers(scores, job.shares), scores)


def _in_present_regime(evidence: Evidence) -> Mask:
    """The outcomes since the newest confirmed change, which alone say what the new points are worth; all, if too few."""
    rows = evidence.rows
    newest = max(evidence.change_points.values(), default="")
    since = np.asarray(np.array(rows.window)[rows.periods] >= newest)
    wins = float(rows.won[since].sum())
    return since if min(wins, float(since.sum()) - wins) >= LEAST_PER_CLASS else np.ones(len(rows), dtype=bool)


def _kept_scorecard(job: _Job, old: Scorecard, candidate: Profile, axis_fit: AxisFit) -> Scorecard:
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


def _kept_tiers(job: _Job, incumbent: Profile, candidate: Profile, fit: Scorecard) -> tuple[Tier, ...]:
    if not fit.criteria:
        return ()
    scores = card_of(fit, job.evidence.dictionary).score(job.universe)
    cuts: Cuts = tuple((t.name, t.min_score) for t in incumbent.tiers)
    if not is_within_capacity(scores, cuts, job.shares):
        cuts = cut_tiers(scores, job.shares)
    rates = {t.name: t for t in chain(incumbent.tiers, candidate.tiers)}
    return recount(cuts, scores, rates)


def _profile(
    job: _Job, scorecards: Mapping[Axis, Scorecard], tiers: tuple[Tier, ...], tests: tuple[AttributeTest, ...]
) -> Profile:
    rows, dictionary = job.evidence.rows, job.evidence.dictionary
    wins, counted = int(rows.won.sum()), effective_share(job.evidence.weights)
    base_rate = Estimate(*wilson_interval(wins * counted, len(rows) * counted))
    fit, intent = scorecards["fit"], scorecards["intent"]
    paragraph = write_paragraph(
        window=rows.window,
        opportunities=len(rows),
        wins=wins,
        base_rate=base_rate,
        criteria=fit.criteria,
        tiers=tiers,
        candidates=sum(t.axis == "fit" for t in tests),
    )
    return Profile(
        icp=job.icp,
        quarter=job.quarter,
        state=_state(fit),
        derived_in=job.quarter,
        window=rows.window,
        opportunities=len(rows),
        wins=wins,
        base_rate=base_rate,
        bins=dictionary,
        fit=fit,
        intent=intent,
        tiers=tiers,
        intent_levels=intent_levels(card_of(intent, dictionary).score(job.universe)) if intent.criteria else (),
        tests=tests,
        paragraph=paragraph,
        change_points=dict(job.evidence.change_points),
        notes=_notes(job, scorecards, tiers),
        disqualifiers=disqualifiers(fit.criteria),
        contrast=job.evidence.contrast,
    )


def _state(fit: Scorecard) -> ProfileState:
    """Beliefs that no outcome confirms make points, not an ICP that is known."""
    grades = {c.grade for c in fit.criteria}
    if not grades:
        return "no_icp"
    return "hypotheses" if "believed" in grades and "confirmed" not in grades else "derived"


def _notes(job: _Job, scorecards: Mapping[Axis, Scorecard], tiers: Sequence[Tier]) -> tuple[str, ...]:
    notes = [axis_note(axis, scorecards[axis].criteria) for axis in AXES]
    if job.evidence.correlation > 0.05:
        counted = effective_share(job.evidence.weights)
        notes.append(
            f"Outcomes of the same account resemble each other (correlation {job.evidence.correlation:.2f}): "
            f"{len(job.evidence.rows):,} outcomes count as {counted * len(job.evidence.rows):,.0f} independent ones."
        )
    if tiers and job.evidence.change_points:
        newest = max(job.evidence.change_points.values())
        alone = bool(_in_present_regime(job.evidence).sum() < len(job.evidence.rows))
        scope = f"are of outcomes since {newest} only" if alone else f"include outcomes from before {newest}"
        notes.append(f"Tier rates {scope}: that is when the effect of a criterion was last seen to change.")
    unsupported = [t.name for t in tiers if not t.is_supported]
    if unsupported:
        notes.append(f"Not told apart from the average win rate out of sample: tier {', '.join(unsupported)}.")
    return tuple(n for n in notes if n)
