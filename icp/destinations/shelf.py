"""Lists that were planned for a destination, kept beside its ledger: what is sent, and what an undo puts back.

A list is named by its revision and its bytes, so that a name says exactly what a destination holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from icp import atomic
from icp.errors import ConfigError

KEY = "account_id"
DIGITS = 12


class Shelf:
    """The lists of one destination, one Parquet file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, revision: str, file: Path) -> str:
        """Keep a list of a revision; answers its name."""
        name = f"{revision} {atomic.sha256_of(file)[:DIGITS]}"
        kept = self._file(name)
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(kept, file.read_bytes())
        return name

    def path(self, name: str) -> Path:
        """The file of a list.

        Raises:
            ConfigError: it is not here any more.
        """
        kept = self._file(name)
        if not kept.exists():
            raise ConfigError(f"The list {name!r} is not in {self._folder} any more. Put it back from a backup.")
        return kept

    def _file(self, name: str) -> Path:
        return self._folder / f"{name.replace(' ', '_')}.parquet"


def rows_as_json(file: Path) -> Iterator[tuple[str, str]]:
    """Every row of a list: its account, and the row as JSON that is the same for the same values."""
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(file).iter_batches():
        for row in batch.to_pylist():
            plain = {name: _plain(value) for name, value in row.items()}
            yield str(row[KEY]), json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date | datetime) else value
