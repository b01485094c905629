"""Past quarters in order, each compared with the one before it as it now stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from flows.progress import say
from icp.errors import ConfigError

if TYPE_CHECKING:
    from flows.refresh import RefreshResult
    from icp.calendar import Quarter
    from icp.config import Settings

RefreshOne = Callable[[str, str], "RefreshResult"]


@dataclass(frozen=True)
class Backfilled:
    """One quarter of one ICP: what its refresh answered."""

    icp: str
    quarter: str
    result: RefreshResult


def quarters_to_fill(settings: Settings, first: str, last: str | None, now: datetime) -> tuple[Quarter, ...]:
    """The quarters from `first` to `last` (the newest that has settled, if None), oldest first.

    Raises:
        ConfigError: a label is no quarter, `last` is before `first` or has not settled.
    """
    calendar = settings.calendar
    start, end = calendar.quarter(first), calendar.quarter(last) if last else calendar.last_closed(now)
    calendar.require_closed(end, now)
    found = calendar.range(start, end)
    if not found:
        raise ConfigError(f"--to {end.label} is before --from {start.label}.")
    return found


def backfill(
    settings: Settings, *, icps: tuple[str, ...], quarters: tuple[Quarter, ...], refresh_one: RefreshOne
) -> tuple[Backfilled, ...]:
    """Refresh each quarter in turn, per ICP oldest first. What is published already is not made again; what has new inputs,
    configuration, code or a new ICP before it becomes a further revision, and nothing is overwritten.

    It stops at the first quarter that fails: the later ones would be compared with the wrong ICP. The next call goes on there.
    """
    done = []
    for icp in icps:
        for quarter in quarters:
            say(f"ICP {icp}, {quarter.label}")
            done.append(Backfilled(icp, quarter.label, refresh_one(icp, quarter.label)))
    return tuple(done)


def in_words(filled: Backfilled) -> str:
    """One line per quarter: which revision, whether it is new, what it found."""
    result = filled.result
    name = f"{filled.quarter}/{result.revision.name}" if result.revision else filled.quarter
    state = "nothing new" if result.status == "nothing_new" else f"published, {result.decision}"
    return f"{filled.icp} {name} ({state}): {result.verdict}"
