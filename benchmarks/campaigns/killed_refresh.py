"""A refresh killed with -9 inside each of its steps, then run again: the same bytes as one nobody disturbed?

Small company (6,000 accounts), second quarter, so that there is an ICP to compare with. The steps are those Prefect runs as
tasks; the process that runs them is killed as a whole, as a worker's would be.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.campaigns.runner import arguments, write_table
from flows.ingest import ingest, raise_if_refused
from icp import atomic, config
from icp.demo import create
from icp.published import PublishedStore

ACCOUNTS, BEFORE, QUARTER = 6_000, "2024Q4", "2025Q1"
CHILD = "from benchmarks.campaigns.killed_refresh import child; child()"


def child() -> None:
    """One refresh, as a process of its own: `project quarter step share report`; killed in `step` when it is not empty.

    `report` is written with the seconds of every step; a kill comes after this share of what the step then took.
    """
    project, quarter, step, delay, report = sys.argv[1:]
    seconds: dict[str, float] = {}

    def run(function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            if function.__name__ == step:
                threading.Timer(float(delay), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
            began = time.monotonic()
            answer = function(*given)
            seconds[function.__name__] = time.monotonic() - began
            return answer

        return timed

    from flows.refresh import refresh_and_tell

    refresh_and_tell(config.load(Path(project)), icp="main", quarter=quarter, now=datetime.now(UTC), run=run)
    Path(report).write_text(json.dumps(seconds), encoding="utf-8")


def campaign(runs: int, folder: Path, *, accounts: int = ACCOUNTS, seed: int = 0) -> pd.DataFrame:
    """One row per kill: where it fell, what it left, and how the next run compares with the undisturbed one."""
    rng = random.Random(seed)
    start, report = folder / "start", folder / "report.json"
    create(start, accounts=accounts)
    settings = config.load(start)
    raise_if_refused(ingest(settings, source=None, extracted_at=datetime.now(UTC)))
    _finish(start, BEFORE, report)
    clean = _copy(start, folder / "clean")
    _finish(clean, QUARTER, report)
    wanted, steps = _bytes(clean), json.loads(report.read_text(encoding="utf-8"))
    rows = []
    for step, took in steps.items():
        for _ in range(runs):
            killed = _copy(start, folder / "killed")
            rows.append({"step": step, **_kill(killed, step, rng.uniform(0, took), report, wanted)})
            shutil.rmtree(killed)
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def _kill(project: Path, step: str, delay: float, report: Path, wanted: dict[str, str]) -> dict[str, Any]:
    code = _child(project, QUARTER, report, step, delay)
    after_kill = _bytes(project)
    whole = not after_kill or {name: after_kill.get(name) for name in wanted} == wanted
    second = _child(project, QUARTER, report)
    found = _bytes(project)
    store = PublishedStore(config.load(project).lake, "main")
    decided = store.decision_on(QUARTER, 1)
    runs = [json.loads(path.read_text()) for path in sorted((project / "lake/runs").glob("*.json"))]
    return {
        "killed_after_s": round(delay, 2),
        "killed": code == -signal.SIGKILL,
        "left_none_or_whole": whole,
        "next_run_exit": second,
        "same_bytes": found == wanted,
        "revisions": len(store.revisions(QUARTER)),
        "decided": decided.decision if decided else "",
        "never_ended_in_ledger": sum(run["ended"] is None for run in runs),
    }


def _bytes(project: Path) -> dict[str, str]:
    folder = project / "lake/published/main" / QUARTER
    files = (path for path in sorted(folder.glob("r*/**/*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): atomic.sha256_of(path) for path in files}


def _child(project: Path, quarter: str, report: Path, step: str = "", delay: float = 0.0) -> int:
    command = [sys.executable, "-c", CHILD, str(project), quarter, step, str(delay), str(report)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode


def _finish(project: Path, quarter: str, report: Path) -> None:
    if _child(project, quarter, report) != 0:
        raise RuntimeError("The undisturbed refresh failed.")


def _copy(project: Path, target: Path) -> Path:
    shutil.copytree(project, target)
    return target


def main() -> None:
    """`--runs` kills in each step, at random moments of it."""
    options = arguments(__doc__ or "", 1, ())
    with tempfile.TemporaryDirectory() as folder:
        write_table("killed_refresh", campaign(options.runs, Path(folder)), options.results)


if __name__ == "__main__":
    main()
