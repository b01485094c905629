"""Does the profile name what was planted, nothing else, and rank as well as a black box?

Per world kind and number of outcomes: F1, precision and recall of confirmed attributes; pure-noise attributes confirmed
per run (neither planted nor part of a segment); AUC on 20,000 fresh accounts beside the oracle's and LightGBM's.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.contenders import lightgbm, ours
from benchmarks.worlds import make_world
from icp.stats import auc_with_interval

CASES = {f"{kind}-{rows}": {"kind": kind, "rows": rows}
         for rows in (1000, 4000) for kind in ("additive", "mixed", "segments")}  # fmt: skip
RUNS = 50
FRESH = 20_000
MEASURES = (
    "f1", "precision", "recall", "noise_attributes", "confirmed", "size",
    "auc", "auc_oracle", "auc_lightgbm", "auc_over_lightgbm",
)  # fmt: skip


def trial(seed: int, case: Case) -> Mapping[str, float]:
    world = make_world(
        case["kind"], case["rows"], seed, universe=case.get("fresh", FRESH), attributes=case.get("attributes", 28)
    )
    won = np.random.default_rng(seed).random(len(world.universe)) < world.universe_win_probability
    fitted = ours(world.frame, world.attributes, seed)
    auc = auc_with_interval(won, fitted.probability(world.universe)).value
    peer = np.nan
    if find_spec("lightgbm"):
        peer = auc_with_interval(won, lightgbm(world.frame, world.attributes, seed).probability(world.universe)).value
    return {
        **recovery(fitted.selected, world.planted),
        "confirmed": len(fitted.selected),
        "size": fitted.size,
        "auc": auc,
        "auc_oracle": auc_with_interval(won, world.universe_log_odds).value,
        "auc_lightgbm": peer,
        "auc_over_lightgbm": auc - peer,
    }


def recovery(found: frozenset[str], planted: frozenset[str]) -> dict[str, float]:
    """F1, precision (NaN when nothing was found) and recall of a set of attributes."""
    right = len(found & planted)
    return {
        "f1": 2 * right / max(len(found) + len(planted), 1),
        "precision": right / len(found) if found else np.nan,
        "recall": right / len(planted) if planted else np.nan,
        "noise_attributes": float(len(found - planted)),
    }


def main() -> None:
    options = arguments(__doc__ or "", RUNS, list(CASES))
    frame = run_trials(trial, [CASES[c] for c in options.cases], options.runs, options.workers)
    write_table("recovery", summarise(frame, ["kind", "rows"], MEASURES), options.results)


if __name__ == "__main__":
    main()
