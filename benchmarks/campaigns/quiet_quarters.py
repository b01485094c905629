"""False alarms of the diff: quarters in which nothing about winning changed, while the mix of accounts may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks.campaigns.runner import arguments, run_trials, summarise, write_table
from benchmarks.quarterly_worlds import make_quarters
from icp.change_test import find_changes

WIN_RATE = 0.23
WINS = (30, 60, 120, 300, 1000, 3000)
WORLDS = {
    "quiet": {"drift": False, "structure": False},
    "drift": {"drift": True, "structure": False},
    "drift and structure": {"drift": True, "structure": True},
}
SHARE_OF_RUNS = {30: 1.0, 60: 1.0, 120: 1.0, 300: 1.0, 1000: 2.0, 3000: 0.5}


def trial(seed: int, case: Mapping[str, Any]) -> dict[str, float]:
    """Whether anything was called changed, and before the guards; win rate for the record."""
    world = WORLDS[case["world"]]
    quarters = make_quarters(seed, round(case["wins"] / WIN_RATE), earlier=case["earlier"], **world)
    found = find_changes(quarters.blocks, quarters.won, quarters.periods)
    return {
        "any_changed": float(any(f.is_change for f in found)),
        "any_flagged": float(any(f.is_flagged for f in found)),
        "win_rate": float(quarters.won.mean()),
    }


def main() -> None:
    """Run the chosen worlds (`--cases`) at every number of wins, against four earlier quarters."""
    options = arguments(__doc__ or "", 60, tuple(WORLDS))
    tables = []
    for wins in WINS:
        cases = [{"world": w, "wins": wins, "earlier": 4} for w in options.cases]
        frame = run_trials(trial, cases, max(2, round(options.runs * SHARE_OF_RUNS[wins])), options.workers)
        tables.append(summarise(frame, ("world", "wins", "earlier"), ("any_changed", "any_flagged", "win_rate")))
    write_table("quiet_quarters", pd.concat(tables, ignore_index=True), options.results)


if __name__ == "__main__":
    main()
