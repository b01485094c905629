"""The GA4 export to BigQuery, as files: `events_YYYYMMDD`, Parquet or JSON lines, counted as `web_activity`.

GA4 rewrites the table of a day for three days and more, as late events arrive: a day whose file has changed is counted
again from its beginning. `events_intraday_` tables overlap the daily ones for a while and are never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from icp.config import Settings
from icp.config_analytics import Ga4ExportSettings
from icp.errors import ConfigError
from icp.lake import Lake, StagedLoad
from icp.sources import event_files
from icp.sources.event_days import Counting
from icp.sources.event_files import EventFile, path_of, readable
from icp.sources.raw import WantedColumn, require_columns
from icp.sources.sections import section_of

CHECKED = "files with the columns of GA4's export"
NEEDED = ("event_date", "event_timestamp", "event_name", "event_params", "user_pseudo_id")
IDENTITY = ("user_pseudo_id", "event_timestamp", "event_name", "event_bundle_sequence_id", "batch_event_index")
NAMED_DAY = re.compile(r"events_(\d{8})")
EXACT = 2**53
"""Whole numbers below it are exact as floats; the year 2255 in microseconds."""
REPEATED = {"event_params", "user_properties"}


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage the days whose files are new or have changed, one row per company and day.

    Raises:
        ConfigError: No file matches, or one lacks a column or cannot be read. Nothing is kept.
    """
    section = section_of(settings, source_name, Ga4ExportSettings)
    files = _files(settings, source_name, section)
    yield from event_files.stage(settings, source_name, lake, section, files, read, extracted_at=extracted_at)


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and its files, in words."""
    section = section_of(settings, source_name, Ga4ExportSettings)
    try:
        _table(_files(settings, source_name, section)[-1])
    except ConfigError as problem:
        return [str(problem)]
    return []


def read(files: Sequence[EventFile], counting: Counting) -> tuple[pd.DataFrame, Sequence[str]]:
    """The events of files, reduced to what is counted."""
    return readable([(file, _events(_table(file), counting)) for file in files], "events")


def _files(settings: Settings, source_name: str, section: Ga4ExportSettings) -> list[EventFile]:
    where = f"sources.{source_name}.ga4_export"
    found = event_files.find(where, [section.path], settings.root, _named_day)
    daily = [file for file in found if "intraday" not in file.path]
    nameless = [file.path for file in daily if file.day is None]
    if nameless:
        raise ConfigError(
            f"{where}: {nameless[0]} names no day; a file must be called events_YYYYMMDD, as its table is."
        )
    if not daily:
        raise ConfigError(
            f"{where}: {section.path} matches only intraday tables, whose events come again in the daily ones."
        )
    return daily


def _named_day(file: Path) -> date | None:
    found = NAMED_DAY.search(file.as_posix())
    try:
        return datetime.strptime(found.group(1), "%Y%m%d").date() if found else None
    except ValueError:
        return None


def _table(file: EventFile) -> pa.Table:
    import pyarrow.json
    import pyarrow.parquet as pq

    try:
        if file.file.suffix.lower() == ".parquet":
            table = pq.read_table(file.file, partitioning=None)
        else:
            table = pyarrow.json.read_json(file.file, pyarrow.json.ReadOptions(block_size=1 << 26))
    except (pa.ArrowInvalid, OSError) as problem:
        raise ConfigError(f"{file.path} cannot be read: {str(problem)[:200]}. Export that day again.") from None
    require_columns(file.path, [WantedColumn(name, False) for name in NEEDED], table.column_names)
    return table


def _events(table: pa.Table, counting: Counting) -> pd.DataFrame:
    section = counting.section
    identity = [_text(_column(table, name)) for name in IDENTITY if name in table.column_names]
    visitor, session = _text(_column(table, "user_pseudo_id")), _text(_value(table, "event_params.ga_session_id"))
    names = _text(_column(table, "event_name"))
    day = pd.to_datetime(pd.Series(_text(_column(table, "event_date")).to_pylist()), format="%Y%m%d", errors="coerce")
    told = pd.Series(_text(_column(table, "event_timestamp")).to_pylist(), dtype=object)
    numbers = pd.to_numeric(told, errors="coerce").astype(float)
    at = numbers.where(numbers.abs() < EXACT).round().astype("Int64")
    filled = [pc.fill_null(part, "") for part in identity]
    return pd.DataFrame(
        {
            "event_id": pc.binary_join_element_wise(*filled, "\x1f").to_pandas(),
            "at": at.where(day.notna()),
            "day": day.dt.date,
            "session": pc.binary_join_element_wise(visitor, session, "\x1f").to_pandas(),
            "name": names.to_pandas(),
            "is_page": pc.equal(names, "page_view").to_pandas(),
            "path": path_of(_text(_value(table, "event_params.page_location")).to_pandas()),
            "channel": _text(_value(table, section.channel)).to_pandas() if section.channel else None,
            **{
                name: _text(_value(table, key.from_)).to_pandas()
                for name, key in zip(counting.said, section.company, strict=True)
            },
        }
    )


def _column(table: pa.Table, name: str) -> Any:
    return table[name].combine_chunks()


def _value(table: pa.Table, path: str) -> Any:
    """The values at a path: a column, a field of a record, or a parameter by its key; missing where there is none."""
    name, *steps = path.split(".")
    if name not in table.column_names:
        return pa.nulls(len(table))
    values = _column(table, name)
    if name in REPEATED and steps:
        return _parameter(values, ".".join(steps))
    for step in steps:
        if not pa.types.is_struct(values.type) or values.type.get_field_index(step) < 0:
            return pa.nulls(len(table))
        values = pc.struct_field(values, step)
    return values


def _parameter(repeated: Any, key: str) -> Any:
    """Of each event the value of a parameter, whatever its type; the last where it is there twice."""
    if pa.types.is_struct(repeated.type):  # an older way of writing lists: {list: [{element: ...}]}
        repeated = pc.struct_field(repeated, repeated.type.field(0).name)
    if not pa.types.is_list(repeated.type) or not pa.types.is_struct(repeated.type.value_type):
        return pa.nulls(len(repeated))
    entries, rows = pc.list_flatten(repeated), pc.list_parent_indices(repeated)
    if entries.type.get_field_index("key") < 0 and entries.type.num_fields == 1:
        entries = pc.struct_field(entries, entries.type.field(0).name)
    held = pc.equal(pc.struct_field(entries, "key"), key)
    values, rows = pc.struct_field(entries, "value").filter(held), rows.filter(held)
    kinds = [field.name for field in values.type if field.name.endswith("_value")]
    texts = pc.coalesce(*(_text(pc.struct_field(values, kind)) for kind in kinds)) if kinds else pa.nulls(len(values))
    found: list[str | None] = [None] * len(repeated)
    for row, text in zip(rows.to_pylist(), texts.to_pylist(), strict=True):
        found[row] = text
    return pa.array(found, pa.string())


def _text(values: Any) -> Any:
    return values.cast(pa.string()) if not pa.types.is_nested(values.type) else pa.nulls(len(values), pa.string())
