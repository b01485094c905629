"""The right run at the right time: every scheduled run, in any zone and whatever its clocks do, is of the right quarter."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.server.schemas.schedules import CronSchedule

from icp.calendar import Calendar

ROOT = Path(__file__).parents[2]
ZONES = ("UTC", "America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Australia/Sydney")
STARTS = (1, 2, 7, 10)
MONTHS = range(1, 13)
DEPLOYMENTS = {entry["name"]: entry for entry in yaml.safe_load((ROOT / "deployments.yaml").read_text())["deployments"]}


def fires(name: str, zone: str, first: datetime, last: datetime) -> list[datetime]:
    """When Prefect starts a deployment, were the company in this zone."""
    (entry,) = DEPLOYMENTS[name]["schedules"]
    return fires_at(entry["cron"], zone, first, last)


def fires_at(cron: str, zone: str, first: datetime, last: datetime) -> list[datetime]:
    schedule = CronSchedule(cron=cron, timezone=zone)
    dates = asyncio.run(schedule.get_dates(n=1000, start=first, end=last))
    return [datetime.fromtimestamp(date.timestamp(), UTC) for date in dates]


def by_hand(instant: datetime, zone: str, start: int) -> str:
    """The fiscal quarter counted month by month on a wall calendar, as a person would."""
    local = instant.astimezone(ZoneInfo(zone))
    year = local.year if local.month >= start else local.year - 1
    months = [(start - 1 + shift) % 12 + 1 for shift in range(12)]
    quarter = months.index(local.month) // 3 + 1
    return f"{year + (start > 1)}Q{quarter}"


@pytest.mark.parametrize(("zone", "start"), list(product(ZONES, STARTS)))
@settings(max_examples=30)
@given(st.integers(1990, 2060), st.integers(0, 27 * 24 * 60 - 1))
def test_all_months_are_in_the_quarter_a_wall_calendar_says(zone: str, start: int, year: int, minute: int) -> None:
    calendar = Calendar(zone, start)
    for month in MONTHS:
        edge = datetime(year, month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for instant in (edge, edge - timedelta(microseconds=1), edge + timedelta(minutes=minute)):
            assert calendar.quarter_of(instant).label == by_hand(instant, zone, start)


@pytest.mark.parametrize(
    ("zone", "label"),
    [
        ("UTC", "2026Q2"),
        ("America/New_York", "2026Q1"),
        ("America/Los_Angeles", "2026Q1"),
        ("Europe/Berlin", "2026Q2"),
        ("Asia/Kolkata", "2026Q2"),
        ("Australia/Sydney", "2026Q2"),
    ],
)
def test_half_past_two_utc_on_april_first_per_zone(zone: str, label: str) -> None:
    assert Calendar(zone).quarter_of(datetime(2026, 4, 1, 2, 30, tzinfo=UTC)).label == label


@pytest.mark.parametrize("zone", ZONES)
def test_every_quarterly_run_is_of_the_quarter_that_has_just_closed(zone: str) -> None:
    calendar = Calendar(zone)
    runs = fires("quarterly", zone, datetime(2024, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, tzinfo=UTC))
    told = Counter(calendar.last_closed(run).label for run in runs)
    expected = {quarter.label for quarter in calendar.range(calendar.quarter("2023Q4"), calendar.quarter("2027Q3"))}
    assert set(told) == expected and set(told.values()) == {14}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "time", ["15 5", "30 1", "30 2"]
)  # as deployed, and where clocks leave an hour out or repeat it
def test_no_change_of_the_clocks_loses_or_doubles_a_daily_run(zone: str, time: str) -> None:
    assert DEPLOYMENTS["daily"]["schedules"][0]["cron"].startswith("15 5 ")
    runs = fires_at(f"{time} * * *", zone, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    days = [run.astimezone(ZoneInfo(zone)).date() for run in runs]
    assert len(days) == len(set(days))
    assert {later - earlier for earlier, later in pairwise(days)} == {timedelta(days=1)}


def test_scheduled_refreshes_wait_for_extracts_and_one_run_at_a_time() -> None:
    assert DEPLOYMENTS["quarterly"]["parameters"]["wait"] is True
    scheduled: list[Any] = [entry for entry in DEPLOYMENTS.values() if entry.get("schedules")]
    assert {entry["concurrency_limit"]["limit"] for entry in scheduled} == {1}
    assert {entry["concurrency_limit"]["collision_strategy"] for entry in scheduled} == {"ENQUEUE"}
