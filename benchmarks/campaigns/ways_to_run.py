"""Every way to run on a schedule, for real: a deployment that is due within the minute lands what has arrived.

A project as `icp init` lays it down, its daily ingest moved to every minute. One way after the other starts whatever it
needs, waits until an extract has landed by itself, and is ended as a supervisor would end it (SIGTERM); then a second
extract arrives and the same way is started once more. Last, a run by hand loses its server in the middle.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.campaigns.runner import arguments, write_table
from icp import config
from icp.demo import create
from icp.lake import Lake
from icp.scaffold.project import init

PROJECT = """config_version: 1
company: Lumenworks
sources:
  crm: {kind: files, tables: {accounts: {path: "accounts_*.csv", columns: {account_id: id, account_name: name}}}}
icps: {main: {}}
"""
PATIENCE = 240.0
Way = Callable[[ExitStack, Path, dict[str, str]], "subprocess.Popen[bytes] | None"]


def campaign(folder: Path) -> pd.DataFrame:
    """Two rows per way: what landed by itself, how long after the start, and how the process ended."""
    rows = []
    for name, start in WAYS.items():
        project = _project(folder / name.replace(" ", "_").replace(",", ""))
        for number, turn in enumerate(("first start", "started again"), 1):
            (project / f"accounts_{number}.csv").write_text(f"id,name\n{number},Acme {number}\n", encoding="utf-8")
            rows.append({"way": name, "turn": turn, **_tried(project, start)})
            print(rows[-1], flush=True)
    for turn, is_lost in (("its server is killed", True), ("run again", False)):
        rows.append({"way": "icp ingest", "turn": turn, **_with_a_server(folder / "lost", is_lost=is_lost)})
        print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def _with_a_server(project: Path, *, is_lost: bool) -> dict[str, Any]:
    """An ingest by hand of the small demo company under a server; killed once the first of some eighty loads has landed."""
    if not project.exists():
        create(project, accounts=1_000)
    before, environment, began = _loads(project), _environment(project), time.monotonic()
    with ExitStack() as things:
        address, server = things.enter_context(_server(project, environment))
        named = environment | {"PREFECT_API_URL": address}
        process = things.enter_context(_process(["icp.cli", "ingest"], project, named))
        while is_lost and _loads(project) == before:
            time.sleep(0.2)
        if is_lost:
            _kill(server)
        code = process.wait(3_600)
    return _row(project, before, time.monotonic() - began, str(code))


def _tried(project: Path, start: Way) -> dict[str, Any]:
    before, began, code = _loads(project), time.monotonic(), "none within 60 s"
    with ExitStack() as things:
        process = start(things, project, _environment(project))
        while _loads(project) == before and time.monotonic() - began < PATIENCE:
            time.sleep(0.5)
        waited = time.monotonic() - began
        if process is not None:
            _until_the_ledger_ends(project)
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = str(process.wait(60))
    return _row(project, before, waited, code if process is not None else "0")


def _row(project: Path, before: int, seconds: float, code: str) -> dict[str, Any]:
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((project / "lake/runs").glob("*.json"))]
    return {
        "landed": _loads(project) - before, "after_s": round(seconds, 1), "exit": code,
        "outcomes": ", ".join(sorted({run["outcome"] for run in runs})),
        "never_ended": sum(run["ended"] is None for run in runs),
    }  # fmt: skip


def _loads(project: Path) -> int:
    return len(Lake(config.load(project).lake).accepted_loads())


def _until_the_ledger_ends(project: Path) -> None:
    """A run that has landed still tells of it; ended meanwhile it would rightly stand in the ledger as never ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in (project / "lake/runs").glob("*.json")]
        if all(run["ended"] for run in runs):
            return
        time.sleep(0.1)


def _project(folder: Path) -> Path:
    init(folder)
    (folder / "icp.yml").write_text(PROJECT, encoding="utf-8")
    deployments = folder / "deployments.yaml"
    written = deployments.read_text(encoding="utf-8")
    every_minute = written.replace('cron: "15 5 * * *"', 'cron: "* * * * *"')
    if every_minute == written:
        raise RuntimeError("deployments.yaml has no daily ingest at 5:15 any more.")
    deployments.write_text(every_minute, encoding="utf-8")
    return folder


def _environment(project: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "ICP_"))}
    silent = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_RUNNER_POLL_FREQUENCY": "2"}
    root = str(Path(__file__).resolve().parents[2])
    return {**own, **quick, **silent, "PREFECT_HOME": str(project / ".prefect"), "PYTHONPATH": root}


# -- the ways ----------------------------------------------------------------------------------------------------------


def _by_up(things: ExitStack, project: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return things.enter_context(_process(["icp.cli", "up", "--port", str(_free_port())], project, environment))


def _by_schedule_alone(things: ExitStack, project: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return things.enter_context(_process(["icp.cli", "schedule"], project, environment))


def _by_schedule_on_a_server(things: ExitStack, project: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    named = environment | {"PREFECT_API_URL": things.enter_context(_server(project, environment))[0]}
    return things.enter_context(_process(["icp.cli", "schedule"], project, named))


def _by_deploy_and_worker(things: ExitStack, project: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    named = environment | {"PREFECT_API_URL": things.enter_context(_server(project, environment))[0]}
    subprocess.run([sys.executable, "-m", "icp.cli", "deploy"], cwd=project, env=named, check=True, capture_output=True)
    whereabouts = {"ICP_HOME": str(project), "ICP_PROJECT": "icp.yml"}
    return things.enter_context(_process(["prefect", "worker", "start", "--pool", "icp"], project, named | whereabouts))


def _by_cron(things: ExitStack, project: Path, environment: dict[str, str]) -> None:
    """What a line of a crontab does; cron itself needs no proof."""
    subprocess.run(
        f"cd {project} && {sys.executable} -m icp.cli ingest --plain", shell=True, env=environment, check=True
    )


WAYS: dict[str, Way] = {
    "icp up": _by_up,
    "icp schedule, no server": _by_schedule_alone,
    "icp schedule, own server": _by_schedule_on_a_server,
    "icp deploy, prefect worker": _by_deploy_and_worker,
    "cron line": _by_cron,
}


@contextmanager
def _server(project: Path, environment: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = _free_port()
    address = f"http://127.0.0.1:{port}/api"
    words = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with _process(words, project, environment) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2):
                break
            time.sleep(0.5)
        yield address, process


@contextmanager
def _process(words: list[str], project: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (project / "processes.log").open("ab") as log:
        log.write(f"--- {datetime.now(UTC)} {words}\n".encode())
        log.flush()
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _kill(server: subprocess.Popen[bytes]) -> None:
    """Without a word, and what it started as well."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="utf-8").split()
    for pid in (server.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main() -> None:
    """Every way, twice."""
    options = arguments(__doc__ or "", 1, ())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        write_table("ways_to_run", campaign(Path(folder)), options.results)


if __name__ == "__main__":
    main()
