"""CSV extracts: every column is read as text, so nothing is guessed; rows that do not fit the header are refused."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from icp.config_schema import CsvOptions
from icp.errors import ConfigError
from icp.sources.raw import RawColumn, WantedColumn, absent, from_arrow, require_columns

DELIMITERS = {",": '","', ";": '";"', "\t": r'"\t"', "|": '"|"'}
BLOCK = 1 << 24
LONGEST_LINE = 1 << 22
LINES_SHOWN = 3


def read_csv(place: str, data: bytes, options: CsvOptions, wanted: Sequence[WantedColumn]) -> dict[str, RawColumn]:
    """The wanted columns of a CSV file as text.

    Args:
        place: Table and file, for messages.
        data: The file's bytes.
        options: Delimiter and encoding.
        wanted: The columns to read.

    Raises:
        ConfigError: Wrong encoding or delimiter, no rows, a missing column, rows longer or shorter than the header.
    """
    text = _decoded(place, data, options.encoding)
    header = _header(place, text, options.delimiter)
    _require_delimiter(place, text, header, options.delimiter, wanted)
    require_columns(place, wanted, header)
    twice = [column.name for column in wanted if header.count(column.name) > 1]
    if twice:
        raise ConfigError(f"{place}: the header has {', '.join(twice)} more than once. Rename one in the extract.")
    present = [column.name for column in wanted if column.name in header]
    if options.skip_after_header:
        text = _without_lines(text, options)
    table = _read(place, text.encode(), header, options.delimiter, present)
    if table.num_rows == 0:
        raise ConfigError(f"{place} has a header but no rows. Fetch it again; delete it if there is nothing to land.")
    columns = {name: from_arrow(table[name]) for name in present}
    return {c.name: columns.get(c.name) or absent(table.num_rows) for c in wanted}


def _decoded(place: str, data: bytes, encoding: str) -> str:
    try:
        text = data.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise ConfigError(
            f"{place} is not {encoding}: byte 0x{data[problem.start]:02x} at offset {problem.start} (line {line}) "
            f"cannot be read. {_other_encoding(data)}"
        ) from None
    if "\x00" in text[:1000]:
        raise ConfigError(f"{place} is not {encoding} text: it holds zero bytes. Try `csv: {{encoding: utf-16}}`.")
    return text


def _other_encoding(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "It looks like utf-16: set `csv: {encoding: utf-16}` on the table."
    return "It may be cp1252, which Excel writes: set `csv: {encoding: cp1252}` on the table."


def _header(place: str, text: str, delimiter: str) -> list[str]:
    first = next(csv.reader(text[:LONGEST_LINE].splitlines(keepends=True), delimiter=delimiter), [])
    if not any(name.strip() for name in first):
        raise ConfigError(f"{place} is empty. Fetch it again, or delete it if there is nothing to land.")
    return [name.strip() for name in first]


def _without_lines(text: str, options: CsvOptions) -> str:
    """The text without the records under its header that are no data; a record may span lines."""
    lines = text.splitlines(keepends=True)
    rows = csv.reader(lines, delimiter=options.delimiter)
    next(rows, None)
    after_header = rows.line_num
    for _ in range(options.skip_after_header):
        next(rows, None)
    return "".join([*lines[:after_header], *lines[rows.line_num :]])


def _require_delimiter(
    place: str, text: str, header: list[str], delimiter: str, wanted: Sequence[WantedColumn]
) -> None:
    names = {column.name for column in wanted}
    if len(header) > 1 or len(names) <= 1:
        return
    found = {other: len(names & set(_header(place, text, other))) for other in DELIMITERS}
    best = max(found, key=lambda other: found[other])
    if found[best] > found.get(delimiter, 0):
        raise ConfigError(
            f"{place}: with delimiter {delimiter!r} the header is one column. "
            f"Set `csv: {{delimiter: {DELIMITERS[best]}}}`: it gives {len(_header(place, text, best))} columns."
        )


def _read(place: str, data: bytes, header: list[str], delimiter: str, present: list[str]) -> pa.Table:
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "skip"

    try:
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=header, skip_rows=1),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note),
            convert_options=pa_csv.ConvertOptions(
                include_columns=present, column_types=dict.fromkeys(present, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as problem:
        raise ConfigError(f"{place} cannot be read as CSV: {problem}. Look for a quote that is never closed.") from None
    _refuse_ragged(place, ragged)
    return table


def _refuse_ragged(place: str, ragged: list[Any]) -> None:
    if not ragged:
        return
    shown = "; ".join(
        f"row {row.number} has {row.actual_columns} values instead of {row.expected_columns}"
        for row in ragged[:LINES_SHOWN]
    )
    raise ConfigError(
        f"{place}: {len(ragged)} row(s) do not fit the header ({shown}). "
        "A value that holds the delimiter must be quoted, and every quote closed; repair these rows or export the file again."
    )
