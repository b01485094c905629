"""A refresh killed with -9 inside each of its steps in turn, then run to its end: the same bytes as one nobody disturbed?

Small company (3,000 accounts). The steps are those Prefect runs as tasks; the process that runs them is killed as a whole,
as a worker's would be. Every run starts from what the kills before it left behind.
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

ACCOUNTS, QUARTER = 3_000, "2024Q4"
CHILD = "from benchmarks.campaigns.killed_refresh import child; child()"


def child() -> None:
    """One refresh, as a process of its own: `project quarter step seconds report`; killed in `step` when it is not empty.

    `report` is written with the seconds of every step; the kill comes so many seconds after the step began.
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
    """One row per kill (where it fell and what it left) and one for the run after them all, against the undisturbed one."""
    rng = random.Random(seed)
    start, report = folder / "start", folder / "report.json"
    create(start, accounts=accounts)
    raise_if_refused(ingest(config.load(start), source=None, extracted_at=datetime.now(UTC)))
    clean, killed = folder / "clean", folder / "killed"
    shutil.copytree(start, clean)
    shutil.copytree(start, killed)
    if _child(clean, report) != 0:
        raise RuntimeError("The undisturbed refresh failed.")
    wanted, steps = _bytes(clean), json.loads(report.read_text(encoding="utf-8"))
    rows = []
    for step, took in [*steps.items()] * runs:
        delay = rng.uniform(0, took)
        code = _child(killed, report, step, delay)
        rows.append({"killed_in": step, "after_s": delay, "exit": code, **_state(killed, wanted)})
        print(rows[-1], flush=True)
    code = _child(killed, report)
    rows.append({"killed_in": "", "after_s": float("nan"), "exit": code, **_state(killed, wanted)})
    return pd.DataFrame(rows)


def _state(project: Path, wanted: dict[str, str]) -> dict[str, Any]:
    """What a reader of the lake sees: nothing yet, or the whole revision with the bytes of the undisturbed run."""
    found = _bytes(project)
    published = {name: digest for name, digest in found.items() if not name.startswith(".")}
    store = PublishedStore(config.load(project).lake, "main")
    decided = store.decision_on(QUARTER, 1)
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in (project / "lake/runs").glob("*.json")]
    return {
        "revisions": len(store.revisions(QUARTER)),
        "bytes": "none" if not published else "same" if published == wanted else "DIFFERENT",
        "decision": decided.decision if decided else "",
        "runs_in_ledger": len(runs),
        "never_ended": sum(run["ended"] is None for run in runs),
    }


def _bytes(project: Path) -> dict[str, str]:
    folder = project / "lake/published/main" / QUARTER
    files = (path for path in sorted(folder.glob("r*/**/*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): atomic.sha256_of(path) for path in files}


def _child(project: Path, report: Path, step: str = "", delay: float = 0.0) -> int:
    command = [sys.executable, "-c", CHILD, str(project), QUARTER, step, str(delay), str(report)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode


def main() -> None:
    """`--runs` rounds of one kill in each step, at random moments of it."""
    options = arguments(__doc__ or "", 1, ())
    with tempfile.TemporaryDirectory() as folder:
        write_table("killed_refresh", campaign(options.runs, Path(folder)), options.results)


if __name__ == "__main__":
    main()
