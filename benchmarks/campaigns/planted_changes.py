"""Power of the diff: one planted change in the newest quarter, found or not, and what else is called changed with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.campaigns.runner import arguments, run_trials, summarise, write_table
from benchmarks.quarterly_worlds import CHANGES, make_quarters
from icp.change_test import find_changes

OUTCOMES = (300, 1000, 3000)


def trial(seed: int, case: Mapping[str, Any]) -> dict[str, float]:
    """Whether the planted change was called one, and how many others were."""
    quarters = make_quarters(seed, case["outcomes"], change=case["change"])
    named = {f.name for f in find_changes(quarters.blocks, quarters.won, quarters.periods) if f.is_change}
    return {"found": float(quarters.changed in named), "false_extra": float(len(named - {quarters.changed}))}


def main() -> None:
    """Run the chosen changes (`--cases`) at 300, 1,000 and 3,000 outcomes a quarter."""
    options = arguments(__doc__ or "", 40, tuple(CHANGES))
    cases = [{"change": change, "outcomes": n} for change in options.cases for n in OUTCOMES]
    frame = run_trials(trial, cases, options.runs, options.workers)
    write_table("planted_changes", summarise(frame, ("change", "outcomes"), ("found", "false_extra")), options.results)


if __name__ == "__main__":
    main()
