"""How long a fit takes and how much memory it needs, beside LightGBM and an EBM on the same rows, one thread each.

Every fit runs alone in a process of its own. `seconds` is from rows to profile (bins made, rows encoded, attributes
tested, effects fitted); `seconds_with_tiers` adds the five refits behind the out-of-fold tiers; `peak_gib` includes the
data and the libraries. The box is busy or not: compare the ratios.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.campaigns.runner import Case, arguments, run_trials, write_table
from benchmarks.contenders import CONTENDERS
from benchmarks.worlds import make_world
from icp.bins import make_bins
from icp.derive import derive

ATTRIBUTES = 40
LARGEST_WITH_TIERS = 100_000
CASES = {
    f"{contender}-{rows}": {"contender": contender, "rows": rows}
    for rows in (10_000, 100_000, 1_000_000)
    for contender in ("icp-refresh", "LightGBM", "EBM")
    if (contender, rows) != ("EBM", 1_000_000)  # many minutes; its ratio is settled at 100,000
}
GIB = 1024**2  # ru_maxrss counts KiB


def trial(seed: int, case: Case) -> Mapping[str, float]:
    world = make_world("mixed", case["rows"], seed, attributes=case.get("attributes", ATTRIBUTES), universe=3000)
    frame, attributes = world.frame, world.attributes
    del world
    started = time.perf_counter()
    try:
        CONTENDERS[case["contender"]](frame, attributes, seed)
    except ImportError:
        return {"seconds": np.nan}
    seconds = time.perf_counter() - started
    whole = np.nan
    if case["contender"] == "icp-refresh" and case["rows"] <= LARGEST_WITH_TIERS:
        started = time.perf_counter()
        derive(frame, make_bins(frame, attributes, "2026Q4"), icp="scale", quarter="2026Q4")
        whole = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB
    return {"seconds": seconds, "seconds_with_tiers": whole, "peak_gib": peak}


def with_ratios(frame: pd.DataFrame) -> pd.DataFrame:
    """Seconds of each contender over ours at the same size."""
    table = frame.groupby(["rows", "contender"], sort=False).mean().drop(columns="seed").reset_index()
    mine = table[table["contender"] == "icp-refresh"].set_index("rows")["seconds"]
    table["times_ours"] = table["seconds"] / table["rows"].map(mine)
    return table


def main() -> None:
    options = arguments(__doc__ or "", 1, list(CASES))
    frame = run_trials(trial, [CASES[c] for c in options.cases], options.runs, alone=True)
    write_table("scale", with_ratios(frame), options.results)


if __name__ == "__main__":
    main()
