"""How the profile in force did on outcomes it had never seen: the quarter that has just closed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtr
from scipy.stats import rankdata

from icp.bins import kernel
from icp.fit import fit_additive
from icp.label_rows import LabelRows, Mask, read_label_rows
from icp.points import card_of
from icp.profile import Attribute, Estimate, Profile, Tier
from icp.stats import (
    Floats,
    auc_with_interval,
    bootstrap_share_interval,
    lift_interval,
    normal_quantile,
    wilson_interval,
)
from icp.tiers import place

MIN_WINS, MIN_LOSSES = 10, 10
CREDIBLE = 0.05
CALIBRATION_GROUPS = 5
SIZE_ATTRIBUTE = "employees"

RivalName = Literal["candidate", "size only", "random"]


@dataclass(frozen=True)
class TierResult:
    """What a tier's accounts did in the quarter; shares are of all wins and of all won value."""

    name: str
    min_score: int
    opportunities: int
    wins: int
    rate: Estimate
    lift: Estimate
    share_of_wins: Estimate
    share_of_value: Estimate | None


@dataclass(frozen=True)
class Calibration:
    """Whether expected win rates came true. `intercept` 0: as many wins as expected (below: fewer, in log odds);
    `slope` 1: high scores win as much more often as promised (below: the profile is too sure of itself). `error` is how
    far promised and actual win rates are apart on average over five groups by score (ECE), `error_by_chance` how far
    they would be if every promise were true."""

    intercept: Estimate
    slope: Estimate | None
    expected_wins: float
    error: float
    error_by_chance: float


@dataclass(frozen=True)
class Rival:
    """Another way of ranking the same outcomes. `advantage` is the AUC of the profile in force less the rival's."""

    name: RivalName
    auc: Estimate
    advantage: Estimate
    p_value: float


@dataclass(frozen=True)
class Backtest:
    """The profile of `profile_quarter` on the outcomes of `quarter`. `sentence` is the result in words.

    AUC, calibration and rivals are absent when there were too few outcomes. The two `candidate_is_…` flags are both
    False when no candidate was given or when the difference could be chance.
    """

    icp: str
    profile_quarter: str
    quarter: str
    opportunities: int
    wins: int
    sentence: str
    auc: Estimate | None = None
    calibration: Calibration | None = None
    tiers: tuple[TierResult, ...] = ()
    rivals: tuple[Rival, ...] = ()
    candidate_is_credibly_worse: bool = False
    candidate_is_credibly_better: bool = False


def backtest(
    profile: Profile,
    frame: pd.DataFrame,
    quarter: str,
    *,
    challenger: Profile | None = None,
) -> Backtest:
    """Score one quarter's outcomes with the profile that was in force when it began.

    Args:
        profile: the profile in force at the start of the quarter, which has seen none of its outcomes.
        frame: label rows of these quarters; earlier ones, if there are any, teach the size-only rival.
        quarter: the quarter to judge on.
        challenger: a candidate derived only from outcomes before that quarter.
    """
    outcomes = frame[frame["outcome_quarter"].astype(str) == quarter].reset_index(drop=True)
    rows = read_label_rows(outcomes, profile.bins)
    wins, losses = int(rows.won.sum()), int(len(rows) - rows.won.sum())
    result = Backtest(profile.icp, profile.quarter, quarter, len(rows), wins, "")
    if not profile.fit.criteria:
        return replace(result, sentence=f"Nothing to backtest: the profile of {profile.quarter} has no criteria.")
    scores = card_of(profile.fit, profile.bins).score(rows.codes)
    result = replace(result, tiers=_tiers(profile, rows, scores))
    if wins < MIN_WINS or losses < MIN_LOSSES:
        sentence = (
            f"Not enough outcomes to judge the profile of {profile.quarter}: {quarter} brought {wins} won and {losses} "
            f"lost, at least {MIN_WINS} of each are needed."
        )
        return replace(result, sentence=sentence)
    earlier = frame[frame["outcome_quarter"].astype(str) < quarter].reset_index(drop=True)
    return _against_rivals(
        result, profile, rows, scores.astype(float), _rivals(outcomes, earlier, rows, profile, challenger)
    )


def auc_difference(won: Floats, one: Floats, other: Floats) -> tuple[Estimate, float]:
    """AUC of the first ranking less that of the second on the same outcomes, with interval and p-value.

    Paired comparison of DeLong, DeLong & Clarke-Pearson (1988): the two AUCs share their outcomes, so their difference
    is known better than either.
    """
    y = won > 0
    placements = [_placements(y, score) for score in (one, other)]
    above, below = (placements[0][i] - placements[1][i] for i in (0, 1))
    difference = float(above.mean())
    error = math.sqrt(float(above.var(ddof=1)) / len(above) + float(below.var(ddof=1)) / len(below))
    half = normal_quantile() * error
    p_value = 2 * float(ndtr(-abs(difference) / error)) if error > 0 else 1.0
    return Estimate(difference, difference - half, difference + half), p_value


def _placements(y: Mask, score: Floats) -> tuple[Floats, Floats]:
    """Per win the share of losses it beats, per loss the share of wins that beat it."""
    ranks = rankdata(score)
    above = (ranks[y] - rankdata(score[y])) / int((~y).sum())
    below = 1 - (ranks[~y] - rankdata(score[~y])) / int(y.sum())
    return np.asarray(above), np.asarray(below)


def _against_rivals(
    result: Backtest, profile: Profile, rows: LabelRows, scores: Floats, rankings: Sequence[tuple[RivalName, Floats]]
) -> Backtest:
    rivals = tuple(_rival(name, rows.won, scores, ranking) for name, ranking in rankings)
    candidate = next((r for r in rivals if r.name == "candidate"), None)
    is_credible = candidate is not None and candidate.p_value < CREDIBLE
    judged = replace(
        result,
        auc=Estimate(*auc_with_interval(rows.won, scores)),
        calibration=_calibration_of(profile, rows, scores),
        rivals=rivals,
        candidate_is_credibly_worse=candidate is not None and is_credible and candidate.advantage.value > 0,
        candidate_is_credibly_better=candidate is not None and is_credible and candidate.advantage.value < 0,
    )
    return replace(judged, sentence=_sentence(judged))


def _rivals(
    outcomes: pd.DataFrame, earlier: pd.DataFrame, rows: LabelRows, profile: Profile, challenger: Profile | None
) -> list[tuple[RivalName, Floats]]:
    """Scores of the same rows, in the same order, by everything the profile is held against."""
    rankings: list[tuple[RivalName, Floats]] = []
    if challenger is not None:
        codes = read_label_rows(outcomes, challenger.bins).codes
        rankings.append(("candidate", card_of(challenger.fit, challenger.bins).score(codes).astype(float)))
    by_size = _ranked_by_size(profile, earlier, rows)
    if by_size is not None:
        rankings.append(("size only", by_size))
    return [*rankings, ("random", np.zeros(len(rows)))]


def _ranked_by_size(profile: Profile, earlier: pd.DataFrame, rows: LabelRows) -> Floats | None:
    """What the win rates of size bands before the quarter say about its outcomes; None without either."""
    attribute = _size_attribute(profile)
    if attribute is None or earlier.empty:
        return None
    before, bins = read_label_rows(earlier, profile.bins), profile.bins.bins[attribute.name]
    codes = before.codes[attribute.name].to_numpy()
    fit = fit_additive(codes[:, None], [kernel(attribute, bins, codes)], before.won)
    return np.asarray(fit.effects[0][rows.codes[attribute.name].to_numpy()])


def _size_attribute(profile: Profile) -> Attribute | None:
    """What a team without an ICP would sort by: employees, or the first number about the company."""
    numbers = [a for a in profile.bins.attributes if a.kind == "numeric" and a.family == "firmographic"]
    return next((a for a in numbers if a.name == SIZE_ATTRIBUTE), numbers[0] if numbers else None)


def _rival(name: RivalName, won: Floats, scores: Floats, ranking: Floats) -> Rival:
    advantage, p_value = auc_difference(won, scores, ranking)
    auc = Estimate(0.5, 0.5, 0.5) if name == "random" else Estimate(*auc_with_interval(won, ranking))
    return Rival(name, auc, advantage, p_value)


def _tiers(profile: Profile, rows: LabelRows, scores: NDArray[np.int64]) -> tuple[TierResult, ...]:
    places = place(scores, tuple((t.name, t.min_score) for t in profile.tiers)) if profile.tiers else scores * 0
    return tuple(_tier(tier, rows, places == i) for i, tier in enumerate(profile.tiers))


def _tier(tier: Tier, rows: LabelRows, own: Mask) -> TierResult:
    total, wins, all_wins = int(own.sum()), int(rows.won[own].sum()), int(rows.won.sum())
    return TierResult(
        name=tier.name,
        min_score=tier.min_score,
        opportunities=total,
        wins=wins,
        rate=Estimate(*wilson_interval(wins, total)),
        lift=Estimate(*lift_interval(wins, total, all_wins, len(rows))),
        share_of_wins=Estimate(*wilson_interval(wins, all_wins)),
        share_of_value=_share_of_value(rows, own),
    )


def _share_of_value(rows: LabelRows, own: Mask) -> Estimate | None:
    """The tier's part of all value won, with a percentile bootstrap over the wins; None where no value is known."""
    valued = (rows.won > 0) & (rows.value > 0)
    if not valued.any():
        return None
    share = bootstrap_share_interval(rows.value[valued], own[valued], seed=0)
    return Estimate(*share)


def _calibration_of(profile: Profile, rows: LabelRows, scores: Floats) -> Calibration | None:
    """None for a profile that only ranks: it promised no win rate."""
    if not profile.gives_probability:
        return None
    return calibration(rows.won, profile.fit.intercept + profile.fit.slope * scores)


def calibration(won: Floats, log_odds: Floats) -> Calibration:
    """Whether expected win rates came true (Cox 1958): log odds = intercept + expected, and = a + slope x expected.

    The slope is None where every account was given the same chance.
    """
    level = fit_additive(np.empty((len(won), 0), dtype=int), [], won, offset=log_odds)
    intercept = _interval(level.intercepts[0], level.intercept_covariance[0, 0])
    expected = float(expit(log_odds).sum())
    error = _calibration_error(won, expit(log_odds))
    if float(np.ptp(log_odds)) == 0:
        return Calibration(intercept, None, expected, *error)
    spread = log_odds - log_odds.mean()
    line = fit_additive(np.empty((len(won), 0), dtype=int), [], won, fixed=spread[:, None])
    return Calibration(intercept, _interval(line.intercepts[1], line.intercept_covariance[1, 1]), expected, *error)


def _calibration_error(won: Floats, promised: Floats) -> tuple[float, float]:
    """Expected calibration error over groups of equal size (equal promises stay together), and what chance makes of it.

    Chance: the mean absolute value of a normal deviation with the binomial variance of each group, sqrt(2 v / pi).
    """
    groups = np.ceil(rankdata(promised, "max") * CALIBRATION_GROUPS / len(promised)).astype(int) - 1
    gap = np.bincount(groups, won - promised, CALIBRATION_GROUPS)
    variance = np.bincount(groups, promised * (1 - promised), CALIBRATION_GROUPS)
    return float(np.abs(gap).sum() / len(won)), float(np.sqrt(2 * variance / math.pi).sum() / len(won))


def _interval(value: float, variance: float) -> Estimate:
    half = normal_quantile() * math.sqrt(variance)
    return Estimate(float(value), float(value - half), float(value + half))


def _sentence(result: Backtest) -> str:
    if result.auc is None:
        return result.sentence
    first = (
        f"On the {result.opportunities:,} outcomes of {result.quarter} ({result.wins:,} won) the profile of "
        f"{result.profile_quarter} ranked a won deal above a lost one {result.auc.value:.0%} of the time "
        f"({result.auc.low:.0%} to {result.auc.high:.0%}; chance is 50%)"
    )
    promise = result.calibration
    expected = f"; it expected {promise.expected_wins:.0f} wins" if promise else "; it promised no win rate"
    return ". ".join([f"{first}{expected}", *_rival_sentences(result)]) + "."


def _rival_sentences(result: Backtest) -> Iterator[str]:
    for rival in result.rivals:
        if rival.name == "random":
            continue
        credible = rival.p_value < CREDIBLE
        verdict = ("credibly better" if rival.advantage.value < 0 else "credibly worse") if credible else "no different"
        name = "The refitted candidate" if rival.name == "candidate" else "Sorting by size alone"
        by = "" if credible else " beyond chance"
        yield f"{name} would have been {verdict}{by} ({rival.auc.value:.0%})"
