"""Parquet extracts: typed columns, nested ones through a dotted path."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from icp.errors import ConfigError
from icp.sources.jsonl_file import STEP, columns_of
from icp.sources.raw import RawColumn, WantedColumn, absent, from_arrow, require_columns


def read_parquet(place: str, data: bytes, wanted: Sequence[WantedColumn]) -> dict[str, RawColumn]:
    """The wanted columns of a Parquet file.

    Raises:
        ConfigError: Empty or damaged file, no rows, a missing column.
    """
    if not data:
        raise ConfigError(f"{place} is empty. Fetch it again, or delete it if there is nothing to land.")
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        names = file.schema_arrow.names
        roots = {column.name: _root(column.name, names) for column in wanted}
        table = file.read(columns=sorted({root for root in roots.values() if root in names}))
    except (pa.ArrowInvalid, OSError) as problem:
        raise ConfigError(f"{place} is not a readable Parquet file ({problem}). Fetch it again.") from None
    if file.metadata.num_rows == 0:
        raise ConfigError(f"{place} has no rows. Fetch it again, or delete it if there is nothing to land.")
    require_columns(place, [WantedColumn(roots[c.name], c.optional) for c in wanted], names)
    return {c.name: _column(place, table, c, roots[c.name]) for c in wanted}


def _root(name: str, names: Sequence[str]) -> str:
    """The top-level column a name or dotted path starts in."""
    first = STEP.match(name)
    return name if name in names or first is None else first[0]


def _column(place: str, table: pa.Table, wanted: WantedColumn, root: str) -> RawColumn:
    if root not in table.column_names:
        return absent(table.num_rows)
    if root == wanted.name:
        return from_arrow(table[root])
    records = [{root: value} for value in table[root].to_pylist()]
    return columns_of(place, records, [wanted])[wanted.name]
