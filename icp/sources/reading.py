"""Which reader reads a file: by `format:`, otherwise by its suffix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from icp.config_schema import CsvOptions, FileFormat
from icp.errors import ConfigError
from icp.sources.csv_file import read_csv
from icp.sources.jsonl_file import read_jsonl
from icp.sources.parquet_file import read_parquet
from icp.sources.raw import RawColumn, WantedColumn

SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def read_columns(
    place: str,
    file: Path,
    data: bytes,
    wanted: Sequence[WantedColumn],
    *,
    csv: CsvOptions,
    file_format: FileFormat | None = None,
) -> dict[str, RawColumn]:
    """The wanted columns of a file in whatever format it has.

    Raises:
        ConfigError: The format is not known, or the file as a whole cannot be read.
    """
    suffix = file.suffix.lower()
    match file_format or SUFFIXES.get(suffix):
        case "csv":
            is_tabbed = suffix == ".tsv" and "delimiter" not in csv.model_fields_set
            return read_csv(place, data, csv.model_copy(update={"delimiter": "\t"}) if is_tabbed else csv, wanted)
        case "jsonl":
            return read_jsonl(place, data, wanted)
        case "parquet":
            return read_parquet(place, data, wanted)
    raise ConfigError(
        f"{place}: the suffix {suffix or '(none)'} says no format. Add `format: csv`, `jsonl` or `parquet`."
    )
