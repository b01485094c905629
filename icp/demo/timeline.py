"""The twelve quarters the demo company lives through, and the days its extracts are taken."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]
Times = NDArray[np.datetime64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

DAY = np.timedelta64(1, "D")

QUARTERS: tuple[str, ...] = tuple(f"{2023 + i // 4}Q{i % 4 + 1}" for i in range(3, 15))
"""Closing quarters of the label rows, oldest first: 2023Q4 to 2026Q3, calendar years."""

REFRESHED: tuple[str, ...] = QUARTERS[4:]
"""The quarters `icp demo` refreshes: the first four are history."""


def _first_day(index: int) -> np.datetime64:
    return np.datetime64("2023-10", "M") + np.timedelta64(3 * index, "M")


STARTS: Days = np.array([_first_day(i) for i in range(len(QUARTERS) + 1)], dtype="datetime64[D]")
"""First day of every quarter, and the day after the last one."""

WEB_FROM = np.datetime64("2023-04-01", "D")
"""First day of web analytics: the baseline extract carries two quarters of it."""


@dataclass(frozen=True)
class Extract:
    """One delivery: what changed after the previous one and up to `until` (exclusive), taken on `dated`."""

    index: int
    dated: str
    since: np.datetime64
    until: np.datetime64


def extracts() -> tuple[Extract, ...]:
    """The baseline of 2023-09-30 and one incremental delivery two days after each quarter's end."""
    long_ago = np.datetime64("1970-01-01", "D")
    baseline = Extract(0, str(STARTS[0] - DAY), long_ago, STARTS[0])
    later = [Extract(i, str(STARTS[i] + DAY), STARTS[i - 1], STARTS[i]) for i in range(1, len(STARTS))]
    return (baseline, *later)


def history_and_extracts() -> tuple[Extract, ...]:
    """What sources of dated facts deliver: their whole history when they were connected, then one delivery a quarter.

    Facts carry their own dates, so nothing is lost by delivering a year of them at once; records that change (companies,
    deals, detected technologies) must be delivered as they were.
    """
    connected = extracts()[len(QUARTERS) - len(REFRESHED)]
    history = Extract(0, connected.dated, np.datetime64("1970-01-01", "D"), connected.until)
    return (history, *extracts()[connected.index + 1 :])


def quarter_index(days: Days) -> Ints:
    """Which quarter each day falls in: 0 is 2023Q4, -1 anything earlier."""
    return np.searchsorted(STARTS, days.astype("datetime64[D]"), side="right").astype(np.int64) - 1


def random_source(seed: int, name: str) -> np.random.Generator:
    """An independent, named random stream, so that one part of the company can change without moving the rest."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def moments(rng: np.random.Generator, days: Days) -> Times:
    """An instant on each day, during office hours in New York, so that no row is near a quarter's midnight."""
    minutes = rng.integers(14 * 60, 21 * 60, len(days))
    return hours_later(days, 0) + minutes * np.timedelta64(1, "m")


def hours_later(times: Times, hours: int) -> Times:
    """These days or instants, so many hours later."""
    later: Times = np.add(times.astype("datetime64[ms]"), np.timedelta64(hours, "h"))
    return later


def iso(times: Times) -> list[str]:
    """Instants as the CRM writes them: 2024-01-10T10:36:45.123Z."""
    return [f"{text}Z" for text in np.datetime_as_string(times.astype("datetime64[ms]")).tolist()]
