"""One table on its way into the lake: bookkeeping columns, Parquet bytes, hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icp.manifest import LoadedTable, SourceFile
from icp.spool import Spool

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 100_000


@dataclass(frozen=True)
class TableToLand:
    """Rows in canonical shape, with `_source_file`, `_row` and `_parse_errors`, and the extracts they came from."""

    data: pa.Table | Spool
    files: tuple[SourceFile, ...]
    mapping_hash: str


class _HashSink:
    """A file that keeps only the hash of what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.position = 0

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.position += len(data)
        return len(data)

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


def load_id_of(effective_at: datetime, tables: Mapping[str, TableToLand], supersedes: tuple[str, ...]) -> str:
    """The name of a load: when its data were true, and a hash of the extracts and of the mapping that reads them."""
    parts = {name: [table.mapping_hash, *sorted(file.sha256 for file in table.files)] for name, table in tables.items()}
    content = json.dumps([parts, sorted(supersedes)], sort_keys=True)
    return f"{effective_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def write_table(
    folder: Path, path: str, table: TableToLand, load_id: str, effective_at: datetime, extracted_at: datetime
) -> LoadedTable:
    """Write one table of a load as Parquet below `folder` and say what was written; rows on disk pass in their groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from icp.atomic import sha256_of

    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    groups: Iterable[pa.Table] = table.data.groups() if isinstance(table.data, Spool) else (table.data,)
    dated_schema = _dated(table.data.schema.empty_table(), load_id, effective_at).schema
    schema = _with_constant(dated_schema.empty_table(), "_extracted_at", extracted_at).schema
    content = _HashSink()
    with (
        pq.ParquetWriter(target, schema, compression="zstd") as stored,
        pq.ParquetWriter(
            pa.PythonFile(content, mode="w"),
            dated_schema,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
        ) as hashed,
    ):
        for group in groups:
            dated = _dated(group, load_id, effective_at)
            hashed.write_table(dated)
            stored.write_table(_with_constant(dated, "_extracted_at", extracted_at), row_group_size=ROW_GROUP)
    return LoadedTable(
        rows=table.data.num_rows,
        files=table.files,
        mapping_hash=table.mapping_hash,
        sha256=sha256_of(target),
        content_hash=content.digest.hexdigest(),
        schema_hash=hashlib.sha256(str(schema.remove_metadata()).encode()).hexdigest(),
        path=path,
    )


def _dated(data: pa.Table, load_id: str, effective_at: datetime) -> pa.Table:
    return _with_constant(_with_constant(data, "_load_id", load_id), "_effective_at", effective_at)


def _with_constant(data: pa.Table, name: str, value: str | datetime) -> pa.Table:
    import pyarrow as pa

    if isinstance(value, datetime):
        scalar = pa.scalar(value.astimezone(UTC).replace(tzinfo=None), pa.timestamp("us"))
    else:
        scalar = pa.scalar(value, pa.string())
    return data.append_column(name, pa.repeat(scalar, data.num_rows))
