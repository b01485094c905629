"""The deployments on a real Prefect server with a real worker: scheduled, run, and their verdict shown."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from command_line import ROOT, DemoRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.deploying import deploy
from icp import config

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
FORM = "suspended-icp-main-2024q4-r1-approval"
# What a deployment does is the same however much there is to derive.
LITTLE = {
    "ICP__ICPS__MAIN__ATTRIBUTES__FAMILIES": "[firmographic]",
    "ICP__ICPS__MAIN__LOOKBACK_QUARTERS": "2",
    "ICP__ICPS__MAIN__VALUE__KIND": "none",
}


@dataclass(frozen=True)
class Server:
    """A running server: its API and the environment its clients need."""

    url: str
    environment: dict[str, str]

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

        def sent() -> Any:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [json.loads(answer.read() or b"null")]

        return wait_until(sent, 60, f"an answer to {path}")[0]  # 503 while SQLite is busy: nothing was done

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return json.loads(answer.read())


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it without asking: everything it wrote goes with the test, and a worker takes its time."""
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def project(demo_run: DemoRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = demo_run.copy(tmp_path_factory.mktemp("deployed") / "demo")
    shutil.copytree(demo_run.project / "lake/cache/target", copied / "lake/cache/target")  # dbt's, parsed
    return copied


@pytest.fixture(scope="module")
def server(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, home = free_port(), tmp_path_factory.mktemp("prefect")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "1",
        "ICP_HOME": str(ROOT),
        "ICP_PROJECT": str(project / "icp.yml"),
        "ICP__ICPS__MAIN__APPROVAL__MODE": "ask",
        **LITTLE,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }
    log = (home / "server.log").open("w")
    process = subprocess.Popen(
        [BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
        env=environment, cwd=home, stdout=log, stderr=log,
    )  # fmt: skip
    running = Server(f"http://127.0.0.1:{port}/api", environment)
    try:
        wait_until(lambda: running.get("/health") is True, 180, "the server's start")
        with pytest.MonkeyPatch.context() as patched, temporary_settings({PREFECT_API_URL: running.url}):
            for name, value in environment.items():
                patched.setenv(name, value)
            patched.chdir(project)  # anywhere but where flows/ is
            deploy(config.load(project), ROOT, automations=True)
        yield running
    finally:
        stop(process)
        log.close()


@pytest.fixture(scope="module")
def worker(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    log = (tmp_path_factory.mktemp("worker") / "worker.log").open("w")
    process = subprocess.Popen(
        [BIN / "prefect", "worker", "start", "--pool", "icp"], env=server.environment, cwd=ROOT, stdout=log, stderr=log
    )
    try:
        yield
    finally:
        stop(process)
        log.close()


def test_every_deployment_is_scheduled(server: Server) -> None:
    names = {d["name"] for d in server.post("/deployments/filter", {})}
    assert names == {"daily", "quarterly", "weekly", "approval"}
    runs = wait_until(lambda: server.post("/flow_runs/filter", {"limit": 50}), 60, "a scheduled run")
    assert {run["state_type"] for run in runs} == {"SCHEDULED"}
    automations = {automation["name"] for automation in server.post("/automations/filter", {})}
    assert len(automations) == 3 and all(name.startswith("icp: ") for name in automations)


def started(server: Server, deployment: str, **parameters: Any) -> str:
    """The id of a run started now."""
    found = server.get(f"/deployments/name/{deployment}")
    body = {"parameters": found["parameters"] | parameters}
    return str(server.post(f"/deployments/{found['id']}/create_flow_run", body)["id"])


def ended(server: Server, run: str, *states: str) -> None:
    """Wait until a run is in one of these states, and show its log when it ends otherwise."""

    def state() -> str:
        return str(server.get(f"/flow_runs/{run}")["state_type"])

    wait_until(lambda: state() in {"COMPLETED", "FAILED", "CRASHED", *states}, 240, "the end of the run")
    logs = server.post("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"})
    assert state() in states, "\n".join(entry["message"] for entry in logs)


def event(server: Server, name: str) -> dict[str, Any]:
    """The payload of the first event of this name."""
    wanted = {"filter": {"event": {"name": [name]}}}
    events = wait_until(lambda: server.post("/events/filter", wanted)["events"], 30, f"the event {name}")
    return dict(events[0]["payload"])


@pytest.mark.usefixtures("worker")
def test_the_quarterly_deployment_publishes_and_shows_its_verdict(server: Server, project: Path) -> None:
    run = started(server, "icp-refresh-all/quarterly", quarter="2024Q4")
    ended(server, run, "COMPLETED")
    revision = project / "lake/published/main/2024Q4/r1"
    assert (revision / "manifest.json").exists()
    artifact = server.post("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})[0]
    assert json.loads((revision / "diff.json").read_text())["verdict"] == artifact["description"]
    assert "First profile" in artifact["data"]
    tasks = server.post("/task_runs/filter", {"task_runs": {}, "flow_runs": {"id": {"any_": [run]}}})
    assert {"build_features", "derive_profile", "publish_revision"} <= {t["name"].rsplit("-", 1)[0] for t in tasks}
    assert event(server, "icp.refresh.candidate")["revision"] == "2024Q4/r1"
    made = {"filter": {"event": {"name": ["prefect.asset.materialization.succeeded"]}}}
    assets = {"icp://demo/main/profile", "icp://demo/main/lists"}  # each an event of its own, taken in at its own time

    def told() -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = server.post("/events/filter", made)["events"]
        return events if len(events) >= len(assets) else []

    lineage = wait_until(told, 30, "the lineage")
    assert {e["resource"]["prefect.resource.id"] for e in lineage} == assets
    sources = {related["prefect.resource.id"] for related in lineage[0]["related"]}
    assert {"icp://demo/landing/accounts", "icp://demo/landing/opportunities"} <= sources


@pytest.mark.usefixtures("worker")
def test_a_held_candidate_is_asked_for_once_and_a_form_answers_it(server: Server, project: Path) -> None:
    """After the test above, whose candidate is held: its run started another that waits with a form."""
    flow = {"flows": {"name": {"any_": ["icp-approval"]}}}
    (run,) = wait_until(lambda: server.post("/flow_runs/filter", flow), 60, "the run with the form")
    ended(server, run["id"], "PAUSED")
    resume = f"/flow_runs/{run['id']}/resume"

    def answer(decision: str, reason: str) -> str:
        filled = {"decision": decision, "reason": reason, "decided_by": "Ada"}
        return str(server.post(resume, {"run_input": filled})["status"])

    wait_until(lambda: server.get(f"/flow_runs/{run['id']}/input/{FORM}-schema"), 30, "the form")
    assert answer("approve", "  ") == "REJECT"
    assert answer("approve", "looks right") == "ACCEPT"
    assert answer("reject", "second thoughts") == "ABORT"
    ended(server, run["id"], "COMPLETED")
    lines = (project / "lake/published/main/approvals.jsonl").read_text().splitlines()
    log = [(d["decision"], d["by"], d["reason"]) for d in map(json.loads, lines)]
    assert log[0][:2] == ("held", "policy")
    assert log[1:] == [("approved", "Ada", "looks right")]


@pytest.mark.usefixtures("worker")
def test_two_ingests_started_at_once_by_drift_queue_and_prefect_hears_of_the_refused_load(
    server: Server, project: Path
) -> None:
    """Started by the automation of flows/automations.py, fired by the event a look for drift emits."""
    newest = (project / "extracts/crm/deals_2026-10-02.jsonl").read_text().splitlines()
    (project / "extracts/crm/deals_2026-10-05.jsonl").write_text("\n".join(newest + newest[:3]) + "\n")
    server.post("/events", [{
        "occurred": datetime.now(UTC).isoformat(), "event": "icp.drift.detected", "id": str(uuid4()),
        "resource": {"prefect.resource.id": f"icp.{icp}"}, "payload": {"key": "concept/employees"},
    } for icp in ("main", "other")])  # fmt: skip

    def both() -> list[dict[str, Any]]:
        flow = {"flows": {"name": {"any_": ["icp-ingest"]}}}
        runs = [
            r for r in server.post("/flow_runs/filter", flow) if (r["created_by"] or {}).get("type") == "AUTOMATION"
        ]
        return runs if len(runs) == 2 and all(run["end_time"] for run in runs) else []

    first, second = sorted(wait_until(both, 240, "the end of both"), key=lambda run: str(run["start_time"]))
    assert first["state_type"] == "FAILED" and first["end_time"] <= second["start_time"]
    ledger = [json.loads(path.read_text()) for path in sorted((project / "lake/runs").glob("*.json"))]
    assert 5 not in {run["exit_code"] for run in ledger}
    told = event(server, "icp.gate.failed")
    assert told["run"] == "ingest" and "1 refused" in told["reason"]


@pytest.mark.usefixtures("worker")
def test_a_crashed_run_is_run_again_as_it_was(server: Server) -> None:
    """It asks about the candidate it was started for, which has been decided, not about the deployment's default."""
    found = server.get("/deployments/name/icp-approval/approval")
    later = {
        "type": "SCHEDULED",
        "state_details": {"scheduled_time": (datetime.now(UTC) + timedelta(days=1)).isoformat()},
    }
    body = {"parameters": found["parameters"] | {"icp": "main", "revision": "2024Q4/r1"}, "state": later}
    run = server.post(f"/deployments/{found['id']}/create_flow_run", body)["id"]
    server.post(f"/flow_runs/{run}/set_state", {"state": {"type": "CRASHED"}, "force": True})
    wait_until(lambda: server.get(f"/flow_runs/{run}")["state_type"] == "COMPLETED", 120, "the end of the second try")
    assert server.get(f"/flow_runs/{run}")["run_count"] == 1
