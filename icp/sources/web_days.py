"""Visits per company and day on their way into the lake: what changed since they were last read, and who found no company.

A window of days is read again and again, because events arrive late. Only rows that differ from what has landed land; a
company's day that is gone lands once more as zeros. So a day is replaced, never added up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from icp import atomic
from icp.config import Settings
from icp.config_analytics import COUNTS, WEB_TABLE, WebSection
from icp.lake import Lake, SourceFile, StagedLoad, TableToLand
from icp.manifest import Manifest
from icp.sources.companies import Companies
from icp.sources.mapping import TableReader
from icp.spool import Spool

KEY = ["account_id", "website", "activity_date"]
VALUES = [*COUNTS, "first_channel"]
WORDS_ONLY = {
    "retry",
    "base_url",
    "key_env",
    "page_size",
    "days_per_report",
    "days_per_query",
    "since",
    "lookback_days",
}
BATCH = 50_000
DAY = timedelta(days=1)
FIRST_DAYS = 730
"""How many days a first pull reads where nothing else is said."""


@dataclass(frozen=True)
class WebDays:
    """Counts by company and day of some days, read whole. `frame` has `KEY` and `VALUES`; days nobody visited have no row."""

    frame: pd.DataFrame
    days: frozenset[date]
    files: tuple[SourceFile, ...] = ()
    notes: tuple[str, ...] = ()


class WebLanding:
    """The landing of one source of web activity: what of it is known, and the load that brings what is new."""

    def __init__(self, settings: Settings, source_name: str, section: WebSection, lake: Lake) -> None:
        mapping = settings.source(source_name).tables[WEB_TABLE]
        self.lake, self.source = lake, source_name
        self.companies = Companies(section, settings.root, lake)
        self.reader = TableReader(
            settings.root, mapping, settings.contract.tables[WEB_TABLE], settings.calendar.timezone
        )
        said = section.model_dump(mode="json", by_alias=True, exclude=WORDS_ONLY)
        parts = json.dumps([self.reader.mapping_hash, said, self.companies.hashes], sort_keys=True)
        self.mapping_hash = hashlib.sha256(parts.encode()).hexdigest()
        loads = [load for load in lake.accepted_loads() if load.source == source_name and WEB_TABLE in load.tables]
        self._loads = [load for load in loads if load.tables[WEB_TABLE].mapping_hash == self.mapping_hash]
        self._outdated = [load for load in loads if load not in self._loads]

    @property
    def read_until(self) -> date | None:
        """The last day that was read whole; None when nothing has landed under this configuration."""
        days = [load.cursors[WEB_TABLE] for load in self._loads if WEB_TABLE in load.cursors]
        return date.fromisoformat(max(days)) if days else None

    def first_day(self, yesterday: date, since: date | None, lookback: int) -> date:
        """Where to begin: `lookback` days before what has not been read, or at the very beginning; never before `since`."""
        beginning = min(since or yesterday - DAY * FIRST_DAYS, yesterday)
        if self.read_until is None:
            return beginning
        return max(min(self.read_until, yesterday) + DAY - DAY * lookback, beginning)

    @property
    def files(self) -> frozenset[str]:
        """Hashes of the files that have landed under this configuration."""
        return frozenset(file.sha256 for load in self._loads for file in load.tables[WEB_TABLE].files)

    def held(self, days: frozenset[date]) -> pd.DataFrame:
        """What has landed of these days: of every company's day the newest row."""
        parts = [self._rows(load, days) for load in self._loads]
        if not parts:
            return pd.DataFrame(columns=[*KEY, *VALUES])
        return pd.concat(parts).drop_duplicates(KEY, keep="last")

    def held_days(self) -> frozenset[date]:
        """Days of which something has landed."""
        return self._days(self._loads)

    @property
    def outdated_days(self) -> frozenset[date]:
        """Days of which something has landed under another configuration: loads the next one replaces."""
        return self._days(self._outdated)

    def _days(self, loads: Sequence[Manifest]) -> frozenset[date]:
        import pyarrow.parquet as pq

        paths = [self.lake.root / load.tables[WEB_TABLE].path for load in loads]
        columns = (pq.read_table(path, columns=["activity_date"], partitioning=None) for path in paths)
        return frozenset(day for column in columns for day in column["activity_date"].unique().to_pylist())

    def stage(self, read: WebDays, place: str, *, until: date, extracted_at: datetime) -> Iterator[StagedLoad]:
        """Stage what is new of the days read; nothing when nothing is. Loads of another configuration are replaced.

        An answer without a single visit changes nothing: it is a lost filter or a wrong property sooner than a deserted site.
        """
        new = changed(read.frame, self.held(read.days)) if len(read.frame) else read.frame
        if not len(new):
            return
        with self.lake.room(self.source) as room:
            spool = Spool(room / f"{WEB_TABLE}.parquet", self.reader.empty().schema)
            for start in range(0, len(new), BATCH):
                lines = new.iloc[start : start + BATCH].to_json(orient="records", lines=True, force_ascii=False)
                spool.append(self.reader.read(Path("days.jsonl"), str(lines).encode(), place))
            spool.close()
            own = (SourceFile(place, atomic.sha256_of(spool.path), spool.path.stat().st_size),)
            table = TableToLand(spool, read.files or own, self.mapping_hash)
            staged = self.lake.stage_load(
                source=self.source,
                effective_at=extracted_at,
                extracted_at=extracted_at,
                tables={WEB_TABLE: table},
                supersedes=tuple(load.load_id for load in self._outdated),
                cursors={WEB_TABLE: max(until, self.read_until or until).isoformat()},
            )
        notes = (*read.notes, *unattributed(read.frame))
        yield StagedLoad(staged.folder, staged.manifest, notes)

    def _rows(self, load: Manifest, days: frozenset[date]) -> pd.DataFrame:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        path = self.lake.root / load.tables[WEB_TABLE].path
        table = pq.read_table(path, columns=[*KEY, *VALUES], partitioning=None)
        wanted = pc.is_in(table["activity_date"], pa.array(sorted(days), pa.date32()))
        return pd.DataFrame(table.filter(wanted).to_pydict(), columns=[*KEY, *VALUES])


def days_from(start: date, end: date) -> frozenset[date]:
    """All days from one to another."""
    return frozenset(start + DAY * number for number in range((end - start).days + 1))


def chunks(start: date, end: date, days: int) -> list[tuple[date, date]]:
    """First and last days of stretches of `days` that cover `start` to `end`."""
    edges = [start + DAY * number for number in range(0, (end - start).days + 1, days)]
    return [(first, after - DAY) for first, after in pairwise([*edges, end + DAY])]


def together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Counts of several stretches of days as one table."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*KEY, *VALUES])


def counted(rows: pd.DataFrame, said: Sequence[str], companies: Companies) -> pd.DataFrame:
    """Counts by company and day of a vendor's own counts.

    Args:
        rows: `activity_date`, `channel`, the counts, and in the columns `said` what names the company.
        said: One column per way in `company:`.
        companies: Who finds them.
    """
    found = companies.find_all(rows[list(said)].itertuples(index=False, name=None))
    names = pd.DataFrame(
        [(c.account_id, c.website) for c in found], rows.index, ["account_id", "website"], dtype=object
    )
    told = rows.join(names)
    sums = told.groupby(KEY, dropna=False)[list(COUNTS)].sum(min_count=1).reset_index()
    known = told[told["channel"].notna()]
    by_channel = known.groupby([*KEY, "channel"], dropna=False)["visits"].sum().reset_index()
    # counts know no order of sessions: the channel of most of them, of equals the first by name
    by_channel = by_channel.sort_values(["visits", "channel"], ascending=[False, True], kind="stable")
    channels = by_channel.drop_duplicates(KEY)[[*KEY, "channel"]].rename(columns={"channel": "first_channel"})
    return sorted_days(sums.merge(channels, on=KEY, how="left"))


def sorted_days(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows in the one order they land in, whatever the order they were read in."""
    return frame[[*KEY, *VALUES]].sort_values(["activity_date", "website", "account_id"], ignore_index=True)


def changed(read: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
    """Rows that differ from what is held, and zeros for what is held and gone, in the order of days."""
    before = {row[: len(KEY)]: row[len(KEY) :] for row in _plain(held)}
    now = {row[: len(KEY)]: row[len(KEY) :] for row in _plain(read)}
    rows = [(*key, *values) for key, values in now.items() if before.get(key) != values]
    gone = [key for key, values in before.items() if key not in now and any(values[: len(COUNTS)])]
    zeros = [(*key, *(None if v is None else 0.0 for v in before[key][: len(COUNTS)]), None) for key in gone]
    frame = sorted_days(pd.DataFrame([*rows, *zeros], columns=[*KEY, *VALUES], dtype=object))
    return frame.assign(activity_date=[day.isoformat() for day in frame["activity_date"]])


def unattributed(frame: pd.DataFrame) -> list[str]:
    """What is said of visits that name no company: how many, and why."""
    nobody = frame[frame["account_id"].isna() & frame["website"].fillna("(").str.startswith("(")]
    all_, lost = float(frame["visits"].sum()), nobody.groupby("website")["visits"].sum()
    if not lost.sum():
        return []
    reasons = ", ".join(f"{visits:,.0f} {why}" for why, visits in lost.sort_values(ascending=False).items() if visits)
    return [
        f"{lost.sum():,.0f} of {all_:,.0f} visits read name no company: {reasons}. They landed under these names and "
        "count for no account."
    ]


def _plain(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Rows as Python values: nothing is None, counts are floats."""
    columns: Mapping[str, list[Any]] = {
        name: [None if pd.isna(v) else (float(v) if name in COUNTS else v) for v in frame[name]]
        for name in (*KEY, *VALUES)
    }
    return zip(*columns.values(), strict=True)
