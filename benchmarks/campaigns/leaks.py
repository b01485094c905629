"""A column that knows the outcome must be caught in every run, and an honest one hardly ever.

Six planted leaks (`benchmarks.leaks`) in tables of 200 outcomes and more, one of them with no more than 20 won; and the
same tables without a leak, where every conviction is a mistake. The honest tables include strong effects.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.leaks import LEAKS, plant
from benchmarks.worlds import World, make_world
from icp.leaks import find_leaks

SIZES = {"200-few-won": 200, "200": 200, "1000": 1000, "4000": 4000}
CASES = {size: {"size": size} for size in SIZES}
FEW_WON = 20
RUNS = 100
MEASURES = (*(f"caught_{leak}" for leak in LEAKS), "honest_convicted")


def trial(seed: int, case: Case) -> Mapping[str, float]:
    world = _world(case["size"], seed)
    rng = np.random.default_rng([seed, 77])
    found = {}
    for leak in LEAKS:
        frame, attribute = plant(world.frame, leak, rng)
        found[f"caught_{leak}"] = float(bool(find_leaks(frame, (attribute,), seed=seed)))
    wrong = find_leaks(world.frame, world.attributes, seed=seed)
    return {**found, "honest_convicted": float(bool(wrong))}


def _world(size: str, seed: int) -> World:
    """The strongest recipe; under `few-won` lost outcomes take the place of won ones until 20 are left."""
    world = make_world("mixed", SIZES[size] if size != "200-few-won" else 600, seed, universe=10)
    if size == "200-few-won":
        frame = world.frame
        won = frame["is_won"].astype(bool)
        kept = [*frame.index[won][:FEW_WON], *frame.index[~won][: SIZES[size] - FEW_WON]]
        return World(**{**world.__dict__, "frame": frame.loc[sorted(kept)].reset_index(drop=True)})
    return world


def main() -> None:
    options = arguments(__doc__ or "", RUNS, list(CASES))
    frame = run_trials(trial, [CASES[c] for c in options.cases], options.runs, options.workers)
    write_table("leaks", summarise(frame, ["size"], MEASURES), options.results)


if __name__ == "__main__":
    main()
