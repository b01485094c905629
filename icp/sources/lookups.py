"""Small files that turn a code of an extract into its value, for example a geography key into a country."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from icp.config_schema import CsvOptions, Lookup
from icp.errors import ConfigError
from icp.sources.parsing import clean
from icp.sources.raw import WantedColumn
from icp.sources.reading import read_rows


@dataclass(frozen=True)
class LookupTable:
    """Unique keys and their values, as text."""

    keys: pa.Array
    values: pa.Array

    def find(self, text: pa.Array) -> pa.Array:
        """The value of each key; null where the key is missing or not listed."""
        return self.values.take(pc.index_in(text, self.keys))


def read_lookup(table: str, root: Path, lookup: Lookup, csv: CsvOptions) -> LookupTable:
    """Read one lookup.

    Raises:
        ConfigError: The file is missing, lacks a column or repeats a key.
    """
    place = f"{table}: lookup {lookup.path}"
    wanted = [WantedColumn(lookup.key, False), WantedColumn(lookup.value, False)]
    columns, _ = read_rows(place, Path(lookup.path), _data(table, root, lookup.path), wanted, csv=csv)
    keys, values = (clean(columns[name].text) for name in (lookup.key, lookup.value))
    twice = [entry["values"] for entry in pc.value_counts(keys).to_pylist() if entry["counts"] > 1]
    if twice:
        raise ConfigError(f"{place}: `{lookup.key}` is {twice[0]!r} in several rows. A lookup needs unique keys.")
    return LookupTable(keys, values)


def lookup_hash(table: str, root: Path, path: str) -> str:
    """A hash of a lookup file: when it changes, the extracts read through it are landed again."""
    return hashlib.sha256(_data(table, root, path)).hexdigest()


def _data(table: str, root: Path, path: str) -> bytes:
    file = root / path
    if not file.is_file():
        raise ConfigError(f"{table}: the lookup file {path} does not exist below {root}. Correct `path` or fetch it.")
    return file.read_bytes()
