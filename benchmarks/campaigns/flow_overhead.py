"""What Prefect costs: `icp refresh` under a flow, minus the same steps called plainly, on the same small company.

Three ways under Prefect: by hand, where the run brings up a server of its own, the first time in a project (which makes the
server's tables) and later; and against a server that is up already, as scheduled runs find it. Wall time on a busy machine
says more about its neighbours; CPU seconds (all child processes included) say what the work is.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from benchmarks.campaigns.runner import arguments, write_table
from flows.ingest import ingest, raise_if_refused
from flows.local_server import local_server
from icp import config
from icp.demo import create

ACCOUNTS, QUARTER = 6_000, "2024Q4"
WAYS = ("plain", "prefect, own server, first time", "prefect, own server", "prefect, running server")

ICP = (sys.executable, "-m", "icp.cli")


def campaign(runs: int, folder: Path, *, accounts: int = ACCOUNTS) -> pd.DataFrame:
    """Per run and way: wall and CPU seconds of one whole `icp refresh`, process start included."""
    start = folder / "start"
    create(start, accounts=accounts)
    raise_if_refused(ingest(config.load(start), source=None, extracted_at=datetime.now(UTC)))
    rows = []
    for number in range(runs):
        for way in WAYS:
            rows.append({"run": number, "way": way, **_measured(start, folder / "copy", way)})
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def summary(measured: pd.DataFrame) -> pd.DataFrame:
    """The fastest of the runs of each way, and what it takes more than the plain one."""
    best = measured.groupby("way", sort=False)[["wall_s", "cpu_s"]].min()
    over = (best - best.loc["plain"]).add_prefix("overhead_")
    return pd.concat([best, over], axis=1).reset_index()


def _measured(start: Path, project: Path, way: str) -> dict[str, float]:
    shutil.copytree(start, project)
    try:
        if way == "prefect, own server":
            subprocess.run([*ICP, "ingest", "-p", str(project / "icp.yml")], check=True, capture_output=True)
        if way != "prefect, running server":
            return _refresh(project, plain=way == "plain")
        with local_server() as ready:
            ready()
            return _refresh(project, plain=False)
    finally:
        shutil.rmtree(project)


def _refresh(project: Path, *, plain: bool) -> dict[str, float]:
    command = [*ICP, "refresh", "--quarter", QUARTER, "-p", str(project / "icp.yml")]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([*command, *(["--plain"] if plain else [])], check=True, env=dict(os.environ), capture_output=True)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall_s": wall, "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def main() -> None:
    """`--runs` times each way."""
    options = arguments(__doc__ or "", 3, ())
    with tempfile.TemporaryDirectory() as folder:
        write_table("flow_overhead", summary(campaign(options.runs, Path(folder))), options.results)


if __name__ == "__main__":
    main()
