"""Tables of Segment's or RudderStack's warehouse, as files, counted as `web_activity`.

Page views are rows of `pages`, key events rows of `tracks`. Who visits is told by `identifies` (anonymous id -> user) and
`groups` (user -> group and its traits). Both know no sessions: a visit ends after a pause of `session_minutes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from icp.config import Settings
from icp.config_analytics import SegmentSettings
from icp.config_schema import CsvOptions
from icp.errors import ConfigError
from icp.lake import Lake, StagedLoad
from icp.sources import event_files
from icp.sources.event_days import Counting, session_numbers
from icp.sources.event_files import EventFile, dated, instants, path_of, readable
from icp.sources.raw import WantedColumn
from icp.sources.reading import read_rows
from icp.sources.sections import section_of

CHECKED = "files with the columns of the warehouse tables"
WHO = ("anonymous_id", "user_id")
PERSONAL_TABLES = ("groups", "identifies")


@dataclass(frozen=True)
class People:
    """What is known of visitors: the user of an anonymous id, and by table and column what their newest row says."""

    users: Mapping[str, str]
    told: Mapping[str, Mapping[str, str]]

    def of(self, path: str, rows: pd.DataFrame) -> pd.Series:
        """Of each row what `groups.COLUMN` or `identifies.COLUMN` says of its visitor."""
        known = self.told.get(path, {})
        by_user, by_visitor = rows["user_id"].map(known), rows["anonymous_id"].map(known)
        return by_user.where(by_user.notna(), by_visitor)


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage the days that new files touch, one row per company and day.

    Raises:
        ConfigError: No file matches, or one lacks a column or cannot be read. Nothing is kept.
    """
    section = section_of(settings, source_name, SegmentSettings)
    zone = section.timezone or settings.calendar.timezone
    files, pages = _files(settings, source_name, section)
    people = _people(settings, source_name, section)

    def read(some: Sequence[EventFile], counting: Counting) -> tuple[pd.DataFrame, Sequence[str]]:
        rows, said = readable([(file, _rows(file, file.path in pages, counting, people)) for file in some], "rows")
        return rows.assign(day=dated(rows["at"], zone)), said

    def with_sessions(rows: pd.DataFrame) -> pd.DataFrame:
        # a visit is of pages and events together: visits are told apart when all rows of a day are there
        return rows.assign(session=session_numbers(rows["visitor"], rows["day"], rows["at"], section.session_minutes))

    yield from event_files.stage(
        settings, source_name, lake, section, files, read, extracted_at=extracted_at, prepare=with_sessions
    )


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and its files, in words."""
    section = section_of(settings, source_name, SegmentSettings)
    try:
        files, pages = _files(settings, source_name, section)
        _people(settings, source_name, section)
        for file in files[-1:]:
            _columns(file, file.path in pages, ())
    except ConfigError as problem:
        return [str(problem)]
    return []


def _files(settings: Settings, source_name: str, section: SegmentSettings) -> tuple[list[EventFile], frozenset[str]]:
    """The files of events, and which of them are of pages."""
    where = f"sources.{source_name}.segment"
    pages = event_files.find(where, [section.pages_path], settings.root, _no_day)
    tracks = event_files.find(where, [section.tracks_path], settings.root, _no_day) if section.tracks_path else []
    return [*pages, *tracks], frozenset(file.path for file in pages)


def _no_day(file: Path) -> None:
    """A file of these tables holds events of any day."""


def _columns(file: EventFile, is_pages: bool, more: Sequence[str]) -> pd.DataFrame:
    needed = ("id", "anonymous_id") if is_pages else ("id", "anonymous_id", "event")
    usual = (
        "user_id",
        "timestamp",
        "original_timestamp",
        "received_at",
        "path",
        "url",
        "context_page_path",
        "context_page_url",
    )
    optional = [name for name in dict.fromkeys((*usual, *more)) if name not in needed]
    wanted = [*(WantedColumn(name, False) for name in needed), *(WantedColumn(name, True) for name in optional)]
    columns, _ = read_rows(file.path, file.file, file.file.read_bytes(), wanted, csv=CsvOptions())
    rows = pd.DataFrame({name: column.text.to_pylist() for name, column in columns.items()}, dtype=object)
    if rows["timestamp"].isna().all() and rows["received_at"].isna().all():
        raise ConfigError(f"{file.path} has no column `timestamp` and no `received_at`: no row says when it was.")
    return rows.where(rows.notna() & (rows != ""), None)


def _rows(file: EventFile, is_pages: bool, counting: Counting, people: People) -> pd.DataFrame:
    section = counting.section
    own = [key.from_ for key in section.company if key.from_.partition(".")[0] not in PERSONAL_TABLES]
    rows = _columns(file, is_pages, [*own, *([section.channel] if section.channel else [])])
    known = rows["anonymous_id"].map(people.users)
    rows["user_id"] = rows["user_id"].where(rows["user_id"].notna(), known)
    address = rows["path"]
    for name in ("context_page_path", "url", "context_page_url"):
        address = address.where(address.notna(), rows[name])
    at = instants(rows["timestamp"].where(rows["timestamp"].notna(), rows["received_at"]))
    return pd.DataFrame(
        {
            "event_id": rows["id"],
            "at": at,
            "visitor": rows["user_id"].where(rows["user_id"].notna(), rows["anonymous_id"]),
            "name": "" if is_pages else rows["event"],
            "is_page": is_pages,
            "path": path_of(address),
            "channel": rows[section.channel] if section.channel else None,
            **{
                name: rows[key.from_] if key.from_ in own else people.of(key.from_, rows)
                for name, key in zip(counting.said, section.company, strict=True)
            },
        }
    )


def _people(settings: Settings, source_name: str, section: SegmentSettings) -> People:
    """What `identifies` and `groups` say, the newest row of each visitor counting."""
    users: dict[str, str] = {}
    told: dict[str, dict[str, str]] = {}
    paths = {"identifies": section.identifies_path, "groups": section.groups_path}
    for table, path in paths.items():
        wanted = [key.from_ for key in section.company if key.from_.startswith(f"{table}.")]
        if path is None:
            if wanted:
                raise ConfigError(f"sources.{source_name}.segment: `{wanted[0]}` needs `{table}_path`.")
            continue
        names = [name.removeprefix(f"{table}.") for name in wanted]
        for rows in _newest_last(settings, source_name, table, path, names):
            pairs = rows.dropna(subset=list(WHO))
            users |= dict(zip(pairs["anonymous_id"], pairs["user_id"], strict=True))
            for name, full in zip(names, wanted, strict=True):
                held = told.setdefault(full, {})
                for who in WHO:
                    stated = rows.dropna(subset=[who, name])
                    held |= dict(zip(stated[who], stated[name], strict=True))
    return People(users, told)


def _newest_last(
    settings: Settings, source_name: str, table: str, path: str, names: Sequence[str]
) -> Iterator[pd.DataFrame]:
    where = f"sources.{source_name}.segment.{table}_path"
    parts = []
    for file in event_files.find(where, [path], settings.root, _no_day):
        optional = dict.fromkeys([*WHO, "timestamp", "received_at"])
        wanted = [
            *(WantedColumn(name, True) for name in optional if name not in names),
            *(WantedColumn(n, False) for n in names),
        ]
        columns, _ = read_rows(file.path, file.file, file.file.read_bytes(), wanted, csv=CsvOptions())
        parts.append(pd.DataFrame({name: column.text.to_pylist() for name, column in columns.items()}, dtype=object))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.where(rows.notna() & (rows != ""), None)
    at = instants(rows["timestamp"].where(rows["timestamp"].notna(), rows["received_at"]))
    yield rows.assign(at=at).sort_values("at", kind="stable", na_position="first")
