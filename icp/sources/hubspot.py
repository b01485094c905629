"""The HubSpot source: companies and deals, landed in the canonical tables through the mapping of icp.yml.

Only mapped properties are asked for, so nothing else of the portal ever reaches this machine. Without a cursor every
record is listed; with one, those changed since are searched. The cursor is HubSpot's own clock when the pull began and
lies in the manifest of the load, so it moves only when the load is accepted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from icp.config import Settings
from icp.config_vendors import HubSpotSettings
from icp.errors import ConfigError, IcpError
from icp.lake import Lake, SourceFile, StagedLoad, TableToLand
from icp.manifest import Manifest, iso
from icp.sources.hubspot_api import HubSpotApi, Record
from icp.sources.mapping import TableReader

KINDS = {"accounts": "companies", "opportunities": "deals"}
STAMP = "hs_lastmodifieddate"
ALWAYS = ("hs_object_id", STAMP)
MERGED = "merged_into"
BATCH = 5000
ADDRESS = re.compile(r"[^\s<>\"'(),;:@]+@(?=[\w-]+\.)")


@dataclass(frozen=True)
class Known:
    """What earlier loads of a table hold: up to when they read, the versions near that, who was merged away."""

    since: datetime | None
    versions: frozenset[tuple[Any, ...]]
    merged: frozenset[str]


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage one load with everything that is new in HubSpot; none when nothing is.

    Raises:
        TryLater: HubSpot cannot serve now; nothing is staged and the next pull starts at the same cursor.
        ConfigError: The key, a scope or a mapped property is wrong.
    """
    source = settings.source(source_name)
    api = HubSpotApi(source.hubspot or HubSpotSettings())
    readers = {
        name: TableReader(settings.root, mapping, settings.contract.tables[name], settings.calendar.timezone)
        for name, mapping in source.tables.items()
    }
    try:
        tables = {name: _table(api, lake, source_name, name, reader) for name, reader in sorted(readers.items())}
    finally:
        api.client.close()
    new = {name: table for name, table in tables.items() if table.data.num_rows}
    if new:
        began = _server_time(api, extracted_at)
        cursors = dict.fromkeys(tables, iso(began))
        yield lake.stage_load(
            source=source_name, effective_at=extracted_at, extracted_at=extracted_at, tables=new, cursors=cursors
        )


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and a pull, in words: credentials, scopes, properties the portal lacks."""
    source = settings.source(source_name)
    api = HubSpotApi(source.hubspot or HubSpotSettings())
    found = []
    try:
        for table, mapping in source.tables.items():
            reader = TableReader(settings.root, mapping, settings.contract.tables[table], settings.calendar.timezone)
            try:
                known = api.property_names(KINDS[table])
            except IcpError as problem:
                found.append(f"{KINDS[table]}: {problem}")
                continue
            lacking = [name for name in properties_of(reader) if name not in known]
            found += [f"{KINDS[table]}: the portal has no property {', '.join(lacking)}."] if lacking else []
    finally:
        api.client.close()
    return list(dict.fromkeys(found))


def properties_of(reader: TableReader) -> list[str]:
    """The properties a table's mapping reads: the only ones that are asked for."""
    mapped = {path.removeprefix("properties.") for path in reader.paths if path.startswith("properties.")}
    merged = {"hs_merged_object_ids"} if MERGED in reader.paths else set()
    return sorted(mapped | merged | set(ALWAYS))


# -- one table ---------------------------------------------------------------------------------------------------------


def _table(api: HubSpotApi, lake: Lake, source_name: str, name: str, reader: TableReader) -> TableToLand:
    import pyarrow as pa

    known = _known(lake, source_name, name, reader, timedelta(minutes=api.settings.overlap_minutes))
    place = f"hubspot:{KINDS[name]}"
    parts, batch = [], list[Record]()
    for page in _pages(api, name, reader, known):
        batch += page
        if len(batch) >= BATCH:
            parts.append(_new_rows(_read(reader, batch, place), reader, known))
            batch = []
    if batch or not parts:
        parts.append(_new_rows(_read(reader, batch, place), reader, known))
    data = pa.concat_tables(parts).combine_chunks().sort_by(reader.table.key[0])
    rows = pa.array(range(1, data.num_rows + 1), pa.int64())
    data = data.set_column(data.column_names.index("_row"), "_row", rows)
    digest = _digest(data)
    return TableToLand(data, (SourceFile(place, digest, data.nbytes),), reader.mapping_hash)


def _pages(api: HubSpotApi, name: str, reader: TableReader, known: Known) -> Iterator[list[Record]]:
    """Clean records of the live and the archived list, each id once."""
    kind, names = KINDS[name], properties_of(reader)
    if known.since is None:
        live = api.listed(kind, names)
    else:
        live = api.changed(kind, names, STAMP, int(known.since.timestamp() * 1000))
    reduced = reader.address_paths
    seen: set[str] = set()
    for pages, archived in ((live, False), (api.listed(kind, names, archived=True), True)):
        for page in pages:
            records = [_clean(record, archived, reduced) for record in page if record["id"] not in seen]
            records = list({record["id"]: record for record in records}.values())
            seen.update(record["id"] for record in records)
            if archived and known.since is not None:
                records = [r for r in records if _stamp(r) >= known.since]
            if name == "opportunities" and records:
                _associate(api, records)
            if MERGED in reader.paths:
                records = [*records, *_merged_away(records, seen, known)]
            if records:
                yield records


def _clean(record: Mapping[str, Any], archived: bool, reduced: frozenset[str]) -> Record:
    """A record as it lands: no address of a person, the archived flag and the latest of its stamps.

    Properties in `reduced` are mapped `as: email_domain` and are cut down to the domain when they are parsed.
    """
    properties = {
        name: value if f"properties.{name}" in reduced else _without_address(value)
        for name, value in (record.get("properties") or {}).items()
    }
    if archived and record.get("archivedAt"):
        properties[STAMP] = max(str(properties.get(STAMP) or ""), str(record["archivedAt"]))
    return {"id": str(record["id"]), "properties": properties, "archived": archived, MERGED: None, "associations": {}}


def _without_address(value: Any) -> Any:
    """An e-mail address loses who it belongs to and keeps its domain."""
    return ADDRESS.sub("", value) if isinstance(value, str) and "@" in value else value


def _associate(api: HubSpotApi, records: list[Record]) -> None:
    companies = api.companies_of_deals([record["id"] for record in records])
    for record in records:
        found = [{"id": id_} for id_ in companies.get(record["id"], [])]
        record["associations"] = {"companies": {"results": found}}


def _merged_away(records: list[Record], seen: set[str], known: Known) -> Iterator[Record]:
    """HubSpot keeps of a merge only the survivor and the ids it took in: each of those says where it went, once."""
    for survivor in records:
        for id_ in re.split(r"[;,]", survivor["properties"].get("hs_merged_object_ids") or ""):
            gone = id_.strip().partition(":")[0]
            if gone and gone not in seen and gone not in known.merged:
                seen.add(gone)
                stamp = {STAMP: survivor["properties"].get(STAMP)}
                properties = {**dict.fromkeys(survivor["properties"]), **stamp}
                yield {**survivor, "id": gone, "properties": properties, MERGED: survivor["id"]}


def _stamp(record: Record) -> datetime:
    text = record["properties"].get(STAMP) or "1970-01-01T00:00:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"HubSpot's {STAMP} of record {record['id']} is no time: {text[:40]!r}.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read(reader: TableReader, batch: list[Record], place: str) -> Any:
    if not batch:
        return reader.empty()
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in batch)
    return reader.read(Path("page.jsonl"), lines.encode(), place)


# -- what has landed ---------------------------------------------------------------------------------------------------


def _known(lake: Lake, source_name: str, name: str, reader: TableReader, overlap: timedelta) -> Known:
    loads = [load for load in lake.accepted_loads() if load.source == source_name and load.cursors]
    same = [load for load in loads if _mapping(load, name) in (None, reader.mapping_hash)]
    with_rows = [load for load in same if name in load.tables]
    # A table read under another mapping, or not yet at all, is listed from the beginning.
    cursors = [datetime.fromisoformat(load.cursors[name]) for load in same if name in load.cursors]
    if not with_rows or not cursors:
        return Known(None, frozenset(), frozenset())
    since = max(cursors) - overlap
    versions: set[tuple[Any, ...]] = set()
    merged: set[str] = set()
    for load in with_rows:
        rows = _columns(lake, load, name, reader)
        versions |= {
            row for row in zip(*rows[:3], strict=True) if row[1] is None or row[1].replace(tzinfo=UTC) >= since
        }
        merged |= {id_ for id_, into in zip(rows[0], rows[3], strict=True) if into is not None}
    return Known(since, frozenset(versions), frozenset(merged))


def _columns(lake: Lake, load: Manifest, name: str, reader: TableReader) -> list[list[Any]]:
    import pyarrow.parquet as pq

    merged = "merged_into_account_id" if reader.table.column("merged_into_account_id") else reader.table.key[0]
    names = [reader.table.key[0], "modified_at", "is_deleted"]
    table = pq.read_table(lake.root / load.tables[name].path, columns=sorted({*names, merged}), partitioning=None)
    into = table[merged].to_pylist() if merged != reader.table.key[0] else [None] * table.num_rows
    return [*(table[column].to_pylist() for column in names), into]


def _mapping(load: Manifest, name: str) -> str | None:
    table = load.tables.get(name)
    return None if table is None else table.mapping_hash


def _new_rows(data: Any, reader: TableReader, known: Known) -> Any:
    """Rows not landed before: the overlap of two pulls is read twice and kept once."""
    import pyarrow as pa

    if not known.versions or not data.num_rows:
        return data
    columns = [data[name].to_pylist() for name in (reader.table.key[0], "modified_at", "is_deleted")]
    return data.filter(pa.array([row not in known.versions for row in zip(*columns, strict=True)], pa.bool_()))


def _digest(data: Any) -> str:
    """A hash of the rows: equal pulls make equal loads."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema) as writer:
        writer.write_table(data)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _server_time(api: HubSpotApi, extracted_at: datetime) -> datetime:
    """HubSpot's clock when the pull began; ours only where it names none (a wrong clock of ours loses nothing)."""
    try:
        return parsedate_to_datetime(str(api.client.server_time))
    except ValueError:
        return extracted_at
