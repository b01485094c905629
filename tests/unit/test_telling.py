"""Around a run: the ledger says what happened, the channels are told, and neither ever fails the run or changes its bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import stamina
from loopback import HttpSink, http_sink
from typer.testing import CliRunner

from flows.ingest import FailedSource, IngestResult
from flows.monitor import MonitorResult
from flows.refresh import RefreshResult
from flows.telling import Subject, observed, of_ingest, of_monitor, of_refresh
from icp import config
from icp.cli import app
from icp.config import Settings
from icp.drift_report import Alert, DriftReport, Finding, State, Watched
from icp.errors import GateFailed, LockHeld
from icp.published import PublishedStore
from icp.runs import Ledger, RunRecord

NOW = datetime(2026, 10, 12, 7, tzinfo=UTC)
PROJECT = """config_version: 1
company: Lumenworks
calendar: {timezone: America/New_York, settle_days: 5}
sources:
  crm: {kind: files, tables: {accounts: {path: a.csv, columns: {account_id: id}}}}
icps: {main: {}}
alerts:
  include_account_names: %s
  channels:
    team: {kind: slack, url: "${ENV:ICP_TEST_URL}", allow_private: true, attempts: 2}
"""


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpSink]:
    with http_sink() as running:
        monkeypatch.setenv("ICP_TEST_URL", running.url)
        yield running


def project(folder: Path, names: str = "false") -> Settings:
    (folder / "icp.yml").write_text(PROJECT % names, encoding="utf-8")
    return config.load(folder / "icp.yml", {})


def publish(settings: Settings, quarter: str, decision: Any = "approved") -> Path:
    store = PublishedStore(settings.lake, "main")
    working = store.open_working(quarter)
    (working / "gates").mkdir()
    (working / "lists").mkdir()
    (working / "gates/features.json").write_text('{"success": true}')
    (working / "lists/risers.csv").write_text("account_id,account_name\n1,<!channel> Acme & Sons\n")
    (working / "report.html").write_text("<html>")
    made = store.commit(working, quarter, {"run_key": quarter, "as_of": "2026-10-06T04:00:00+00:00"})
    store.record_decision(quarter, made.revision, decision, by="policy", reason="it rests on beliefs", at=NOW)
    return made.path


def run(settings: Settings, subject: Subject, work: Any, describe: Any, at: datetime = NOW) -> Any:
    ticks = (at + timedelta(seconds=len(Ledger(settings.lake).newest(99)) + n) for n in count())
    return observed(settings, subject, work, describe, at=at, clock=lambda: next(ticks), to_prefect=False)


def refreshed(settings: Settings, revision: Path, status: str = "published") -> Any:
    result = RefreshResult(status, "2026Q3", "ICP changed in 3 of 14 traits.", revision)
    return run(settings, Subject("refresh", "main", "2026Q3"), lambda: result, of_refresh)


def bodies(sink: HttpSink) -> list[str]:
    return [json.loads(request.body)["text"] for request in sink.requests]


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_refresh_is_told_once_recorded_every_time_and_leaves_its_bytes(tmp_path: Path, sink: HttpSink) -> None:
    settings = project(tmp_path)
    revision = publish(settings, "2026Q3")
    published = content(settings.lake / "published")
    refreshed(settings, revision)
    refreshed(settings, revision, "nothing_new")
    assert content(settings.lake / "published") == published
    assert bodies(sink) == ["Lumenworks ICP main: published. ICP changed in 3 of 14 traits."]
    again, first = Ledger(settings.lake).newest(9)
    assert (first["outcome"], again["outcome"]) == ("published", "nothing_new")
    assert first["revision"] == "2026Q3/r1" and first["gates"] == {"features": True} and first["exit_code"] == 0
    assert [a["channel"] for a in first["alerts"]] == ["team"] and again["alerts"] == []
    assert "s3cr3t" not in "".join(path.read_text() for path in settings.lake.rglob("*.json"))


def test_a_held_candidate_asks_and_names_accounts_only_when_allowed(tmp_path: Path, sink: HttpSink) -> None:
    settings = project(tmp_path, "true")
    refreshed(settings, publish(settings, "2026Q3", "held"))
    sent = sink.requests[0].body.decode()
    assert "icp approve 2026Q3/r1 --icp main" in sent and "it rests on beliefs" in sent
    assert "&lt;!channel&gt; Acme &amp; Sons" in sent and "<!channel>" not in sent


def failing(error: BaseException) -> Any:
    def work() -> None:
        raise error

    return work


def test_a_gate_that_fails_is_told_and_its_recovery_too(tmp_path: Path, sink: HttpSink) -> None:
    settings = project(tmp_path)
    subject = Subject("refresh", "main", "2026Q3")
    for _ in range(3):
        with pytest.raises(GateFailed):
            run(settings, subject, failing(GateFailed("gate features: refused\n  Acme Ltd")), of_refresh)
    refreshed(settings, publish(settings, "2026Q3"))
    assert bodies(sink)[0] == "Lumenworks ICP main: gate failed. gate features: refused"
    assert len(bodies(sink)) == 2 and "gate failed: recovered" in bodies(sink)[1]
    assert [r["exit_code"] for r in Ledger(settings.lake).newest(9)] == [0, 3, 3, 3]


def test_another_run_at_work_and_an_interruption_are_recorded_and_not_told(tmp_path: Path, sink: HttpSink) -> None:
    settings = project(tmp_path)
    for error in (LockHeld("another run"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            run(settings, Subject("refresh", "main", "2026Q3"), failing(error), of_refresh)
    assert sink.requests == []
    assert sorted(r["exit_code"] for r in Ledger(settings.lake).newest(9)) == [5, 130]


def test_a_channel_that_fails_never_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = project(tmp_path)
    monkeypatch.delenv("ICP_TEST_URL", raising=False)
    assert refreshed(settings, publish(settings, "2026Q3")).status == "published"
    last = Ledger(settings.lake).newest(1)[0]
    assert last["exit_code"] == 0 and "ICP_TEST_URL is not set" in last["alerts"][0]["error"]
    (settings.lake / "alerts/state.json").write_text("{garbage")
    assert refreshed(settings, publish(settings, "2026Q3")).status == "published"
    last = Ledger(settings.lake).newest(1)[0]
    assert last["exit_code"] == 0 and "Delete it" in last["alerts"][0]["error"]


def test_a_ledger_that_cannot_be_written_never_fails_the_run(tmp_path: Path) -> None:
    settings = project(tmp_path)
    revision = publish(settings, "2026Q3")
    (settings.lake / "runs").write_text("a file where a folder should be")
    assert refreshed(settings, revision).status == "published"


def look(settings: Settings, state: State, at: datetime) -> Any:
    day = f"{at:%Y-%m-%d}"
    lines = (Watched(Finding("concept", "employees", "Employees", 3, state, f"Employees: {state}."), state, 3),)
    report = DriftReport("main", "2026Q2/r1", "2026Q2", day, 3, 40, 10, state, "Headline.", {}, lines, (), 0.2)
    folder = settings.lake / "monitor/main"
    folder.mkdir(parents=True, exist_ok=True)
    is_look_back = any(path.stem > day for path in folder.glob("2*.json"))
    if not is_look_back:
        (folder / f"{day}.json").write_text("{}")
    result = MonitorResult(report, None if is_look_back else folder / f"{day}.json")
    return run(settings, Subject("monitor", "main"), lambda: result, of_monitor, at)


def test_weekly_looks_tell_the_drift_once_and_the_late_quarter(tmp_path: Path, sink: HttpSink) -> None:
    settings = project(tmp_path)
    publish(settings, "2026Q2")
    for week in range(8):
        state: State = "drift" if 1 <= week <= 4 else "ok"
        look(settings, state, NOW - timedelta(days=42 - 7 * week))
    look(settings, "drift", NOW - timedelta(days=42))  # a look back tells nothing
    told = [text.split(". ")[0].rstrip(".") for text in bodies(sink)]
    assert told == [
        "Lumenworks ICP main: drift. Employees: drift".split(". ")[0],
        "Lumenworks ICP main: drift: recovered",
        "Lumenworks ICP main: quarter late",
    ]


def test_prefect_hears_of_what_has_just_changed(tmp_path: Path) -> None:
    settings = project(tmp_path)
    publish(settings, "2026Q2")
    alerts = (Alert("concept/employees", "entered", "Employees drift."), Alert("concept/region", "recovered", "Calm."))
    report = DriftReport("main", "2026Q2/r1", "2026Q2", "2026-10-12", 3, 40, 10, "drift", "", {}, (), alerts, 0.2)
    result = MonitorResult(report, settings.lake / "monitor/main/2026-10-12.json")
    told = of_monitor(settings, Subject("monitor", "main"), result, NOW, RunRecord("monitor", "main", "", ""))
    assert [(name, payload["key"]) for name, payload in told.prefect_events] == [
        ("icp.drift.detected", "concept/employees"),
        ("icp.drift.recovered", "concept/region"),
    ]


def test_refused_loads_are_a_failed_gate(tmp_path: Path, sink: HttpSink) -> None:
    settings = project(tmp_path)
    result = IngestResult(("a",), ("b",), 10, ("row 7: Acme Ltd",))
    run(settings, Subject("ingest", ""), lambda: result, of_ingest)
    assert bodies(sink) == ["Lumenworks: gate failed. 1 load(s) accepted, 1 refused and kept in quarantine."]
    assert Ledger(settings.lake).newest(1)[0]["exit_code"] == 3


def test_a_source_that_fails_alone_is_told_and_the_next_pull_ends_it(tmp_path: Path, sink: HttpSink) -> None:
    settings = project(tmp_path)
    failed = (FailedSource("crm", "HubSpot answers 503. Run it again later.", 75),)
    run(settings, Subject("ingest", ""), lambda: IngestResult(("a",), (), 10, (), failed), of_ingest)
    assert bodies(sink) == ["Lumenworks: run failed. source crm: HubSpot answers 503. Run it again later."]
    assert Ledger(settings.lake).newest(1)[0]["exit_code"] == 75
    later = NOW + timedelta(days=1)
    run(settings, Subject("ingest", ""), lambda: IngestResult(("b",), (), 10, ()), of_ingest, later)
    assert len(bodies(sink)) == 2 and "source crm" not in bodies(sink)[1]


def test_a_run_that_was_killed_is_seen_as_never_ended(tmp_path: Path) -> None:
    settings = project(tmp_path)
    refreshed(settings, publish(settings, "2026Q3"))
    path = next((settings.lake / "runs").glob("*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "ended": None, "exit_code": None, "outcome": ""}))
    (settings.lake / "runs/19990101-torn.json").write_text("{")
    shown = CliRunner().invoke(app, ["runs", "-p", str(tmp_path)])
    assert (
        shown.exit_code == 0 and "never ended" in shown.output and "19990101-torn.json cannot be read" in shown.output
    )
    told = json.loads(CliRunner().invoke(app, ["runs", "--json", "-p", str(tmp_path)]).stdout)
    assert told["schema_version"] == 1 and len(told["runs"]) == 2


def test_alert_dry_run_prints_and_sends_nothing_and_test_sends_one(tmp_path: Path, sink: HttpSink) -> None:
    settings = project(tmp_path)
    revision = publish(settings, "2026Q3")
    revision.chmod(0o755)
    (revision / "diff.json").write_text('{"verdict": "Stable."}')
    shown = json.loads(CliRunner().invoke(app, ["alert", "--dry-run", "-p", str(tmp_path)]).stdout)
    assert shown[0]["channel"] == "team" and shown[0]["body"]["blocks"] and sink.requests == []
    done = CliRunner().invoke(app, ["alert", "--test", "--channel", "team", "-p", str(tmp_path)])
    assert done.exit_code == 0 and done.stdout == "team: delivered\n" and len(sink.requests) == 1
    for expected in ("team: delivered\n", "Nothing is due: every channel was told what goes on now.\n"):
        assert CliRunner().invoke(app, ["alert", "-p", str(tmp_path)]).stdout == expected


def test_alert_to_a_channel_that_is_down_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path)
    monkeypatch.delenv("ICP_TEST_URL", raising=False)
    done = CliRunner().invoke(app, ["alert", "--test", "-p", str(tmp_path)])
    assert "ICP_TEST_URL is not set" in done.stdout
    assert getattr(done.exception, "exit_code", None) == 6
