"""With the outcomes dealt out at random there is nothing to find: does the method say so?

Per number of outcomes: share of runs in which nothing is confirmed, and whether the backtest's lift interval of the best
tier covers 1 (a profile is forced by letting provisional attributes rank, else there would be nothing to test).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.worlds import make_world, relabelled
from icp.bins import encode, make_bins
from icp.derive import derive
from icp.evidence import gather_evidence
from icp.label_rows import read_label_rows
from icp.tiers import cross_fitted_places, cut_tiers, measure_tiers

CASES = {
    "300": {"world": "shuffled", "rows": 300, "deals": 1},
    "1000": {"world": "shuffled", "rows": 1000, "deals": 1},
    "4000": {"world": "shuffled", "rows": 4000, "deals": 1},
    "1000-repeated": {"world": "shuffled", "rows": 1000, "deals": 3},
}
RUNS = 60
SHARES = {"A": 0.05, "B": 0.15, "C": 0.30}
MEASURES = ("nothing_confirmed", "no_profile", "lift_covers_1")


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
        "lift_covers_1": float(best.lift.low <= 1 <= best.lift.high) if best.opportunities else np.nan,
    }


def main() -> None:
    options = arguments(__doc__ or "", RUNS, list(CASES))
    frame = run_trials(trial, [CASES[c] for c in options.cases], options.runs, options.workers)
    write_table("shuffled", summarise(frame, ["rows", "deals"], MEASURES), options.results)


if __name__ == "__main__":
    main()
