"""One quarter's statistics from label rows to the profile to publish: derive, compare, backtest, settle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from icp.backtest import Backtest, backtest
from icp.beliefs import Beliefs, trust_sentence, weigh
from icp.bins import encode
from icp.cold_start import belief_diff
from icp.contrasts import Contrasts, compare_contrasts
from icp.customers import (
    contrast_of,
    customer_frame,
    fit_side,
    not_comparable,
    on_new_customers,
    other_basis,
    rank_accounts,
    reason_for,
)
from icp.decomposition import with_decomposition
from icp.derive import derive, with_tiers
from icp.diff import compare
from icp.entering import extend_bins
from icp.errors import NotEnoughEvidence
from icp.evidence import gather_evidence
from icp.exposure import Exposure, measure_exposure
from icp.label_rows import DEFAULT_MINIMUM, read_label_rows
from icp.label_rules import is_true
from icp.profile import Attribute, BinDictionary, Profile, Value
from icp.question import Question
from icp.sensitivity import Sensitivity, label_sensitivity
from icp.settle import settle, settled_diff
from icp.tam import Market, size_market
from icp.value import value_of_wins
from icp.verdicts import ProfileDiff
from icp.window import columns_of, comparable_outcomes, extended

__all__ = ["QuarterResult", "Question", "answer", "starts_from_beliefs"]


@dataclass(frozen=True)
class QuarterResult:
    """What one quarter says: the profile to publish, the fresh candidate behind it, what changed, how the last ICP did.

    `beliefs`: what became of stated ones; `sensitivity`: would other labels say the same; `exposure` and `contrasts`:
    whose deals it rests on. None where nobody stated any, or the data cannot say.
    """

    profile: Profile
    candidate: Profile
    incumbent: Profile | None
    diff: ProfileDiff
    backtest: Backtest | None
    beliefs: Beliefs | None = None
    sensitivity: Sensitivity | None = None
    exposure: Exposure | None = None
    contrasts: Contrasts | None = None
    market: Market | None = None


def answer(
    question: Question,
    labels: pd.DataFrame,
    universe: pd.DataFrame,
    attributes: Sequence[Attribute],
    incumbent: Profile | None,
) -> QuarterResult:
    """Derive the quarter's profile and say how it relates to the one in force.

    Args:
        question: which ICP and quarter.
        labels: outcomes of the lookback window up to and including the quarter.
        universe: every account as of the run.
        attributes: the candidates; an incumbent criterion that is no longer one is dropped by a refit.
        incumbent: the profile in force, None for the first quarter.

    Raises:
        NotEnoughEvidence: too few wins or losses for a profile, and no stated beliefs to start from.
    """
    every, (labels, left_out) = labels, comparable_outcomes(labels, question.quarter)
    ranked = _from_customers(question, every, labels, universe, attributes, incumbent)
    if ranked is not None:
        return ranked
    ground = universe if starts_from_beliefs(question, labels, incumbent) and len(universe) else labels
    dictionary = extended(incumbent.bins if incumbent else None, ground, attributes, question.quarter)
    known = dict(incumbent.change_points) if incumbent else {}
    in_force = incumbent
    if incumbent is not None and incumbent.contrast != "won_or_lost":
        incumbent = None  # odds of being a customer are no odds of winning: of such an ICP only the bins go on
    candidate = _derive(question, labels, universe, dictionary, known, incumbent)
    if ground is universe:
        return _believed(question, labels, universe, candidate, in_force, left_out)
    diff = compare(incumbent, candidate, labels, question.quarter)
    if diff.is_change or dict(diff.change_points) != known:
        dictionary = extend_bins(dictionary, diff.entering, question.quarter)
        candidate = _derive(question, labels, universe, dictionary, diff.change_points, incumbent)
    candidate = with_tiers(
        candidate,
        labels,
        universe=universe,
        tiers_config=question.tiers,
        seed=question.seed,
        hypotheses=question.hypotheses,
    )
    judged = _backtest(question, labels, in_force)
    dropped = _dropped(incumbent, attributes)
    profile = settle(
        None if dropped else incumbent,
        candidate,
        diff,
        labels,
        backtest=judged,
        universe=universe,
        tiers_config=question.tiers,
        seed=question.seed,
        hypotheses=question.hypotheses,
    )
    notes = [f"Points refitted: no longer an attribute: {', '.join(dropped)}."] if dropped else []
    if in_force is not None and incumbent is None:
        diff = not_comparable(in_force, candidate, diff)
        notes.append(f"Points refitted: {other_basis(in_force, candidate.contrast)}.")
    notes += _left_out_notes(left_out)
    value = _value(question, labels, profile, incumbent)
    profile = replace(profile, notes=(*profile.notes, *notes), value=value, label=question.label)
    market = _market(question, labels, universe, profile)
    settled = with_decomposition(settled_diff(diff, incumbent, profile), incumbent, profile, labels)
    result = QuarterResult(profile, candidate, in_force, settled, judged, market=market)
    result = _with_reliance(result, question, labels, universe)
    return _with_beliefs(result, question, labels, universe)


def _from_customers(
    question: Question,
    labels: pd.DataFrame,
    comparable: pd.DataFrame,
    universe: pd.DataFrame,
    attributes: Sequence[Attribute],
    incumbent: Profile | None,
) -> QuarterResult | None:
    """The quarter where losses are not recorded: customers against all accounts. None where won is compared with lost,
    and where beliefs are stated and customers support no criterion: then the profile starts from beliefs."""
    losses = len(comparable) - int(is_true(comparable["is_won"]).sum())
    if contrast_of(question, int(is_true(labels["is_won"]).sum()), losses) == "won_or_lost":
        return None
    has_beliefs = starts_from_beliefs(question, comparable, incumbent)
    try:
        frame = customer_frame(question, labels, universe)
    except NotEnoughEvidence:
        if has_beliefs:
            return None
        raise
    candidates = fit_side(attributes)
    dictionary = extended(incumbent.bins if incumbent else None, frame, candidates, question.quarter)
    reason = reason_for(question, losses)
    dropped = _dropped(incumbent, candidates)
    ranking = rank_accounts(question, frame, labels, universe, dictionary, incumbent, reason, dropped)
    if ranking.profile.state == "no_icp" and has_beliefs:
        return None
    judged = on_new_customers(incumbent, labels, question.quarter) if incumbent else None
    profile = replace(ranking.profile, label=question.label)
    if question.hypotheses:
        said = "Stated beliefs are about winning a deal: without lost deals they are neither weighed nor graded."
        profile = replace(profile, notes=(*profile.notes, said))
    return QuarterResult(profile, ranking.candidate, incumbent, ranking.diff, judged)


def _with_reliance(
    result: QuarterResult, question: Question, labels: pd.DataFrame, universe: pd.DataFrame
) -> QuarterResult:
    """The result with what it relies on: the label, and whose deals there are."""
    profile, exposure = result.profile, measure_exposure(result.profile, universe)
    return replace(
        result,
        sensitivity=label_sensitivity(profile, labels, question.label_rules),
        exposure=exposure,
        contrasts=compare_contrasts(profile, labels, universe, question.seed) if exposure else None,
    )


def _value(question: Question, labels: pd.DataFrame, profile: Profile, incumbent: Profile | None) -> Value | None:
    if not question.has_value:
        return None
    return value_of_wins(profile, read_label_rows(labels, profile.bins), incumbent.value if incumbent else None)


def _market(question: Question, labels: pd.DataFrame, universe: pd.DataFrame, profile: Profile) -> Market | None:
    rows, capacity = read_label_rows(labels, profile.bins), next(iter(question.tiers.values()))
    return size_market(profile, rows, universe, capacity=capacity, seed=question.seed)


def _left_out_notes(quarters: Sequence[str]) -> list[str]:
    return [f"Left out: {', '.join(quarters)}, where only won or only lost deals were recorded."] if quarters else []


def starts_from_beliefs(question: Question, labels: pd.DataFrame, incumbent: Profile | None) -> bool:
    """Whether there are too few outcomes for a profile, but beliefs, and no ICP that outcomes once supported."""
    has_known = incumbent is not None and incumbent.state not in ("hypotheses", "no_icp")
    if not question.hypotheses or has_known:
        return False
    won = labels["is_won"].dropna().astype(bool)
    least = {**DEFAULT_MINIMUM, **question.minimum}
    return int(won.sum()) < max(least["wins"], 1) or int((~won).sum()) < max(least["losses"], 1)


def _believed(
    question: Question,
    labels: pd.DataFrame,
    universe: pd.DataFrame,
    candidate: Profile,
    incumbent: Profile | None,
    left_out: Sequence[str],
) -> QuarterResult:
    """A quarter with too few outcomes to learn from: the profile is what people believe, and nothing can be tested."""
    profile = replace(candidate, notes=(*candidate.notes, *_left_out_notes(left_out)), label=question.label)
    judged = backtest(incumbent, labels, question.quarter) if incumbent else None
    result = QuarterResult(profile, candidate, incumbent, belief_diff(incumbent, candidate), judged)
    return _with_beliefs(result, question, labels, universe)


def _with_beliefs(
    result: QuarterResult, question: Question, labels: pd.DataFrame, universe: pd.DataFrame
) -> QuarterResult:
    """Grade what was stated on the outcomes alone, and say in the verdict how far it is still trusted."""
    if not question.hypotheses:
        return result
    profile = result.profile
    rows = read_label_rows(labels, profile.bins)
    accounts = encode(universe, profile.bins) if len(universe) else rows.codes
    evidence = gather_evidence(rows, profile.bins, profile.change_points)
    beliefs = weigh(evidence, question.hypotheses, accounts, icp=question.icp, quarter=question.quarter).beliefs
    said = trust_sentence(beliefs)
    diff = replace(result.diff, sentence=f"{result.diff.sentence} {said}")
    return replace(result, profile=replace(profile, notes=(*profile.notes, said)), diff=diff, beliefs=beliefs)


def _derive(
    question: Question,
    labels: pd.DataFrame,
    universe: pd.DataFrame,
    dictionary: BinDictionary,
    change_points: Mapping[str, str],
    incumbent: Profile | None,
) -> Profile:
    return derive(
        labels,
        dictionary,
        icp=question.icp,
        quarter=question.quarter,
        change_points=change_points,
        universe=universe,
        tiers_config=question.tiers,
        minimum=question.minimum,
        incumbent=incumbent,
        seed=question.seed,
        has_tiers=False,
        hypotheses=question.hypotheses,
    )


def _backtest(question: Question, labels: pd.DataFrame, incumbent: Profile | None) -> Backtest | None:
    """The ICP in force on outcomes it never saw, against a profile refitted just before the quarter began."""
    if incumbent is None:
        return None
    return backtest(incumbent, labels, question.quarter, challenger=_challenger(question, labels, incumbent))


def _challenger(question: Question, labels: pd.DataFrame, incumbent: Profile) -> Profile | None:
    before = labels[labels["outcome_quarter"] < question.quarter]
    newest = str(before["outcome_quarter"].max()) if len(before) else ""
    if not newest or (incumbent.state in ("derived", "hypotheses") and incumbent.quarter == newest):
        return None  # the incumbent is that refit
    try:
        return derive(
            before,
            incumbent.bins,
            icp=question.icp,
            quarter=newest,
            change_points=incumbent.change_points,
            minimum=question.minimum,
            seed=question.seed,
            has_tiers=False,
            hypotheses=question.hypotheses,
        )
    except NotEnoughEvidence:
        return None


def _dropped(incumbent: Profile | None, attributes: Sequence[Attribute]) -> list[str]:
    if incumbent is None:
        return []
    columns = {attribute.column for attribute in attributes}
    criteria = (*incumbent.fit.criteria, *incumbent.intent.criteria)
    return [
        c.label for c in criteria if not columns_of(incumbent.bins.attribute(c.attribute), incumbent.bins) <= columns
    ]
