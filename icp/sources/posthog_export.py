"""PostHog's batch exports of events, as files (Parquet or JSON lines), counted as `web_activity`.

A file holds the events of an hour of arrival, not of occurrence: days of the last `lookback_days` are counted again from
all files there are whenever one brings events of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from icp.config import Settings
from icp.config_analytics import PostHogExportSettings
from icp.config_schema import CsvOptions
from icp.errors import ConfigError
from icp.lake import Lake, StagedLoad
from icp.sources import event_files
from icp.sources.event_days import Counting
from icp.sources.event_files import EventFile, dated, instants, path_of, readable
from icp.sources.jsonl_file import ABSENT, values_at
from icp.sources.raw import WantedColumn
from icp.sources.reading import read_rows
from icp.sources.sections import section_of

CHECKED = "files with the columns of PostHog's export"
NEEDED = ("uuid", "event", "timestamp", "properties")
OPTIONAL = ("distinct_id", "person_id", "person_properties")
GROUP = "groups."
JSON_COLUMNS = ("properties", "person_properties")


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage the days that new files touch, one row per company and day.

    Raises:
        ConfigError: No file matches, or one lacks a column or cannot be read. Nothing is kept.
    """
    section = section_of(settings, source_name, PostHogExportSettings)
    zone = section.timezone or settings.calendar.timezone
    files = _files(settings, source_name, section)
    traits = _traits(files) if any(key.from_.startswith(GROUP) for key in section.company) else {}

    def read(some: Sequence[EventFile], counting: Counting) -> tuple[pd.DataFrame, Sequence[str]]:
        return readable([(f, _events(f, counting, zone, traits)) for f in some], "events")

    yield from event_files.stage(settings, source_name, lake, section, files, read, extracted_at=extracted_at)


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and its files, in words."""
    try:
        _records(_files(settings, source_name, section_of(settings, source_name, PostHogExportSettings))[-1])
    except ConfigError as problem:
        return [str(problem)]
    return []


def _files(settings: Settings, source_name: str, section: PostHogExportSettings) -> list[EventFile]:
    where = f"sources.{source_name}.posthog_export"
    return event_files.find(where, [section.path], settings.root, lambda _: None)


def _records(file: EventFile) -> list[dict[str, Any]]:
    wanted = [*(WantedColumn(name, False) for name in NEEDED), *(WantedColumn(name, True) for name in OPTIONAL)]
    columns, _ = read_rows(file.path, file.file, file.file.read_bytes(), wanted, csv=CsvOptions())
    texts = {name: column.text.to_pylist() for name, column in columns.items()}
    records = [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]
    return [{**record, **{name: _object(record.get(name)) for name in JSON_COLUMNS}} for record in records]


def _object(text: str | None) -> Mapping[str, Any]:
    """Properties as an object; those that are no JSON know nothing."""
    try:
        held = json.loads(text or "{}")
    except ValueError:
        return {}
    return _mapping(held)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _traits(files: Sequence[EventFile]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What `$groupidentify` events say of each group, by its type and key; the later word counts."""
    traits: dict[tuple[str, str], dict[str, Any]] = {}
    said = [r for file in files for r in _records(file) if r["event"] == "$groupidentify"]
    for record in sorted(said, key=lambda each: str(each["timestamp"])):
        held = record["properties"]
        key = (str(held.get("$group_type")), str(held.get("$group_key")))
        traits.setdefault(key, {}).update(_mapping(held.get("$group_set")))
    return dict(traits)


def _events(
    file: EventFile, counting: Counting, zone: str, traits: Mapping[tuple[str, str], Mapping[str, Any]]
) -> pd.DataFrame:
    section, records = counting.section, _records(file)
    at = instants(pd.Series([record["timestamp"] for record in records], dtype=object))
    held = [record["properties"] for record in records]
    return pd.DataFrame(
        {
            "event_id": [record["uuid"] for record in records],
            "at": at,
            "day": dated(at, zone),
            "session": [properties.get("$session_id") or None for properties in held],
            "name": [record["event"] for record in records],
            "is_page": [record["event"] == "$pageview" for record in records],
            "path": path_of(pd.Series([p.get("$pathname") or p.get("$current_url") for p in held], dtype=object)),
            "channel": _told(records, section.channel, traits) if section.channel else None,
            **{
                name: _told(records, key.from_, traits)
                for name, key in zip(counting.said, section.company, strict=True)
            },
        }
    )


def _told(
    records: Sequence[Mapping[str, Any]], path: str, traits: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[str | None]:
    """Of each event what stands at a path, as text."""
    if path.startswith(GROUP):  # groups.company.domain: the trait `domain` of the event's group of type `company`
        kind, _, trait = path.removeprefix(GROUP).partition(".")
        keys = [_mapping(record["properties"].get("$groups")).get(kind) for record in records]
        return [_plain(traits.get((kind, str(key)), {}).get(trait)) if key else None for key in keys]
    return [_plain(v) for v in values_at(records, path.replace("person.properties.", "person_properties.", 1))]


def _plain(value: Any) -> str | None:
    return None if value is ABSENT or value is None or value == "" else str(value)
