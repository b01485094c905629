"""Tiers: accounts cut by capacity, each tier's win rate measured on accounts the profile has not seen.

In sample the best tier always looks better than it is (docs/method.md), so rates come from cross-fitting: the whole
derivation, selection included, is repeated without each fifth of the accounts (each tenth, where outcomes are few),
which are then scored by it. The folds' profiles resemble each other, the more of them the more, so their errors do not
cancel as independent ones would (Bengio and Grandvalet 2004): the variance of a rate is larger by what the coverage of
simulated tiers asks, with and without anything to find.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.bins import with_segment_codes
from icp.evidence import Evidence
from icp.label_rows import hashed_share
from icp.points import Points, make_points
from icp.profile import Estimate, Tier
from icp.segments import keeping_segments, with_segments
from icp.selection import select
from icp.stats import Floats, amount_mean_interval, lift_interval, wilson_interval

FEW_ROWS = 5000  # below, what a left-out fifth costs the profile would show in the rates of its tiers
INTENT_SHARES = {"1": 0.10, "2": 0.30}
MOST_SCORE = 100
LARGEST_TIE = 0.5
CAPACITY_SLACK = 1.25


@dataclass(frozen=True)
class _Folds:
    """How many, and the variance of a rate over them against that of independent rows."""

    count: int
    covary: float


FOLDS, MORE_FOLDS = _Folds(5, 1.25), _Folds(10, 1.4)

Cuts = tuple[tuple[str, int], ...]
Places = NDArray[np.int64]


def cut_tiers(scores: Points, shares: Mapping[str, float]) -> Cuts:
    """The least score of each tier so that no tier holds more accounts than capacity allows; the last takes the rest.

    Accounts with the same score are never split. When already the best score is shared by more accounts than the first
    tier may hold, they all go there (unless they are half of all accounts or more, which ranks nobody).
    """
    values, counts = np.unique(np.asarray(scores), return_counts=True)
    best_first, held = values[::-1], np.cumsum(counts[::-1])
    cuts: list[tuple[str, int]] = []
    limit, floor = 0.0, int(best_first[0]) + 1 if len(values) else MOST_SCORE + 1
    for name, share in shares.items():
        limit += share * len(scores)
        within = int(np.searchsorted(held, limit + 1e-9, side="right"))
        if within == 0 and not cuts and len(values) and held[0] < LARGEST_TIE * len(scores):
            within = 1
        floor = min(floor, int(best_first[within - 1])) if within else floor
        cuts.append((name, floor))
    return (*cuts, (rest_name(list(shares)), 0))


def rest_name(names: Sequence[str]) -> str:
    """The name of the tier below the named ones: D after A, B, C."""
    last = names[-1] if names else "@"
    return chr(ord(last) + 1) if len(last) == 1 and "@" <= last < "Z" else "rest"


def place(scores: Points, cuts: Cuts) -> Places:
    """Which tier each score falls in, by number."""
    places = np.full(len(scores), len(cuts) - 1, dtype=np.int64)
    for i in reversed(range(len(cuts) - 1)):
        places[np.asarray(scores) >= cuts[i][1]] = i
    return places


def cross_fitted_places(
    evidence: Evidence, universe: pd.DataFrame | None, shares: Mapping[str, float], seed: int
) -> Places:
    """The tier each labelled row would have been put in by a profile derived without its account.

    Tiers are cut anew in every fold, on the same universe; a fold that finds nothing to rank by draws lots.
    """
    rows = evidence.rows
    count = _folds(len(rows)).count
    folds = rows.folds(count, seed)
    places = np.zeros(len(rows), dtype=np.int64)
    for fold in range(count):
        held_out = folds == fold
        train = evidence.where(~held_out)
        if not held_out.any():
            continue
        places[held_out] = _held_out_places(train, evidence.where(held_out), universe, shares, seed)
    return places


def _folds(rows: int) -> _Folds:
    return MORE_FOLDS if rows < FEW_ROWS else FOLDS


def _held_out_places(
    train: Evidence, held_out: Evidence, universe: pd.DataFrame | None, shares: Mapping[str, float], seed: int
) -> Places:
    has_both = 0 < train.rows.won.sum() < len(train.rows)
    if has_both and any(a.conditions for a in train.dictionary.attributes):
        train = with_segments(
            keeping_segments(train, ()), train.rows.window[-1]
        )  # searched again without these accounts
    card = make_points(select(train, best_effort=True).fit) if has_both else None
    if card is None or card.slope == 0:
        lots = np.array([hashed_share(str(a), seed + 1) for a in held_out.rows.accounts])
        return np.searchsorted(np.cumsum(list(shares.values())), lots, side="right").astype(np.int64)
    accounts = train.rows.codes if universe is None else with_segment_codes(universe, train.dictionary)
    cuts = cut_tiers(card.score(accounts), shares)
    return place(card.score(with_segment_codes(held_out.rows.codes, train.dictionary)), cuts)


def measure_tiers(
    evidence: Evidence, places: Places, cuts: Cuts, universe_scores: Points, placed: int | None = None
) -> tuple[Tier, ...]:
    """What each tier is worth: win rate, lift against all outcomes and value per win, each with its interval.

    Args:
        evidence: labelled rows.
        places: the tier of each row, out of fold.
        cuts: names and least scores of the tiers.
        universe_scores: published scores of the accounts to count.
        placed: how many rows were placed out of fold, where they are not all counted.
    """
    counts = np.bincount(place(universe_scores, cuts), minlength=len(cuts))
    covary = _folds(placed or len(evidence.rows)).covary
    return tuple(
        _tier(name, floor, int(counts[i]), evidence, places == i, covary) for i, (name, floor) in enumerate(cuts)
    )


def unmeasured_tiers(scores: Points, shares: Mapping[str, float], base: Estimate) -> tuple[Tier, ...]:
    """Bands of scores by capacity, where no outcome says what they win: the rate may be anything.

    Args:
        scores: published scores of the accounts.
        shares: tier name -> share of the accounts, best first.
        base: the win rate of all outcomes, as far as it is known.
    """
    cuts = cut_tiers(scores, shares)
    counts = np.bincount(place(scores, cuts), minlength=len(cuts))
    unknown, lift = Estimate(base.value, 0.0, 1.0), Estimate(1.0, 0.0, 1 / base.value if base.value > 0 else 1e3)
    return tuple(
        Tier(name, floor, int(n), 0, 0, unknown, lift, is_supported=False)
        for (name, floor), n in zip(cuts, counts, strict=True)
    )


def _tier(name: str, floor: int, accounts: int, evidence: Evidence, own: NDArray[np.bool_], covary: float) -> Tier:
    rows = evidence.rows
    total, wins = int(own.sum()), int(rows.won[own].sum())
    base = float(rows.won.mean())
    counted = effective_share(evidence.weights[own]) / covary
    rate = wilson_interval(wins * counted, total * counted)
    lift = lift_interval(wins * counted, total * counted, float(rows.won.sum()) * counted, len(rows) * counted)
    value = amount_mean_interval(rows.value[own & (rows.won > 0)])
    return Tier(
        name=name,
        min_score=floor,
        accounts=accounts,
        opportunities=total,
        wins=wins,
        rate=Estimate(rate.value if total else base, rate.low, rate.high),
        lift=Estimate(*lift),
        is_supported=total > 0 and not rate.low <= base <= rate.high,
        value_per_win=Estimate(*value) if value else None,
    )


def effective_share(weights: Floats) -> float:
    """How many independent outcomes a row stands for, on average."""
    return float(weights.mean()) if len(weights) else 1.0


def intent_levels(scores: Points) -> tuple[int, ...]:
    """The least intent scores of levels 1 and 2 (the top 10 % and the next 30 % of accounts); level 3 is the rest."""
    return tuple(floor for _, floor in cut_tiers(scores, INTENT_SHARES)[:-1])


def is_within_capacity(scores: Points, cuts: Cuts, shares: Mapping[str, float]) -> bool:
    """Whether earlier cuts still fit: no tier (with those above it) holds over a quarter more than its capacity."""
    limit = 0.0
    if [name for name, _ in cuts[:-1]] != list(shares):
        return False
    for (_, floor), share in zip(cuts, shares.values(), strict=False):
        limit += share
        if float(np.mean(np.asarray(scores) >= floor)) > CAPACITY_SLACK * limit:
            return False
    return True


def recount(cuts: Cuts, scores: Points, measured: Mapping[str, Tier]) -> tuple[Tier, ...]:
    """Tiers at these cuts with today's accounts and the rates measured for tiers of the same name."""
    counts = np.bincount(place(scores, cuts), minlength=len(cuts))
    return tuple(
        replace(measured[name], min_score=floor, accounts=int(n)) for (name, floor), n in zip(cuts, counts, strict=True)
    )
