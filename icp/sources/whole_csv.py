"""A CSV nobody described: which encoding and delimiter it has, and its columns as text.

The pipeline never guesses (a mapping says what a file is); this is for a first look at one file, and what was guessed
is told to the user.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from icp.config_schema import CsvOptions, NumberFormat
from icp.errors import ConfigError
from icp.sources.csv_file import DELIMITERS, LONGEST_LINE, read_csv
from icp.sources.raw import RawColumn, WantedColumn

SAMPLED_ROWS = 50
EXCEL_HINT = re.compile(r"\ufeff?sep=([,;\t|])\r?\n", re.IGNORECASE)  # a first line by which Excel knows the delimiter
NOT_CSV = {
    b"PK\x03\x04": "an Excel workbook or a zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class WholeCsv:
    """Every named column of a file as text, and what was guessed about the file itself, in words."""

    columns: dict[str, RawColumn]
    notes: tuple[str, ...]
    delimiter: str

    @property
    def number_format(self) -> NumberFormat:
        """The format of numbers where such a file comes from: Excel writes semicolons where decimals have commas."""
        return "eu" if self.delimiter == ";" else "us"


def read_whole_csv(place: str, data: bytes) -> WholeCsv:
    """Every named column of the file as text.

    Raises:
        ConfigError: the file is no CSV, is empty, has a header only, names two columns alike, or its rows do not fit
            its header.
    """
    for start, what in NOT_CSV.items():
        if data.startswith(start):
            raise ConfigError(f"{place} is {what}, not a CSV file. Save it as CSV and name that file.")
    encoding, notes = _encoding(data)
    try:
        text = data.decode(encoding)
        said = EXCEL_HINT.match(text)
        text = text[said.end() :] if said else text
        sample = text[:LONGEST_LINE]
        delimiter = said.group(1) if said else _delimiter(sample)
        rows = _rows(sample, delimiter)
    except (UnicodeDecodeError, csv.Error) as problem:
        raise ConfigError(
            f"{place} cannot be read as CSV: {problem}. Is it a CSV file? Look for a quote that is never closed."
        ) from None
    header = [name.strip() for name in rows[0]] if rows else []
    _require_content(place, header, len(rows))
    if delimiter != ",":
        notes.append(f"Columns are separated by {delimiter!r}.")
    unnamed = sum(not name for name in header)
    if unnamed:
        notes.append(f"Left out for want of a name in the header: {unnamed:,} column{'s' if unnamed > 1 else ''}.")
    wanted = [WantedColumn(name, False) for name in dict.fromkeys(header) if name]
    columns = read_csv(place, text.encode(), CsvOptions(delimiter=delimiter), wanted)
    return WholeCsv(columns, tuple(notes), delimiter)


def _require_content(place: str, header: list[str], rows: int) -> None:
    if not any(header):
        raise ConfigError(f"{place} is empty. It needs a header line and a row per deal or account.")
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise ConfigError(f"{place}: the header has {', '.join(map(repr, twice))} more than once. Rename one of them.")
    if rows == 1:
        raise ConfigError(f"{place} has a header but no rows. It needs a row per deal or account.")


def _encoding(data: bytes) -> tuple[str, list[str]]:
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16", ["The file is utf-16."]
    start = data[:1000]
    if b"\x00" in start:
        name = "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
        return name, [f"The file was read as {name}."]
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            data.decode("cp1252")
        except UnicodeDecodeError:
            return "latin-1", ["The file is not utf-8; it was read as latin-1."]
        return "cp1252", ["The file is not utf-8; it was read as cp1252, which Excel writes."]
    return "utf-8-sig", []


def _delimiter(sample: str) -> str:
    """The one that cuts the first rows into the same number of columns, the largest such number."""

    def columns(delimiter: str) -> tuple[bool, int]:
        counts = [len(row) for row in _rows(sample, delimiter)]
        return bool(counts) and 1 < min(counts) == max(counts), counts[0] if counts else 0

    return max(DELIMITERS, key=columns)


def _rows(sample: str, delimiter: str) -> list[list[str]]:
    """The first rows that are not blank; a quoted value may hold line breaks."""
    found: Iterable[list[str]] = csv.reader(sample.splitlines(keepends=True), delimiter=delimiter)
    return list(islice((row for row in found if row), SAMPLED_ROWS))
