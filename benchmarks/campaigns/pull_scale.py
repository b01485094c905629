"""How fast companies are pulled and staged from the fake HubSpot, beside a bare httpx loop, and in how much memory.

The bare loop fetches every page and reads its JSON, and keeps nothing. CPU is that of the process that pulls: the server
has one of its own and shares the machine. A private app of HubSpot may make 190 calls in ten seconds; 0 is without limit.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.campaigns.runner import arguments, run_trials, write_table
from benchmarks.portals import TOKEN, made_portal, project

DAY = datetime(2026, 6, 1, tzinfo=UTC)
LOADS = ((20_000, 0), (200_000, 0), (1_000_000, 0), (1_000_000, 190))
HOWS = ("bare httpx loop", "pulled and staged")


def trial(seed: int, case: Mapping[str, Any]) -> dict[str, float]:
    """Rows per second, CPU and peak memory of this process, which does nothing else."""
    at_start = _peak_mib()
    started, cpu = time.perf_counter(), time.process_time()
    rows = {"bare httpx loop": _bare, "pulled and staged": _pulled}[case["how"]](case["url"])
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if rows != case["companies"]:
        raise RuntimeError(f"{rows} rows of {case['companies']}")
    speed = {"rows_per_second": round(rows / seconds), "cpu_microseconds_per_row": round(1e6 * cpu / rows, 1)}
    return {**speed, "peak_mib": _peak_mib(), "peak_mib_at_start": at_start}


def _bare(url: str) -> int:
    import httpx

    from icp.config_vendors import HUBSPOT_TABLES

    names = [path.removeprefix("properties.") for path in HUBSPOT_TABLES["accounts"].values() if "." in path]
    params = {"limit": "100", "properties": ",".join(sorted({*names, "hs_object_id", "hs_merged_object_ids"}))}
    rows, after = 0, ""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        while True:
            answer = client.get("/crm/objects/2026-03/companies", params=params | ({"after": after} if after else {}))
            if answer.status_code == 429:
                time.sleep(float(answer.headers["retry-after"]))
                continue
            page = answer.json()
            rows += len(page["results"])
            if "paging" not in page:
                return rows
            after = page["paging"]["next"]["after"]


def _pulled(url: str) -> int:
    from icp.lake import Lake
    from icp.sources import hubspot

    os.environ["HUBSPOT_TOKEN"] = TOKEN
    with tempfile.TemporaryDirectory() as folder:
        settings = project(Path(folder), url, tables=("accounts",))
        lake = Lake(settings.lake)
        with lake.lock():
            [staged] = hubspot.pull(settings, "crm", lake, extracted_at=DAY)
            lake.accept(staged, {})
        return staged.rows


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def serve(companies: int, limit: int, pipe: Connection) -> None:
    """The server, in a process of its own, until it is told to stop."""
    from icp.fake_vendors.server import Script, serving

    script = Script(token=TOKEN, calls_per_interval=limit or 10**9)
    portal = made_portal(companies, DAY, others=0)
    for archived in (False, True):
        portal.records("companies", archived=archived)  # sorted once, not in whoever's first call
    with serving(portal, script) as server:
        pipe.send(server.url)
        pipe.recv()


def main() -> None:
    """Both ways (`--cases`) at every size and limit, one after the other against one server."""
    options = arguments(__doc__ or "", 1, HOWS)
    context = multiprocessing.get_context("spawn")
    frames = []
    for companies, limit in LOADS:
        ours, theirs = context.Pipe()
        server = context.Process(target=serve, args=(companies, limit, theirs))
        server.start()
        url = ours.recv()
        cases = [{"companies": companies, "calls_in_10_s": limit, "how": how, "url": url} for how in options.cases]
        frames.append(run_trials(trial, cases, options.runs, alone=True).drop(columns="url"))
        ours.send("stop")
        server.join()
    import pandas as pd

    write_table("pull_scale", pd.concat(frames, ignore_index=True), options.results)


if __name__ == "__main__":
    main()
