"""A pull from a fake vendor killed at random calls, then run once to its end: is anything lost or doubled?"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.campaigns.runner import arguments, write_table
from benchmarks.portals import TOKEN, made_portal, project, salesforce_project
from icp.config import Settings
from icp.fake_vendors.server import FakeVendors, Script, serving
from icp.lake import Lake

COMPANIES = 3_000
VENDORS = ("hubspot", "salesforce")
PULL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from icp.config import load
from icp.lake import Lake
from icp.sources.kinds import module_of
settings = load(Path(sys.argv[1]))
lake = Lake(settings.lake)
with lake.lock():
    pull = module_of(settings.source("crm").kind).pull
    for staged in pull(settings, "crm", lake, extracted_at=datetime.now(UTC)):
        lake.accept(staged, {})
"""
VARYING = ["_load_id", "_effective_at", "_extracted_at"]


def campaign(kills: int, folder: Path, vendor: str, *, companies: int = COMPANIES, seed: int = 0) -> pd.DataFrame:
    """One row per kill (how far the pull was) and one for the clean run after them, against an undisturbed project."""
    rng = random.Random(seed)
    day = datetime(2026, 6, 1, tzinfo=UTC)
    with serving(made_portal(companies, day), Script(token=TOKEN, calls_per_interval=10**9)) as server:
        clean, killed = (_project(vendor, folder / vendor / name, server.url) for name in ("clean", "killed"))
        _finish(clean)
        before = server.calls
        rows = [_kill(killed, server, rng.randint(1, before), rng.uniform(0, 0.05)) for _ in range(kills)]
        _finish(killed)
    rows.append({"run": "clean", "calls_of_the_pull": before, **_compared(clean, killed)})
    return pd.DataFrame([{"vendor": vendor, **row} for row in rows])


def _project(vendor: str, folder: Path, url: str) -> Settings:
    if vendor == "hubspot":
        return project(folder, url)
    return salesforce_project(folder, url, section="bulk_page_rows: 100, poll_seconds: 0.01")


def _kill(settings: Settings, server: FakeVendors, aim: int, later: float) -> dict[str, Any]:
    """Kill a pull some moments after its call number `aim`."""
    calls = server.calls
    child = _ingest(settings)
    while server.calls - calls < aim and child.poll() is None:
        time.sleep(0.002)
    time.sleep(later)
    ended = child.poll() is not None
    if not ended:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    lake = Lake(settings.lake)
    staged = len(list(lake.incoming.glob("*"))) if lake.incoming.exists() else 0
    found = {"calls_of_the_pull": server.calls - calls, "left_in_incoming": staged, "loads": len(lake.accepted_loads())}
    return {"run": "ended before the kill" if ended else "killed", **found}


def _compared(clean: Settings, killed: Settings) -> dict[str, Any]:
    ours, theirs = _rows(killed), _rows(clean)
    lake = Lake(killed.lake)
    return {
        "left_in_incoming": len(list(lake.incoming.glob("*"))),
        "loads": len(lake.accepted_loads()),
        "rows": ours.total(),
        "rows_lost": (theirs - ours).total(),
        "rows_doubled": (ours - theirs).total(),
    }


def _rows(settings: Settings) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for table, files in Lake(settings.lake).landed_files().items():
        for file in files:
            frame = pd.read_parquet(file, partitioning=None).drop(columns=VARYING)
            found.update((table, *map(str, row)) for row in frame.itertuples(index=False))
    return found


def _ingest(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PULL, str(settings.path)]
    app = {"SALESFORCE_CLIENT_ID": "fake-client", "SALESFORCE_CLIENT_SECRET": "fake-secret"}
    environment = {**os.environ, **app, "HUBSPOT_TOKEN": TOKEN}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _finish(settings: Settings) -> None:
    if _ingest(settings).wait() != 0:
        raise RuntimeError("The undisturbed ingest failed.")


def main() -> None:
    """`--runs` kills for each vendor."""
    options = arguments(__doc__ or "", 12, ())
    with tempfile.TemporaryDirectory() as folder:
        tables = [campaign(options.runs, Path(folder), vendor) for vendor in VENDORS]
    write_table("killed_pulls", pd.concat(tables, ignore_index=True), options.results)


if __name__ == "__main__":
    main()
