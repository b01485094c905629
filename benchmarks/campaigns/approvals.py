"""Approval by form and at a terminal, too late, twice, past the deadline, and the way back, on a real server with a worker.

`icp up` runs server and worker; candidates are small published revisions, since only what becomes of them matters here.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.campaigns.runner import arguments, write_table
from icp import config
from icp.config import Settings
from icp.lake import Lake
from icp.published import PublishedStore

ROOT = Path(__file__).resolve().parents[2]
DAYS = 14
PROJECT = """config_version: 1
company: Lumenworks
sources:
  crm: {kind: files, tables: {accounts: {path: "accounts_*.csv", columns: {account_id: id, account_name: name}}}}
icps: {main: {approval: {mode: ask, deadline_days: %s}}}
"""


@dataclass
class Bench:
    """The project, its store and the server that watches it."""

    settings: Settings
    store: PublishedStore
    api: str

    def hold(self, quarter: str, since: datetime) -> None:
        """Publish a candidate that waits since then; a further revision where the quarter has one."""
        working, number = self.store.open_working(quarter), len(self.store.revisions(quarter)) + 1
        (working / "diff.md").write_text(f"# ICP main, {quarter}\n\nRevision {number}.\n", encoding="utf-8")
        made = self.store.commit(working, quarter, {"run_key": f"{quarter}/{number}"})
        self.store.record_decision(quarter, made.revision, "held", by="policy", reason="asked to", at=since)

    def ask(self) -> int:
        from flows.approval import ask_for_approval

        return ask_for_approval(self.settings, datetime.now(UTC))

    def run(self, quarter: str, revision: int = 1) -> dict[str, Any]:
        """The run that asks about this candidate, once it waits."""

        def found() -> Any:
            about = {"flow_runs": {"name": {"like_": f"main-{quarter}/r{revision}"}}}
            waits = [run for run in self._post("/flow_runs/filter", about) if run["state_name"] == "Suspended"]
            return waits if waits and self._form(waits[0]["id"], quarter, revision) else None

        (run,) = self._until(found)
        return dict(run)

    def answer(self, run: dict[str, Any], decision: str, reason: str) -> str:
        filled = {"decision": decision, "reason": reason, "decided_by": "Ada"}
        return str(self._post(f"/flow_runs/{run['id']}/resume", {"run_input": filled})["status"])

    def end(self, run: dict[str, Any]) -> str:
        """The state the run ends in."""

        def ended() -> Any:
            state = self._get(f"/flow_runs/{run['id']}")["state_name"]
            return state if state in {"Completed", "Failed", "Crashed", "Cancelled"} else None

        return str(self._until(ended))

    def icp(self, *words: str) -> int:
        command = [sys.executable, "-m", "icp.cli", *words, "-p", str(self.settings.path)]
        return subprocess.run(command, check=False, capture_output=True, env=_environment()).returncode

    def crash(self, run: dict[str, Any]) -> None:
        """What Prefect makes of a run whose worker was killed with it."""
        self._post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "CRASHED"}, "force": True})

    def ends_at(self, run: dict[str, Any]) -> Any:
        return self._get(f"/flow_runs/{run['id']}")["state"]["state_details"]["pause_timeout"]

    def last(self, quarter: str) -> str:
        found = self.store.decision_on(quarter, len(self.store.revisions(quarter)))
        return f"{found.decision} by {found.by}: {found.reason}" if found else ""

    def in_force(self) -> str:
        current = self.store.current()
        return str(current["quarter"]) if current else "none"

    def lines(self) -> int:
        return len((self.store.root / "approvals.jsonl").read_text(encoding="utf-8").splitlines())

    def _form(self, run: str, quarter: str, revision: int) -> Any:
        key = f"suspended-icp-main-{quarter.lower()}-r{revision}-approval-schema"
        try:
            return self._get(f"/flow_runs/{run}/input/{key}")
        except urllib.error.HTTPError:
            return None

    def _until(self, found: Callable[[], Any], seconds: float = 300) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = found()
            if answer:
                return answer
            time.sleep(1)
        raise TimeoutError(f"nothing within {seconds:.0f} s")

    def _post(self, path: str, body: Any) -> Any:
        return self._sent(
            urllib.request.Request(f"{self.api}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        )

    def _get(self, path: str) -> Any:
        return self._sent(urllib.request.Request(f"{self.api}{path}"))

    def _sent(self, request: urllib.request.Request) -> Any:
        for _ in range(30):
            try:
                with urllib.request.urlopen(request, timeout=300) as answer:
                    return json.loads(answer.read())
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(1)  # SQLite was busy; nothing was done
        raise TimeoutError(request.full_url)


def campaign(bench: Bench) -> pd.DataFrame:
    """One row per case: what was done, what Prefect said, what the log says then, what is in force."""
    rows: list[dict[str, Any]] = []

    def row(case: str, quarter: str, answered: str, ended: str, *, expected: str) -> None:
        found = f"{bench.last(quarter).split(' by ')[0]}, {bench.in_force()} in force"
        rows.append({
            "case": case, "answer": answered, "run": ended, "log": bench.last(quarter), "in_force": bench.in_force(),
            "as_expected": found == expected,
        })  # fmt: skip
        print(rows[-1], flush=True)

    now = datetime.now(UTC)
    bench.hold("2026Q1", now)
    asked = (bench.ask(), bench.ask())
    run = bench.run("2026Q1")
    row("asked for twice: one run with a form", "2026Q1", str(asked), "Suspended", expected="held, none in force")
    row(
        "form without a reason",
        "2026Q1",
        bench.answer(run, "approve", " "),
        "Suspended",
        expected="held, none in force",
    )
    first = bench.answer(run, "approve", "looks right")
    row("form approves", "2026Q1", first, bench.end(run), expected="approved, 2026Q1 in force")
    row("form once more", "2026Q1", bench.answer(run, "reject", "no"), "", expected="approved, 2026Q1 in force")

    bench.hold("2026Q2", now)
    bench.ask()
    run, lines = bench.run("2026Q2"), bench.lines()
    bench.icp("reject", "2026Q2", "--reason", "too few wins", "--by", "Bob")
    late = bench.answer(run, "approve", "too late")
    ended = bench.end(run)
    row("terminal rejects, form approves later", "2026Q2", late, ended, expected="rejected, 2026Q1 in force")
    assert bench.lines() == lines + 1

    bench.hold("2026Q3", now)
    bench.ask()
    run = bench.run("2026Q3")
    with Lake(bench.settings.lake).lock():
        answered = bench.answer(run, "reject", "not convincing")
        time.sleep(20)
        meanwhile = bench.last("2026Q3")
    row("form answered while a run holds the lake", "2026Q3", f"{answered}; meanwhile {meanwhile.split()[0]}",
        bench.end(run), expected="rejected, 2026Q1 in force")  # fmt: skip

    bench.hold("2026Q4", datetime.now(UTC) - timedelta(days=DAYS) + timedelta(seconds=60))
    bench.ask()
    run = bench.run("2026Q4")
    time.sleep(60)
    late = bench.answer(run, "approve", "too late")
    bench.icp("ingest", "--plain")
    row("deadline passes, form comes later", "2026Q4", late, "", expected="lapsed, 2026Q1 in force")
    code = bench.icp("approve", "2026Q4", "--reason", "right after all", "--by", "Bob")
    row("terminal approves what lapsed", "2026Q4", f"exit {code}", "", expected="approved, 2026Q4 in force")
    code = bench.icp("rollback", "--reason", "tiers broke routing", "--by", "Bob")
    row("roll back", "2026Q4", f"exit {code}", "", expected="rolled_back, 2026Q1 in force")

    bench.hold("2027Q1", now)
    bench.ask()
    run = bench.run("2027Q1")
    bench.icp("reject", "2027Q1", "--reason", "too few wins", "--by", "Bob")
    bench.ask()
    row("terminal rejects, the next refresh closes the form", "2027Q1", "", bench.end(run),
        expected="rejected, 2026Q1 in force")  # fmt: skip

    bench.hold("2027Q2", now)
    bench.ask()
    older = bench.run("2027Q2")
    bench.hold("2027Q2", now)
    bench.ask()
    ended, newer = bench.end(older), bench.run("2027Q2", 2)
    answered = bench.answer(newer, "approve", "the later extract is right")
    row("a later revision is held: the older form closes, the newer asks", "2027Q2", answered,
        f"{ended}, {bench.end(newer)}", expected="approved, 2027Q2 in force")  # fmt: skip

    bench.hold("2027Q3", now)
    bench.ask()
    run = bench.run("2027Q3")
    bench.crash(run)
    bench.ask()
    again = bench.run("2027Q3")
    answered = bench.answer(again, "approve", "asked twice, answered once")
    row("the run with the form is killed, the next refresh asks again", "2027Q3", answered,
        f"Crashed, {bench.end(again)}", expected="approved, 2027Q3 in force")  # fmt: skip

    (bench.settings.root / "icp.yml").write_text(PROJECT % "null", encoding="utf-8")
    bench.settings = config.load(bench.settings.root)
    bench.hold("2027Q4", now - timedelta(days=400))
    bench.ask()
    run = bench.run("2027Q4")
    until, answered = bench.ends_at(run), bench.answer(run, "approve", "better late")
    row("no deadline: a form without an end, about a candidate of 400 days", "2027Q4", answered,
        f"until {until}, {bench.end(run)}", expected="approved, 2027Q4 in force")  # fmt: skip
    return pd.DataFrame(rows)


@contextmanager
def running(folder: Path) -> Iterator[Bench]:
    """A project with `icp up` beside it."""
    (folder / "icp.yml").write_text(PROJECT % DAYS, encoding="utf-8")
    (folder / "accounts_1.csv").write_text("id,name\n1,Acme\n", encoding="utf-8")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    os.environ["PREFECT_API_URL"] = api = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "icp.cli", "up", "-p", str(folder / "icp.yml"), "--home", str(ROOT)]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        while "Prefect is on" not in (line := process.stdout.readline()):
            if not line:
                raise RuntimeError("`icp up` ended.")
        settings = config.load(folder)
        yield Bench(settings, PublishedStore(settings.lake, "main"), api)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _environment() -> dict[str, str]:
    return {**os.environ, "PREFECT_WORKER_QUERY_SECONDS": "2", "PYTHONPATH": str(ROOT)}


def main() -> None:
    """Every case once."""
    options = arguments(__doc__ or "", 1, ())
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as bench:
        write_table("approvals", campaign(bench), options.results)


if __name__ == "__main__":
    main()
