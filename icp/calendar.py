"""Fiscal quarters: which quarter an instant belongs to, when a quarter is over, and as of when it is told.

A quarter is a half-open range of instants [start, end) whose edges are midnights in the company's own time zone, so
that every instant is in exactly one quarter: 02:30Z on 1 April is Q2 in UTC but still Q1 in New York. The label carries
the year the fiscal year *ends* in: with a fiscal year from February, 2026Q1 starts on 1 February 2025.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from icp.errors import ConfigError

LABEL = re.compile(r"(\d{4})Q([1-4])")


@dataclass(frozen=True, order=True)
class Quarter:
    """One fiscal quarter: instants from `start` up to, not including, `end` (both aware, UTC)."""

    start: datetime
    end: datetime
    label: str

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Calendar:
    """The company's fiscal calendar.

    Attributes:
        timezone: IANA name of the zone whose midnights divide the quarters.
        fiscal_year_start_month: Month (1-12) the fiscal year starts in.
        settle_days: Days after a quarter's end before its data are taken as complete.
    """

    timezone: str = "UTC"
    fiscal_year_start_month: int = 1
    settle_days: int = 5

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone whose midnights divide the quarters."""
        return ZoneInfo(self.timezone)

    def quarter(self, label: str) -> Quarter:
        """The quarter with this label, for example `2026Q3`.

        >>> Calendar("America/New_York").quarter("2026Q1").end.isoformat()
        '2026-04-01T04:00:00+00:00'
        """
        match = LABEL.fullmatch(label)
        if match is None:
            raise ConfigError(f"{label!r} is not a quarter. Write the fiscal year and the quarter, for example 2026Q3.")
        return self._at(int(match[1]) * 4 + int(match[2]) - 1)

    def quarter_of(self, instant: datetime) -> Quarter:
        """The one quarter this instant lies in."""
        if instant.tzinfo is None:
            raise ValueError(f"{instant.isoformat()} has no time zone, so it lies in no certain quarter")
        local = instant.astimezone(self.zone)
        months = local.year * 12 + local.month - 1 + (13 - self.fiscal_year_start_month) % 12
        return self._at(months // 3)

    def previous(self, quarter: Quarter, n: int = 1) -> Quarter:
        """The quarter `n` before this one (after it, when `n` is negative)."""
        return self._at(_ordinal(quarter) - n)

    def range(self, first: Quarter, last: Quarter) -> tuple[Quarter, ...]:
        """All quarters from first to last, both included, oldest first; empty when last is before first."""
        return tuple(self._at(n) for n in range(_ordinal(first), _ordinal(last) + 1))

    def as_of(self, quarter: Quarter) -> datetime:
        """The instant a quarter is told as of: late rows that arrive within the settling days still count."""
        return quarter.end + timedelta(days=self.settle_days)

    def last_closed(self, now: datetime) -> Quarter:
        """The newest quarter that has ended and settled by `now`."""
        quarter = self.quarter_of(now)
        while self.as_of(quarter) > now:
            quarter = self.previous(quarter)
        return quarter

    def require_closed(self, quarter: Quarter, now: datetime) -> None:
        """Refuse a quarter that is not over, or whose late rows may still arrive.

        Raises:
            ConfigError: Says when the quarter can be run and which one can be run now.
        """
        if self.as_of(quarter) <= now:
            return
        if quarter.end > now:
            problem = f"{quarter.label} is not over: it ends on {self._day(quarter.end)} ({self.timezone})"
        else:
            problem = f"{quarter.label} has ended but is settling (settle_days: {self.settle_days})"
        raise ConfigError(
            f"{problem} and can be run from {self._day(self.as_of(quarter))}. "
            f"The newest quarter to run now is {self.last_closed(now).label}."
        )

    def _day(self, instant: datetime) -> str:
        return instant.astimezone(self.zone).date().isoformat()

    def _at(self, ordinal: int) -> Quarter:
        year, index = divmod(ordinal, 4)
        return Quarter(self._starts(ordinal), self._starts(ordinal + 1), f"{year:04d}Q{index + 1}")

    def _starts(self, ordinal: int) -> datetime:
        months = ordinal * 3 - (13 - self.fiscal_year_start_month) % 12
        year, month = divmod(months, 12)
        return datetime(year, month + 1, 1, tzinfo=self.zone).astimezone(UTC)


def _ordinal(quarter: Quarter) -> int:
    return int(quarter.label[:4]) * 4 + int(quarter.label[5]) - 1
