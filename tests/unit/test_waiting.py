"""A scheduled refresh waits for the extracts of its quarter, says for which, and does not wait for what will never come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from flows.backfill import backfill, quarters_to_fill
from flows.refresh import RefreshResult, SomeIcpsFailed, refresh_all
from flows.waiting import require_extracts
from icp import config
from icp.config import Settings
from icp.errors import ConfigError, GateFailed, NotYet
from icp.lake import Lake, SourceFile, TableToLand
from icp.published import PublishedStore
from icp.runs import Ledger

PROJECT = """config_version: 1
company: Lumenworks
calendar: {timezone: America/New_York, settle_days: 5}
sources:
  crm:
    kind: files
    may_be_stale_days: %s
    tables:
      accounts: {path: a.csv, columns: {account_id: id}}
      opportunities: {path: d.csv, columns: {opportunity_id: id, account_id: a, is_closed: c, is_won: w, created_at: o}}
      web_activity: {path: w.csv, columns: {account_id: a, activity_date: d, visits: v}}
icps: {main: {}, second: {}}
"""


def project(folder: Path, may_be_stale: str = "null") -> Settings:
    (folder / "icp.yml").write_text(PROJECT % may_be_stale, encoding="utf-8")
    return config.load(folder / "icp.yml", {})


def land(settings: Settings, day: datetime, *tables: str, source: str = "crm") -> None:
    lake = Lake(settings.lake)
    for table in tables:
        rows = TableToLand(pa.table({"_row": [1]}), (SourceFile(f"{table}.csv", f"{source}{table}{day}", 1),), "m")
        staged = lake.stage_load(source=source, effective_at=day, extracted_at=day, tables={table: rows})
        lake.accept(staged, {})


JUNE, JULY, AUGUST = (datetime(2026, month, day, 4, tzinfo=UTC) for month, day in ((6, 24), (7, 1), (8, 1)))


def test_it_waits_for_accounts_and_outcomes_and_for_nothing_else(tmp_path: Path) -> None:
    settings = project(tmp_path)
    quarter = settings.calendar.quarter("2026Q2")
    with pytest.raises(NotYet, match=r"accounts .source crm.: none has landed, needed one of 2026-07-01"):
        require_extracts(settings, "main", quarter)
    land(settings, JULY, "accounts")
    land(settings, JUNE, "opportunities")
    with pytest.raises(NotYet) as waits:
        require_extracts(settings, "main", quarter)
    assert "opportunities (source crm): 2026-06-24, needed one of 2026-07-01" in str(waits.value)
    assert "accounts" not in str(waits.value) and "web_activity" not in str(waits.value)
    assert waits.value.exit_code == 75
    land(settings, JULY, "opportunities")  # midnight in New York: the first instant after the quarter
    require_extracts(settings, "main", quarter)


def test_half_of_a_table_that_two_sources_bring_is_not_the_table(tmp_path: Path) -> None:
    crm = PROJECT[PROJECT.index("  crm:") : PROJECT.index("icps:")] % "null"
    both = (PROJECT % "null").replace("icps:", crm.replace("  crm:", "  second_crm:") + "icps:")
    (tmp_path / "icp.yml").write_text(both, encoding="utf-8")
    settings = config.load(tmp_path / "icp.yml", {})
    quarter = settings.calendar.quarter("2026Q2")
    for late, there in (("crm", "second_crm"), ("second_crm", "crm")):
        land(settings, JUNE, "accounts", "opportunities", source=late)
        land(settings, JULY, "accounts", source=there)
        with pytest.raises(NotYet, match=rf"opportunities .source {late}.: 2026-06-24"):
            require_extracts(settings, "main", quarter)
    land(settings, JULY, "opportunities", source="crm")
    with pytest.raises(NotYet, match="source second_crm"):
        require_extracts(settings, "main", quarter)
    land(settings, JULY, "opportunities", source="second_crm")
    require_extracts(settings, "main", quarter)


def test_a_source_that_may_lag_is_waited_for_no_longer_than_that(tmp_path: Path) -> None:
    settings = project(tmp_path, "7")
    land(settings, JUNE, "accounts", "opportunities")
    require_extracts(settings, "main", settings.calendar.quarter("2026Q2"))
    with pytest.raises(NotYet):
        require_extracts(settings, "main", settings.calendar.quarter("2026Q3"))


def test_a_later_extract_ends_the_waiting_for_an_earlier_one(tmp_path: Path) -> None:
    settings = project(tmp_path)
    land(settings, JUNE, "accounts", "opportunities")
    land(settings, AUGUST, "accounts", "opportunities")
    require_extracts(settings, "main", settings.calendar.quarter("2026Q2"))


def test_a_clock_that_jumped_a_quarter_ahead_publishes_nothing(tmp_path: Path) -> None:
    """The newest quarter "has closed", by that clock; its extracts cannot be there, so the run waits and says so."""
    settings = project(tmp_path)
    land(settings, JULY, "accounts", "opportunities")
    with pytest.raises(SomeIcpsFailed, match=r"2 of 2 ICPs wait.*(\n.*)*2026Q3 waits for its extracts") as failure:
        refresh_all(settings, quarter=None, now=datetime(2026, 10, 7, 10, tzinfo=UTC), wait=True)
    assert failure.value.only_waits and failure.value.exit_code == 75
    assert not (settings.lake / "published/main/2026Q3").exists()
    assert {(run["outcome"], run["exit_code"]) for run in Ledger(settings.lake).newest(9)} == {("waiting", 75)}


def test_a_clock_that_jumped_back_asks_for_no_quarter_twice(tmp_path: Path) -> None:
    settings = project(tmp_path)
    with pytest.raises(SomeIcpsFailed, match="2026Q3 has ended but is settling"):
        refresh_all(settings, quarter="2026Q3", now=datetime(2026, 10, 3, tzinfo=UTC), wait=True)
    assert PublishedStore(settings.lake, "main").quarters() == []


def test_a_backfill_goes_in_order_and_stops_where_it_fails(tmp_path: Path) -> None:
    settings = project(tmp_path)
    now = datetime(2026, 10, 7, tzinfo=UTC)
    quarters = quarters_to_fill(settings, "2025Q4", None, now)
    assert [quarter.label for quarter in quarters] == ["2025Q4", "2026Q1", "2026Q2", "2026Q3"]
    asked: list[tuple[str, str]] = []

    def one(icp: str, label: str) -> RefreshResult:
        asked.append((icp, label))
        if label == "2026Q2":
            raise GateFailed("no")
        return RefreshResult("published", label, "First profile.")

    with pytest.raises(GateFailed):
        backfill(settings, icps=("main", "second"), quarters=quarters, refresh_one=one)
    assert asked == [("main", "2025Q4"), ("main", "2026Q1"), ("main", "2026Q2")]
    for first, last, problem in (
        ("2026Q2", "2026Q1", "is before --from"),
        ("2026Q2", "2026Q4", "is not over"),
        ("nonsense", None, "is not a quarter"),
    ):
        with pytest.raises(ConfigError, match=problem):
            quarters_to_fill(settings, first, last, now + timedelta(days=1))
