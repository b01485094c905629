"""Files of single events: which are new, which days they touch, and those days counted again from all files there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from glob import glob
from pathlib import Path

import pandas as pd

from icp import atomic
from icp.config import Settings
from icp.config_analytics import EventSection
from icp.errors import ConfigError
from icp.lake import Lake, SourceFile, StagedLoad
from icp.sources.event_days import Counting
from icp.sources.web_days import DAY, WebDays, WebLanding, together


@dataclass(frozen=True)
class EventFile:
    """A file of events on this disk; `path` is below the folder of icp.yml, `day` that of its name where all are of one."""

    file: Path
    path: str
    sha256: str
    day: date | None = None

    @property
    def source(self) -> SourceFile:
        """What a manifest keeps of it."""
        return SourceFile(self.path, self.sha256, self.file.stat().st_size)


Reader = Callable[[Sequence[EventFile], Counting], tuple[pd.DataFrame, Sequence[str]]]
"""Events of files in the columns of `event_days.COLUMNS` and `said_...`, and what is to be said of rows left out."""


def find(where: str, patterns: Sequence[str], root: Path, day_of: Callable[[Path], date | None]) -> list[EventFile]:
    """Files of some patterns, by name.

    Raises:
        ConfigError: A pattern matches none.
    """
    found = []
    for pattern in patterns:
        files = sorted(map(Path, glob(str(root / Path(pattern).expanduser()), recursive=True)))  # noqa: PTH207  as in `files`
        files = [file for file in files if file.is_file()]
        if not files:
            raise ConfigError(f"{where}: no file matches {pattern} below {root}. Export again or correct the path.")
        found += [EventFile(f, _shown(f, root), atomic.sha256_of(f), day_of(f)) for f in files]
    return found


def stage(
    settings: Settings,
    source_name: str,
    lake: Lake,
    section: EventSection,
    files: Sequence[EventFile],
    read: Reader,
    *,
    extracted_at: datetime,
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda events: events,
) -> Iterator[StagedLoad]:
    """Stage the days that new files touch, counted from all files; none when no file is new or nothing changes.

    Of files that hold the events of one day, every touched day is counted again. Of others, days older than
    `lookback_days` that have landed are left as they are, because their other events may be gone; it is said how many
    events came too late for that. `prepare` completes the events when all of their days are there.

    Raises:
        ConfigError: The section has changed, and files of days that landed under the old one are gone.
    """
    landing = WebLanding(settings, source_name, section, lake)
    counting = Counting(section, landing.companies)
    fresh = [file for file in files if file.sha256 not in landing.files]
    if not fresh:
        return
    new, left_out = read(fresh, counting)
    touched = frozenset(new["day"])
    held = landing.held_days()
    until = max(touched | held, default=None)
    if until is None:
        return
    is_by_day = all(file.day is not None for file in files)
    _require_files(source_name, landing.outdated_days - touched)
    window = frozenset(d for d in touched if is_by_day or d not in held or d > until - DAY * section.lookback_days)
    others = [file for file in files if file not in fresh and (file.day is None or file.day in window)]
    again = [read(others, counting)[0]] if others and window else []
    events = pd.concat([new, *again], ignore_index=True)
    events = events[events["day"].isin(window)]
    too_late = int((~new["day"].isin(window)).sum())
    notes = list(left_out)
    if too_late:
        notes.append(
            f"{too_late:,} events are of days read more than {section.lookback_days} days ago and were not counted; "
            "raise lookback_days, or export those days again into a new source."
        )
    frame = counting.days(prepare(events)) if len(events) else together([])
    done = WebDays(frame, window, tuple(file.source for file in fresh), tuple(notes))
    yield from landing.stage(done, f"{source_name}:events", until=until, extracted_at=extracted_at)


def _require_files(source_name: str, gone: frozenset[date]) -> None:
    if gone:
        raise ConfigError(
            f"sources.{source_name}: what decides about companies and counts has changed, so all days are counted again; "
            f"but the files of {len(gone):,} days that landed before are gone ({min(gone)} to {max(gone)}). Put them back, "
            "or take the change back."
        )


def dated(at: pd.Series, zone: str) -> pd.Series:
    """The day of each instant (microseconds since 1970) in a time zone."""
    return pd.to_datetime(at, unit="us", utc=True).dt.tz_convert(zone).dt.date


def instants(texts: pd.Series) -> pd.Series:
    """Microseconds since 1970 of times as text (UTC where no zone is named); missing where it is no time."""
    moments = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce").astype("datetime64[us, UTC]")
    numbers: pd.Series = moments.astype("int64").where(moments.notna()).astype("Int64")
    return numbers


def readable(parts: Sequence[tuple[EventFile, pd.DataFrame]], what: str) -> tuple[pd.DataFrame, list[str]]:
    """Events with a time and an id, and what is to be said of the others.

    Raises:
        ConfigError: A file has events and none with both: a column has changed its type.
    """
    for file, events in parts:
        if len(events) and not _is_readable(events).any():
            raise ConfigError(
                f"{file.path}: none of its {len(events):,} {what} has an id and a readable time. A column has changed its "
                "type; export it again as it was."
            )
    events = pd.concat([each for _, each in parts], ignore_index=True)
    good = _is_readable(events)
    lost = int((~good).sum())
    said = [f"{lost:,} {what} without an id or a readable time were left out."] if lost else []
    return events[good].assign(at=events.loc[good, "at"].astype("int64")), said


def _is_readable(events: pd.DataFrame) -> pd.Series:
    return events["at"].notna() & events["event_id"].notna()


def path_of(addresses: pd.Series) -> pd.Series:
    """The path of web addresses, without host, query and fragment."""
    return (
        addresses.astype("string")
        .str.replace(r"^(?:[a-zA-Z][\w+.-]*:)?//[^/?#]*", "", regex=True)
        .str.replace(r"[?#].*$", "", regex=True)
        .replace("", "/")
        .astype(object)
    )


def _shown(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
