"""What earlier loads of a pulled table hold: where the next pull starts and which rows it need not land again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from icp.lake import Lake
from icp.manifest import Manifest
from icp.sources.mapping import TableReader


@dataclass(frozen=True)
class Known:
    """What earlier loads of a table hold: up to when they read, the versions near that, who was merged away."""

    since: datetime | None
    versions: frozenset[tuple[Any, ...]]
    merged: frozenset[str]


def known(lake: Lake, source: str, reader: TableReader, overlap: timedelta) -> Known:
    """Where to start. A table read under another mapping, or not yet at all, is read from the beginning."""
    name = reader.table.name
    loads = [load for load in lake.accepted_loads() if load.source == source and load.cursors]
    same = [load for load in loads if _mapping(load, name) in (None, reader.mapping_hash)]
    with_rows = [load for load in same if name in load.tables]
    cursors = [datetime.fromisoformat(load.cursors[name]) for load in same if name in load.cursors]
    if not with_rows or not cursors:
        return Known(None, frozenset(), frozenset())
    since = max(cursors) - overlap
    versions: set[tuple[Any, ...]] = set()
    merged: set[str] = set()
    for load in with_rows:
        near, gone = _rows(lake, load, reader, since)
        versions |= near
        merged |= gone
    return Known(since, frozenset(versions), frozenset(merged))


def new_rows(data: Any, reader: TableReader, held: Known) -> Any:
    """Rows not landed before: the overlap of two pulls is read twice and kept once."""
    import pyarrow as pa

    if not held.versions or not data.num_rows:
        return data
    columns = [data[name].to_pylist() for name in _version(reader)]
    return data.filter(pa.array([row not in held.versions for row in zip(*columns, strict=True)], pa.bool_()))


def _version(reader: TableReader) -> tuple[str, ...]:
    return (reader.table.key[0], "modified_at", "is_deleted")


def _rows(lake: Lake, load: Manifest, reader: TableReader, since: datetime) -> tuple[set[tuple[Any, ...]], set[str]]:
    """Versions of a load at or after an instant, and the ids it says were merged away; the rest stays on disk."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    key, stamp, deleted = _version(reader)
    moment = since.astimezone(UTC).replace(tzinfo=None)
    near: set[tuple[Any, ...]] = set()
    gone: set[str] = set()
    into = "merged_into_account_id" if reader.table.column("merged_into_account_id") else None
    contacts = reader.table.name == "contacts"
    names = sorted({key, stamp, deleted, *([into] if into else []), *(["account_id"] if contacts else [])})
    with pq.ParquetFile(lake.root / load.tables[reader.table.name].path) as file:
        for batch in file.iter_batches(columns=names):
            recent = batch.filter(pc.fill_null(pc.greater_equal(batch[stamp], moment), True))
            near |= set(zip(*(recent[name].to_pylist() for name in (key, stamp, deleted)), strict=True))
            if into:
                gone |= set(batch.filter(pc.is_valid(batch[into]))[key].to_pylist())
            elif contacts:  # one that was merged away landed as deleted and of no company
                lost = pc.and_(pc.fill_null(batch[deleted], False), pc.is_null(batch["account_id"]))
                gone |= set(batch.filter(lost)[key].to_pylist())
    return near, gone


def _mapping(load: Manifest, name: str) -> str | None:
    table = load.tables.get(name)
    return None if table is None else table.mapping_hash
