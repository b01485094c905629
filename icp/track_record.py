"""How the ICP has done over all the quarters it was in force: one quarter is thin, its record is not.

Each quarter is judged by the profile that was in force when it began, on outcomes that came after (`icp.backtest`).
Nothing is re-judged here: published backtests are read as they stand and put together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.special import expit, logit

from icp.backtest import Backtest
from icp.profile import Estimate
from icp.stats import normal_quantile, pooled_estimate

EDGE = 1e-6  # an AUC of exactly 0 or 1 still has a place on the logit scale


@dataclass(frozen=True)
class TrackedQuarter:
    """One past quarter as its backtest reported it; `expected_wins` and the best tier are absent where they were."""

    quarter: str
    profile_quarter: str
    opportunities: int
    wins: int
    auc: Estimate
    expected_wins: float | None = None
    best_tier_opportunities: int = 0
    best_tier_wins: int = 0
    size_advantage: Estimate | None = None
    candidate_advantage: Estimate | None = None


@dataclass(frozen=True)
class TrackRecord:
    """All judged quarters and what they say together.

    `auc`, `size_advantage` and `candidate_advantage` (AUC of the ICP in force less that of sorting by size, or of a
    refit at the start of each quarter) are averages over quarters with intervals that count how quarters differ.
    `best_tier_lift` is the best tier's wins over what the quarters' own win rates would have given as many deals;
    `kept_promise` is wins over expected wins. None where no quarter can say.
    """

    quarters: tuple[TrackedQuarter, ...]
    auc: Estimate | None = None
    size_advantage: Estimate | None = None
    candidate_advantage: Estimate | None = None
    best_tier_lift: Estimate | None = None
    kept_promise: Estimate | None = None


def tracked(result: Backtest) -> TrackedQuarter | None:
    """One backtest as a line of the record; None when it had too few outcomes to judge."""
    if result.auc is None:
        return None
    best = result.tiers[0] if result.tiers else None
    advantages = {rival.name: rival.advantage for rival in result.rivals}
    return TrackedQuarter(
        quarter=result.quarter,
        profile_quarter=result.profile_quarter,
        opportunities=result.opportunities,
        wins=result.wins,
        auc=result.auc,
        expected_wins=result.calibration.expected_wins if result.calibration else None,
        best_tier_opportunities=best.opportunities if best else 0,
        best_tier_wins=best.wins if best else 0,
        size_advantage=advantages.get("size only"),
        candidate_advantage=advantages.get("candidate"),
    )


def track_record(quarters: Iterable[TrackedQuarter]) -> TrackRecord:
    """Put the judged quarters together, oldest first; a quarter given twice counts once, the later one given.

    AUCs are averaged on the logit scale and advantages as they are, both as random effects over quarters (DerSimonian
    & Laird 1986), so that quarters that disagree widen the interval.
    """
    by_quarter = {q.quarter: q for q in quarters}
    ordered = tuple(by_quarter[label] for label in sorted(by_quarter))
    return TrackRecord(
        quarters=ordered,
        auc=_pooled_auc([q.auc for q in ordered]),
        size_advantage=_pooled([q.size_advantage for q in ordered]),
        candidate_advantage=_pooled([q.candidate_advantage for q in ordered]),
        best_tier_lift=_best_tier_lift(ordered),
        kept_promise=_kept_promise(ordered),
    )


def _pooled(estimates: Sequence[Estimate | None]) -> Estimate | None:
    given = [e for e in estimates if e is not None and e.high > e.low]
    if not given:
        return None
    errors = [(e.high - e.low) / (2 * normal_quantile()) for e in given]
    return Estimate(*pooled_estimate([e.value for e in given], errors))


def _pooled_auc(aucs: Sequence[Estimate]) -> Estimate | None:
    on_logit = [Estimate(*(float(logit(min(max(x, EDGE), 1 - EDGE))) for x in (a.value, a.low, a.high))) for a in aucs]
    pooled = _pooled(on_logit)
    return pooled and Estimate(*(float(expit(x)) for x in (pooled.value, pooled.low, pooled.high)))


def _best_tier_lift(quarters: Sequence[TrackedQuarter]) -> Estimate | None:
    """Indirect standardisation: wins of the best tier over those its deals would have had at each quarter's own rate.

    Log scale, the variance that of a sum of binomial counts given their expectation; half a win is lent when there
    was none.
    """
    seen = [q for q in quarters if q.best_tier_opportunities > 0 and q.wins > 0]
    expected = sum(q.best_tier_opportunities * q.wins / q.opportunities for q in seen)
    if expected <= 0:
        return None
    wins = sum(q.best_tier_wins for q in seen)
    rates = [(q, max(q.best_tier_wins, 0.5) / q.best_tier_opportunities) for q in seen]
    variance = sum(q.best_tier_opportunities * rate * max(1 - rate, 0.0) for q, rate in rates)
    base = 1 / sum(q.wins for q in seen)
    counted = max(wins, 0.5)
    half = normal_quantile() * math.sqrt(max(variance, 0.25) / counted**2 + base)
    ratio = counted / expected
    return Estimate(wins / expected, ratio * math.exp(-half), ratio * math.exp(half))


def _kept_promise(quarters: Sequence[TrackedQuarter]) -> Estimate | None:
    """Wins over expected wins, all quarters together, interval from the binomial spread of the wins."""
    judged = [q for q in quarters if q.expected_wins]
    expected = sum(q.expected_wins or 0.0 for q in judged)
    wins, deals = sum(q.wins for q in judged), sum(q.opportunities for q in judged)
    if expected <= 0 or wins == 0:
        return None
    half = normal_quantile() * math.sqrt(max(1 / wins - 1 / deals, 0.0))
    ratio = wins / expected
    return Estimate(ratio, ratio * math.exp(-half), ratio * math.exp(half))
