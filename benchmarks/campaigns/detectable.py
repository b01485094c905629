"""Is what we call detectable seen four times in five?

An attribute's bins move in the newest quarter by random amounts with a given sd in log odds. The sd is told in units of
1 / sqrt(N p (1 - p)), as `icp.detectable` tells it, for a numeric attribute, a category and a flag.
"""

from __future__ import annotations

import math

from benchmarks.campaigns.runner import Case, arguments, run_trials, summarise, write_table
from benchmarks.quarterly_worlds import make_quarters
from icp.change_test import find_changes
from icp.detectable import DETECTABLE_BINS, DETECTABLE_FLAG

ATTRIBUTES = {"numeric": "x00", "category": "x01", "flag": "x02"}
OUTCOMES = (300, 1000)
OF_STATED = (0.8, 1.0, 1.2)  # times what we state
WIN_RATE = 0.29  # of these worlds
RUNS = 60


def trial(seed: int, case: Case) -> dict[str, float]:
    """Whether the planted move was called a change."""
    stated = DETECTABLE_FLAG if case["attribute"] == "flag" else DETECTABLE_BINS
    sd = case["of_stated"] * stated / math.sqrt(case["outcomes"] * WIN_RATE * (1 - WIN_RATE))
    quarters = make_quarters(seed, case["outcomes"], moved=(ATTRIBUTES[case["attribute"]], sd))
    named = {f.name for f in find_changes(quarters.blocks, quarters.won, quarters.periods) if f.is_change}
    return {"found": float(quarters.changed in named)}


def main() -> None:
    """Run the chosen kinds of attribute (`--cases`) at 300 and 1,000 outcomes a quarter."""
    options = arguments(__doc__ or "", RUNS, tuple(ATTRIBUTES))
    cases = [
        {"attribute": attribute, "outcomes": outcomes, "of_stated": times}
        for attribute in options.cases
        for outcomes in OUTCOMES
        for times in OF_STATED
    ]
    frame = run_trials(trial, cases, options.runs, options.workers)
    write_table("detectable", summarise(frame, ("attribute", "outcomes", "of_stated"), ("found",)), options.results)


if __name__ == "__main__":
    main()
