"""Do the intervals we print hold the truth 95 times in 100?

What is checked, on the criteria and tiers of a derived profile: odds multipliers of bins (in worlds whose effects are
constant within bins, so that each has an exact truth), lifts of bins, out-of-fold win rates and lifts of tiers, value per
win. The truth is that of 40,000 accounts of the market, not of the rows at hand. `tier_a_over_truth` is the published
rate of the best tier over its true one: above 1 would be the winner's curse.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.worlds import World, make_world
from icp.bins import encode, make_bins
from icp.derive import derive
from icp.points import card_of
from icp.profile import MISSING, BinDictionary, Criterion, Estimate, Profile
from icp.tiers import place

CASES = {
    "additive-1000": {"kind": "additive", "rows": 1000, "aligned": True},
    "additive-4000": {"kind": "additive", "rows": 4000, "aligned": True},
    "mixed-1000": {"kind": "mixed", "rows": 1000, "aligned": False},
    "mixed-4000": {"kind": "mixed", "rows": 4000, "aligned": False},
}
RUNS = 40
MARKET = 40_000
LEAST_ROWS = 10  # bins with fewer deals carry no statement worth checking
TIERS = {"A": 0.05, "B": 0.15, "C": 0.30}
MEASURES = (
    "odds", "lifts", "lifts_low", "lifts_high", "tier_rates", "tier_lifts", "tier_values", "tier_a_over_truth",
)  # fmt: skip

Floats = NDArray[np.float64]


def trial(seed: int, case: Case) -> Mapping[str, float]:
    world = make_world(
        case["kind"],
        case["rows"],
        seed,
        universe=case.get("market", MARKET),
        aligned=case["aligned"],
        attributes=case.get("attributes", 28),
    )
    made = make_bins(world.frame, world.attributes, "2026Q4")
    profile = derive(world.frame, made, icp="coverage", quarter="2026Q4", universe=world.universe, tiers_config=TIERS)
    dictionary = profile.bins  # with the segments found
    codes = encode(world.universe, dictionary)
    return {
        "odds": _share(_odds(profile, world, dictionary)) if case["aligned"] else np.nan,
        **_lifts(profile, world, codes),
        **_tiers(profile, world, codes, dictionary),
    }


def _share(covered: list[bool]) -> float:
    return float(np.mean(covered)) if covered else np.nan


def _covers(estimate: Estimate, truth: float) -> bool:
    return bool(estimate.low <= truth <= estimate.high)


def _single(profile: Profile) -> list[Criterion]:
    """Confirmed criteria of one attribute; a segment has no true effect of its own to hold it against."""
    confirmed = [c for c in profile.fit.criteria if c.grade == "confirmed"]
    return [c for c in confirmed if not profile.bins.attribute(c.attribute).conditions]


def _odds(profile: Profile, world: World, dictionary: BinDictionary) -> list[bool]:
    """Every bin of every confirmed attribute; of one that was not planted the truth is 1."""
    codes, covered = encode(world.frame, dictionary), []
    for criterion in _single(profile):
        effect = world.effects.get(criterion.attribute, np.zeros(len(world.frame)))
        own = codes[criterion.attribute].to_numpy()
        for b, state in enumerate(criterion.bins):
            if state.opportunities >= LEAST_ROWS:
                covered.append(_covers(state.odds, float(np.exp(effect[own == b].mean() - effect.mean()))))
    return covered


def _lifts(profile: Profile, world: World, codes: pd.DataFrame) -> dict[str, float]:
    probability, below, above, covered = world.market_win_probability, [], [], []
    for criterion in _single(profile):
        own = codes[criterion.attribute].to_numpy()
        for b, state in enumerate(criterion.bins):
            if state.opportunities >= LEAST_ROWS and state.key != MISSING and (own == b).any():
                truth = float(probability[own == b].mean() / probability.mean())
                covered.append(_covers(state.lift, truth))
                below.append(truth < state.lift.low)
                above.append(truth > state.lift.high)
    return {"lifts": _share(covered), "lifts_low": _share(below), "lifts_high": _share(above)}


def _tiers(profile: Profile, world: World, codes: pd.DataFrame, dictionary: BinDictionary) -> dict[str, float]:
    if not profile.tiers:
        return {"tier_rates": np.nan, "tier_lifts": np.nan, "tier_values": np.nan, "tier_a_over_truth": np.nan}
    cuts = tuple((t.name, t.min_score) for t in profile.tiers)
    places = place(card_of(profile.fit, dictionary).score(codes), cuts)
    probability, value = world.market_win_probability, world.universe_value_if_won
    rates, lifts, values, ratio = [], [], [], np.nan
    for i, tier in enumerate(profile.tiers):
        own = places == i
        if tier.opportunities < LEAST_ROWS or not own.any():
            continue
        truth = float(probability[own].mean())
        rates.append(_covers(tier.rate, truth))
        lifts.append(_covers(tier.lift, truth / float(probability.mean())))
        if tier.value_per_win is not None and tier.wins >= LEAST_ROWS:
            values.append(_covers(tier.value_per_win, float(np.average(value[own], weights=probability[own]))))
        ratio = tier.rate.value / truth if i == 0 else ratio
    return {
        "tier_rates": _share(rates),
        "tier_lifts": _share(lifts),
        "tier_values": _share(values),
        "tier_a_over_truth": ratio,
    }


def main() -> None:
    options = arguments(__doc__ or "", RUNS, list(CASES))
    frame = run_trials(trial, [CASES[c] for c in options.cases], options.runs, options.workers)
    write_table("coverage", summarise(frame, ["kind", "rows"], MEASURES), options.results)


if __name__ == "__main__":
    main()
