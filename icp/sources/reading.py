"""Which reader reads a file: by `format:`, otherwise by its suffix."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from icp.config_schema import CsvOptions, FileFormat
from icp.errors import ConfigError
from icp.sources.csv_file import read_csv
from icp.sources.jsonl_file import read_jsonl
from icp.sources.parquet_file import read_parquet
from icp.sources.raw import RawColumn, WantedColumn
from icp.sources.xlsx_file import read_xlsx

SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}


def read_rows(
    place: str,
    file: Path,
    data: bytes,
    wanted: Sequence[WantedColumn],
    *,
    csv: CsvOptions,
    file_format: FileFormat | None = None,
    sheet: str | None = None,
) -> tuple[dict[str, RawColumn], Sequence[int]]:
    """The wanted columns of a file in whatever format it has, packed with gzip (`.gz`) or not, and the number of each row:
    the first below the header is 1.

    Raises:
        ConfigError: The format is not known, or the file as a whole cannot be read.
    """
    columns: dict[str, RawColumn]
    suffix = file.suffix.lower()
    if suffix == ".gz":
        data, suffix = _unpacked(place, data), Path(file.stem).suffix.lower()
    match file_format or SUFFIXES.get(suffix):
        case "csv":
            is_tabbed = suffix == ".tsv" and "delimiter" not in csv.model_fields_set
            columns = read_csv(place, data, csv.model_copy(update={"delimiter": "\t"}) if is_tabbed else csv, wanted)
        case "jsonl":
            columns = read_jsonl(place, data, wanted)
        case "parquet":
            columns = read_parquet(place, data, wanted)
        case "xlsx":
            return read_xlsx(place, data, wanted, sheet)
        case _:
            raise ConfigError(
                f"{place}: the suffix {suffix or '(none)'} says no format. Add `format: csv`, `jsonl`, `parquet` or "
                "`xlsx`."
            )
    return columns, range(1, len(next(iter(columns.values()))) + 1)


def _unpacked(place: str, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as problem:
        raise ConfigError(f"{place} is not a whole gzip file ({problem}). Fetch it again.") from None
