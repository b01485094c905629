"""Rows of one table on their way into a load, kept on disk in groups of rows: a pull of any size needs little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 20_000


class Spool:
    """A Parquet file that grows as pages arrive; `_row` counts on over all of them.

    Equal rows in equal order give equal files, however they were cut into pages.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.schema, self.num_rows = path, schema, 0
        self._waiting: list[Any] = []
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")

    def append(self, data: pa.Table) -> None:
        """Add rows behind those there are."""
        import pyarrow as pa

        if not data.num_rows:
            return
        numbers = pa.array(range(self.num_rows + 1, self.num_rows + data.num_rows + 1), pa.int64())
        data = data.set_column(data.column_names.index("_row"), "_row", numbers).cast(self.schema)
        self.num_rows += data.num_rows
        self._waiting.append(data)
        while sum(part.num_rows for part in self._waiting) >= GROUP:
            waiting = pa.concat_tables(self._waiting)
            self._writer.write_table(waiting.slice(0, GROUP).combine_chunks())
            self._waiting = [waiting.slice(GROUP)]

    def close(self) -> None:
        """Write what waits for its group to be full; nothing can be added afterwards."""
        import pyarrow as pa

        rest = pa.concat_tables(self._waiting) if self._waiting else self.schema.empty_table()
        if rest.num_rows:
            self._writer.write_table(rest.combine_chunks())
        self._waiting = []
        self._writer.close()

    def groups(self) -> Iterator[pa.Table]:
        """The rows in groups, in order; needs `close` first."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number)
