"""How long a report takes and how large it is, by number of accounts.

The demo company's second quarter, refreshed as it is; at its last step, before anything is published, every account
(features, scores, contributions, lists) stands there many times under other ids. `gathered` is the time to put the
report's figures together (what-if cube, who moved, coverage, lists), `laid_out` to make the page of them, `written` for
everything people read: the report once more, lists as CSV, the workbook, JSON and Markdown. `report_cpu_seconds` is what
the first two took of all processors together: on a busy machine the one to go by.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from benchmarks.campaigns.runner import arguments, run_trials, write_table
from flows.ingest import ingest, raise_if_refused
from flows.refresh import refresh
from flows.refresh_steps import Derived, Features, Plan
from flows.report_data import report_data
from icp import config
from icp.demo import create
from icp.demo.sales import FULL_SIZE
from icp.publication import write_findings
from icp.report import render_report

QUARTERS = ("2024Q4", "2025Q1")
CASES = {"as it is": 1, "1,000,000": 35, "5,000,000": 175}
BY_DEFAULT = ("as it is", "1,000,000")


def trial(seed: int, case: dict[str, Any]) -> dict[str, float]:
    """One refresh of the demo company whose last step meets that many times its accounts."""
    measured: dict[str, float] = {}

    def run(step: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any) -> Any:
            if step.__name__ == "publish_revision":
                plan, working, features, derived = given
                measured.update(_measured(plan, working, _many(working, features, case["times"]), derived))
                raise _Measured
            return step(*given)

        return watched

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        create(root, accounts=FULL_SIZE)
        settings = config.load(root)
        now = datetime.now(UTC)
        raise_if_refused(ingest(settings, source=None, extracted_at=now))
        refresh(settings, icp="main", quarter=QUARTERS[0], now=now)
        try:
            refresh(settings, icp="main", quarter=QUARTERS[1], now=now, run=run)
        except _Measured:
            return measured
    raise RuntimeError("the refresh never came to its last step")


class _Measured(Exception):
    """Everything is measured: the revision is not published."""


def _many(working: Path, features: Features, times: int) -> Features:
    """Every table of accounts so many times over, in the revision and in memory."""
    for path in sorted(working.glob("*.parquet")):
        columns = duckdb.sql(f"select * from '{path}' limit 0").columns
        if "account_id" in columns and times > 1:
            larger = path.with_suffix(".larger")
            duckdb.sql(
                f"copy (select t.* replace (t.account_id || '-' || n as account_id) from '{path}' t, range({times}) r(n)) "
                f"to '{larger}' (format parquet)"
            )
            larger.replace(path)
    universe = pd.concat([features.universe] * times, ignore_index=True) if times > 1 else features.universe
    return replace(features, universe=universe)


def _measured(plan: Plan, working: Path, features: Features, derived: Derived) -> dict[str, float]:
    before = _peak_mib()
    marks, worked = [time.perf_counter()], time.process_time()
    data = report_data(plan, working, features, derived)
    marks.append(time.perf_counter())
    page = render_report(data).encode()
    marks.append(time.perf_counter())
    worked = time.process_time() - worked
    write_findings(working, data)
    marks.append(time.perf_counter())
    gathered, laid_out, written = (round(b - a, 2) for a, b in pairwise(marks))
    return {
        "accounts": len(features.universe),
        "gathered_seconds": gathered,
        "laid_out_seconds": laid_out,
        "written_seconds": written,
        "report_cpu_seconds": round(worked, 2),
        "report_kb": round(len(page) / 1000),
        "peak_mib_before": before,
        "peak_mib": _peak_mib(),
    }


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def main() -> None:
    """Run the chosen sizes (`--cases`), each alone in a process of its own; five million is large: ask for it by name."""
    options = arguments(__doc__ or "", 1, tuple(CASES))
    chosen = options.cases if set(options.cases) != set(CASES) else BY_DEFAULT
    frame = run_trials(trial, [{"times": CASES[name]} for name in chosen], options.runs, alone=True)
    write_table("report_scale", frame.drop(columns=["seed"]), options.results)


if __name__ == "__main__":
    main()
