"""Every instant is in exactly one quarter, whatever the fiscal year, the time zone and the season."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icp.calendar import Calendar, Quarter
from icp.errors import ConfigError

ZONES = [
    "UTC",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/Havana",
    "Europe/Berlin",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
]

calendars = st.builds(Calendar, st.sampled_from(ZONES), st.integers(1, 12), st.integers(0, 30))
instants = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@given(calendars, instants)
def test_every_instant_is_in_exactly_one_quarter(calendar: Calendar, instant: datetime) -> None:
    quarter = calendar.quarter_of(instant)
    assert instant in quarter
    assert instant not in calendar.previous(quarter)
    assert instant not in calendar.previous(quarter, -1)
    assert calendar.quarter(quarter.label) == quarter


@given(calendars, instants)
def test_quarters_leave_no_gap(calendar: Calendar, instant: datetime) -> None:
    quarter = calendar.quarter_of(instant)
    following = calendar.previous(quarter, -1)
    assert quarter.end == following.start
    assert calendar.quarter_of(quarter.start) == quarter
    assert calendar.quarter_of(quarter.end) == following
    assert calendar.quarter_of(quarter.end - timedelta(microseconds=1)) == quarter


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Beirut"])
def test_a_fiscal_year_has_four_quarters_of_three_months(month: int, zone: str) -> None:
    calendar = Calendar(zone, month)
    year = calendar.range(calendar.quarter("2024Q1"), calendar.quarter("2024Q4"))
    starts = [quarter.start.astimezone(calendar.zone) for quarter in year]
    assert [start.month for start in starts] == [(month - 1 + shift) % 12 + 1 for shift in (0, 3, 6, 9)]
    assert {(start.day, start.hour) for start in starts} <= {(1, 0), (1, 1)}  # 1 o'clock where midnight is skipped
    assert (year[3].end - timedelta(days=1)).astimezone(calendar.zone).year == 2024


def test_half_past_two_utc_on_april_first_is_still_the_first_quarter_in_new_york() -> None:
    instant = datetime(2026, 4, 1, 2, 30, tzinfo=UTC)
    assert Calendar("UTC").quarter_of(instant).label == "2026Q2"
    assert Calendar("America/New_York").quarter_of(instant).label == "2026Q1"


def test_the_label_is_the_year_the_fiscal_year_ends_in() -> None:
    calendar = Calendar("UTC", fiscal_year_start_month=2)
    assert calendar.quarter("2026Q1").start == datetime(2025, 2, 1, tzinfo=UTC)
    assert calendar.quarter_of(datetime(2026, 1, 31, tzinfo=UTC)).label == "2026Q4"


def test_range_previous_and_as_of() -> None:
    calendar = Calendar("UTC", settle_days=5)
    first, last = calendar.quarter("2025Q3"), calendar.quarter("2026Q2")
    assert [q.label for q in calendar.range(first, last)] == ["2025Q3", "2025Q4", "2026Q1", "2026Q2"]
    assert calendar.range(last, first) == ()
    assert calendar.previous(last, 3) == first
    assert calendar.as_of(first) == datetime(2025, 10, 6, tzinfo=UTC)
    assert isinstance(first, Quarter) and str(first) == "2025Q3"


@given(calendars, instants)
def test_the_last_closed_quarter_has_settled_and_the_next_has_not(calendar: Calendar, now: datetime) -> None:
    quarter = calendar.last_closed(now)
    calendar.require_closed(quarter, now)
    following = calendar.previous(quarter, -1)
    assert calendar.as_of(following) > now
    with pytest.raises(ConfigError, match=f"newest quarter to run now is {quarter.label}"):
        calendar.require_closed(following, now)


def test_a_future_quarter_says_when_it_can_be_run() -> None:
    calendar = Calendar("America/New_York")
    with pytest.raises(
        ConfigError, match=r"2026Q3 is not over: it ends on 2026-10-01 .* run from 2026-10-06"
    ) as caught:
        calendar.require_closed(calendar.quarter("2026Q3"), datetime(2026, 8, 1, tzinfo=UTC))
    assert caught.value.exit_code == 2
    with pytest.raises(ConfigError, match="is settling"):
        calendar.require_closed(calendar.quarter("2026Q3"), datetime(2026, 10, 2, tzinfo=UTC))


@pytest.mark.parametrize("label", ["2026", "2026Q5", "26Q1", "Q1 2026", "2026q1", ""])
def test_a_label_that_is_no_quarter_is_refused(label: str) -> None:
    with pytest.raises(ConfigError, match="is not a quarter"):
        Calendar().quarter(label)


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Calendar().quarter_of(datetime(2026, 1, 1))
