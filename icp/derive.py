"""From known outcomes to an ICP: the label frame in, a Profile with an interval on every number out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from icp.bins import encode, with_segment_codes
from icp.cold_start import believed_profile
from icp.criteria import Grading, gradings_since, make_scorecard
from icp.derivation import DEFAULT_TIERS, Derivation, as_profile, in_present_regime, make_derivation
from icp.evidence import Evidence
from icp.hypotheses import Hypothesis
from icp.label_rows import LabelRows, has_enough, read_label_rows
from icp.points import card_of, make_points
from icp.points_table import POINT_COLUMNS, points_table
from icp.profile import MISSING, AttributeTest, BinDictionary, Contrast, Profile, Scorecard, Tier
from icp.segments import keeping_segments, with_segments
from icp.selection import AXES, Selection, Verdict, select
from icp.tiers import cross_fitted_places, cut_tiers, measure_tiers

__all__ = ["DEFAULT_TIERS", "POINT_COLUMNS", "derive", "points_table"]


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
    job = make_derivation(
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
    return as_profile(job, scorecards, tiers, tests)


def _with_segments_in_use(job: Derivation, selection: Selection, held: Collection[str]) -> Derivation:
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
    job = make_derivation(
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
    return as_profile(job, {"fit": profile.fit, "intent": profile.intent}, tiers, profile.tests)


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


def _tiers(job: Derivation, fit: Scorecard, *, has_universe: bool) -> tuple[Tier, ...]:
    if not fit.criteria:
        return ()
    scores = card_of(fit, job.evidence.dictionary).score(job.universe)
    places = cross_fitted_places(job.evidence, job.universe if has_universe else None, job.shares, job.seed)
    counts = in_present_regime(job.evidence)
    cuts, all_rows = cut_tiers(scores, job.shares), len(job.evidence.rows)
    return measure_tiers(job.evidence.where(counts), places[counts], cuts, scores, all_rows)
