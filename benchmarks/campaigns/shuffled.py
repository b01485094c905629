"""With the outcomes dealt out at random there is nothing to find: does the method say so?

Per number of outcomes: share of runs in which nothing is confirmed, and whether the lift interval of the best tier covers
1, in the backtest (the newest quarter's outcomes, by a profile of the quarters before) and out of fold. A profile is forced
by letting provisional attributes rank, else there would be nothing to test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.forced import forced_profile
from benchmarks.worlds import World, make_world, relabelled
from icp.backtest import backtest
from icp.bins import encode, make_bins
from icp.derive import derive
from icp.evidence import gather_evidence
from icp.label_rows import read_label_rows
from icp.points import make_points
from icp.profile import BinDictionary
from icp.selection import select
from icp.tiers import cross_fitted_places, cut_tiers, measure_tiers, unmeasured_tiers

CASES = {
    "300": {"world": "shuffled", "rows": 300, "deals": 1},
    "1000": {"world": "shuffled", "rows": 1000, "deals": 1},
    "4000": {"world": "shuffled", "rows": 4000, "deals": 1},
    "1000-repeated": {"world": "shuffled", "rows": 1000, "deals": 3},
}
RUNS = 120
SHARES = {"A": 0.05, "B": 0.15, "C": 0.30}
MEASURES = ("nothing_confirmed", "no_profile", "backtest_covers_1", "lift_covers_1")


def trial(seed: int, case: Case) -> Mapping[str, float]:
    world = make_world(
        "mixed",
        case["rows"],
        seed,
        universe=1000,
        deals_per_account=case["deals"],
        attributes=case.get("attributes", 28),
    )
    world = relabelled(world, seed)
    dictionary = make_bins(world.frame, world.attributes, "2026Q4")
    profile = derive(world.frame, dictionary, icp="shuffled", quarter="2026Q4", has_tiers=False)
    evidence = gather_evidence(read_label_rows(world.frame, dictionary), dictionary, {})
    universe = encode(world.universe, dictionary)
    places = cross_fitted_places(evidence, universe, SHARES, seed)
    flat = np.zeros(len(universe), dtype=np.int64)
    best = measure_tiers(evidence, places, cut_tiers(flat, SHARES), flat)[0]
    return {
        "nothing_confirmed": float(not any(t.grade == "confirmed" for t in profile.tests)),
        "no_profile": float(profile.state == "no_icp"),
        "backtest_covers_1": _backtested(world, dictionary),
        "lift_covers_1": float(best.lift.low <= 1 <= best.lift.high) if best.opportunities else np.nan,
    }


def _backtested(world: World, dictionary: BinDictionary) -> float:
    """Whether the backtest's lift of the best tier covers 1; NaN where nothing ranks or the tier has no outcome."""
    newest = str(world.frame["outcome_quarter"].max())
    before = world.frame[world.frame["outcome_quarter"] < newest]
    evidence = gather_evidence(read_label_rows(before, dictionary), dictionary, {})
    found = select(evidence, best_effort=True).fit
    forced = forced_profile(before, dictionary, evidence, found, world.universe)
    scores = make_points(found).score(encode(world.universe, dictionary))
    forced = replace(forced, tiers=unmeasured_tiers(scores, SHARES, forced.base_rate))
    tiers = backtest(forced, world.frame, newest).tiers
    return float(tiers[0].lift.low <= 1 <= tiers[0].lift.high) if tiers and tiers[0].opportunities else np.nan


def main() -> None:
    options = arguments(__doc__ or "", RUNS, list(CASES))
    frame = run_trials(trial, [CASES[c] for c in options.cases], options.runs, options.workers)
    write_table("shuffled", summarise(frame, ["rows", "deals"], MEASURES), options.results)


if __name__ == "__main__":
    main()
