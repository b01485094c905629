"""Who may put an ICP in force, for how long it is waited for, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loopback import HttpSink, http_sink
from small_profiles import profile as small_profile
from typer.testing import CliRunner

from flows.approval import _patience
from flows.approvals import answer_form, let_lapse, roll_back, waiting
from icp import config
from icp.approval import Approval, guarded
from icp.cli import app
from icp.config import Settings
from icp.errors import ConfigError
from icp.lake import Lake
from icp.published import PublishedStore

HELD = datetime(2026, 10, 7, 6, tzinfo=UTC)
PROJECT = """config_version: 1
company: Lumenworks
sources:
  crm: {kind: files, tables: {accounts: {path: a.csv, columns: {account_id: id}}}}
icps: {main: {approval: {deadline_days: %s}}}
alerts:
  channels:
    team: {kind: slack, url: "${ENV:ICP_TEST_URL}", allow_private: true}
"""


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpSink]:
    with http_sink() as running:
        monkeypatch.setenv("ICP_TEST_URL", running.url)
        yield running


def project(folder: Path, deadline: str = "14") -> tuple[Settings, PublishedStore]:
    (folder / "icp.yml").write_text(PROJECT % deadline, encoding="utf-8")
    settings = config.load(folder / "icp.yml", {})
    return settings, PublishedStore(settings.lake, "main")


def publish(store: PublishedStore, quarter: str, decision: Any, at: datetime = HELD) -> None:
    working = store.open_working(quarter)
    (working / "diff.md").write_text(f"{quarter} {len(store.revisions(quarter))}")
    made = store.commit(working, quarter, {"run_key": f"{quarter}{len(store.revisions(quarter))}"})
    store.record_decision(quarter, made.revision, decision, by="policy", reason="as it happens", at=at)


def in_force(store: PublishedStore) -> str | None:
    current = store.current()
    return f"{current['quarter']}/r{current['revision']}" if current else None


@pytest.mark.parametrize(
    ("moved", "most", "warnings", "decision", "reason"),
    [
        (300, None, (), "approved", "first"),
        (300, 0.3, (), "approved", "first"),
        (301, 0.3, (), "held", "301 of 1,000 accounts (30%) would change tier, more than the 30%"),
        (0, 0.0, (), "approved", "first"),
        (0, None, ("features: too few rows", "outbound: x"), "held", "features: too few rows and 1 more"),
    ],
)
def test_the_policy_asks_where_many_move_or_a_gate_warned(
    moved: int, most: float | None, warnings: tuple[str, ...], decision: str, reason: str
) -> None:
    candidate = small_profile([])
    answer = guarded(
        Approval("approved", "first"), candidate, moved=moved, compared=1000, most_moves=most, warnings=warnings
    )
    assert answer.decision == decision and reason in answer.reason
    kept = replace(candidate, state="kept")  # who moves then, moves because the account changed: nothing to ask
    assert guarded(Approval("approved"), kept, moved=900, compared=1000, most_moves=0.1, warnings=warnings) == Approval(
        "approved"
    )


def test_what_nobody_answers_in_time_lapses_once_and_the_icp_in_force_stays(tmp_path: Path, sink: HttpSink) -> None:
    settings, store = project(tmp_path)
    publish(store, "2026Q2", "approved")
    publish(store, "2026Q3", "held")
    (found,) = waiting(settings)
    assert (found.name, found.until) == ("2026Q3/r1", HELD + timedelta(days=14))
    assert let_lapse(settings, HELD + timedelta(days=13, hours=23)) == []
    over = HELD + timedelta(days=14)
    assert [candidate.name for candidate in let_lapse(settings, over)] == ["2026Q3/r1"]
    assert let_lapse(settings, over + timedelta(days=1)) == [] and waiting(settings) == []
    decision = store.decision_on("2026Q3", 1)
    assert decision and (decision.decision, decision.by) == ("lapsed", "the deadline")
    assert "nobody answered within 14 days" in decision.reason
    assert in_force(store) == "2026Q2/r1"
    (told,) = [json.loads(request.body)["text"] for request in sink.requests]
    assert "2026Q3/r1 of ICP main lapsed" in told and "icp approve 2026Q3/r1" in told


def test_a_run_that_holds_the_lake_leaves_the_lapse_to_the_next(tmp_path: Path, sink: HttpSink) -> None:
    settings, store = project(tmp_path, deadline="1")
    publish(store, "2026Q3", "held")
    over = HELD + timedelta(days=2)
    with Lake(settings.lake).lock():
        assert let_lapse(settings, over) == []
    assert len(let_lapse(settings, over)) == 1
    assert len(sink.requests) == 1


def test_without_a_deadline_a_candidate_waits_for_ever(tmp_path: Path) -> None:
    settings, store = project(tmp_path, deadline="null")
    publish(store, "2026Q3", "held")
    assert let_lapse(settings, HELD + timedelta(days=4000)) == []
    assert waiting(settings)[0].until is None and _patience(waiting(settings)[0], HELD) is None


def test_a_form_answers_once_and_not_after_a_terminal_or_the_deadline(tmp_path: Path, sink: HttpSink) -> None:
    settings, store = project(tmp_path)
    for quarter, decision in (("2026Q1", "approved"), ("2026Q2", "held"), ("2026Q3", "held")):
        publish(store, quarter, decision)
    day = HELD + timedelta(days=1)
    first = answer_form(settings, "main", "2026Q2/r1", "approved", by="Ada", reason="looks right", now=day)
    assert first == (True, "2026Q2/r1 approved by Ada. 2026Q2/r1 is the ICP in force.")
    log = (store.root / "approvals.jsonl").read_bytes()
    counted, told = answer_form(settings, "main", "2026Q2/r1", "rejected", by="Bob", reason="no", now=day)
    assert not counted and "too late" in told and "approved 2026-10-08T06:00 by Ada: looks right" in told
    assert (store.root / "approvals.jsonl").read_bytes() == log
    late = HELD + timedelta(days=15)
    counted, told = answer_form(settings, "main", "2026Q3/r1", "approved", by="Bob", reason="at last", now=late)
    assert not counted and "lapsed" in told and in_force(store) == "2026Q2/r1"
    decision = store.decision_on("2026Q3", 1)
    assert decision and decision.decision == "lapsed"


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\r\n", "\x0c"])
def test_a_reason_pasted_with_any_line_separator_leaves_the_log_readable(tmp_path: Path, odd: str) -> None:
    settings, store = project(tmp_path)
    publish(store, "2026Q1", "held")
    reason = f"as agreed{odd}in the meeting"
    answer_form(settings, "main", "2026Q1/r1", "approved", by=f"Ada{odd}L", reason=reason, now=HELD)
    decision = store.decision_on("2026Q1", 1)
    assert decision and decision.reason == reason and in_force(store) == "2026Q1/r1"


def test_a_candidate_steps_back_for_a_later_revision_of_its_quarter(tmp_path: Path) -> None:
    settings, store = project(tmp_path)
    for quarter, decision in (("2026Q1", "approved"), ("2026Q2", "held"), ("2026Q2", "held")):
        publish(store, quarter, decision)
    assert [candidate.name for candidate in waiting(settings)] == ["2026Q2/r2"]
    counted, told = answer_form(settings, "main", "2026Q2/r1", "approved", by="Ada", reason="late", now=HELD)
    assert not counted and "2026Q2/r2 held" in told and in_force(store) == "2026Q1/r1"
    assert answer_form(settings, "main", "2026Q2/r2", "rejected", by="Ada", reason="no", now=HELD)[0]
    assert waiting(settings) == []
    publish(store, "2026Q2", "approved")
    counted, told = answer_form(settings, "main", "2026Q2/r1", "approved", by="Ada", reason="late", now=HELD)
    assert not counted and "2026Q2/r3 approved" in told and in_force(store) == "2026Q2/r3"


def test_what_a_revision_replaced_waits_again_when_it_is_rolled_back(tmp_path: Path) -> None:
    settings, store = project(tmp_path)
    for quarter, decision in (("2026Q1", "approved"), ("2026Q2", "held"), ("2026Q2", "approved")):
        publish(store, quarter, decision)
    assert waiting(settings) == []
    store.record_decision("2026Q2", 2, "rolled_back", by="Ada", reason="broke routing", at=HELD)
    assert [candidate.name for candidate in waiting(settings)] == ["2026Q2/r1"]


def test_rolling_back_puts_the_one_before_in_force_and_loses_nothing(tmp_path: Path) -> None:
    _, store = project(tmp_path)
    publish(store, "2026Q1", "approved")
    publish(store, "2026Q2", "approved")
    publish(store, "2026Q3", "approved")
    publish(store, "2026Q3", "approved")
    answer = roll_back(store, None, by="Ada", reason="r2 was a mistake", at=HELD)
    assert answer == "2026Q3/r2 rolled back by Ada. 2026Q3/r1 is the ICP in force."
    with pytest.raises(ConfigError, match=r"2024Q1 is not approved.* approved are 2026Q1/r1, 2026Q2/r1, 2026Q3/r1"):
        roll_back(store, "2024Q1", by="Ada", reason="why", at=HELD)
    answer = roll_back(store, "2026Q1", by="Ada", reason="back to spring", at=HELD)
    assert answer == "2026Q3/r1, 2026Q2/r1 rolled back by Ada. 2026Q1/r1 is the ICP in force."
    with pytest.raises(ConfigError, match="2026Q1 is in force already"):
        roll_back(store, "2026Q1", by="Ada", reason="again", at=HELD)
    with pytest.raises(ConfigError, match="--reason is empty"):
        roll_back(store, None, by="Ada", reason=" ", at=HELD)
    assert store.record_decision("2026Q3", 2, "approved", by="Ada", reason="right after all", at=HELD)
    assert in_force(store) == "2026Q3/r2"
    assert all(store.verify(quarter, 1) == () for quarter in ("2026Q1", "2026Q2", "2026Q3"))


def test_rolling_back_at_a_terminal_is_logged_with_who_and_why(tmp_path: Path) -> None:
    _, store = project(tmp_path)
    publish(store, "2026Q2", "approved")
    publish(store, "2026Q3", "approved")
    asked = ["rollback", "--reason", "tiers broke routing", "--by", "Ada", "-p", str(tmp_path / "icp.yml")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0 and "2026Q3/r1 rolled back by Ada. 2026Q2/r1 is the ICP in force." in done.output
    last = json.loads((store.root / "approvals.jsonl").read_text().splitlines()[-1])
    assert (last["decision"], last["by"], last["reason"]) == ("rolled_back", "Ada", "tiers broke routing")
    assert "Rolled back" in (store.root / "index.html").read_text(encoding="utf-8")
    roll_back(store, None, by="Ada", reason="none is better", at=HELD)
    assert in_force(store) is None
    with pytest.raises(ConfigError, match="nothing to roll back"):
        roll_back(store, None, by="Ada", reason="again", at=HELD)
