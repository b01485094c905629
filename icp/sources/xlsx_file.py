"""Workbooks: one sheet with a header in its first row that is not empty. Numbers, days and truths keep their types."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from icp.errors import ConfigError
from icp.sources.raw import RawColumn, WantedColumn, absent, from_python, require_columns

COMPOUND = b"\xd0\xcf\x11\xe0"
"""What a workbook starts with that is encrypted, or older than 2007."""


def read_xlsx(
    place: str, data: bytes, wanted: Sequence[WantedColumn], sheet: str | None = None
) -> tuple[dict[str, RawColumn], list[int]]:
    """The wanted columns of a sheet, and of each row how far below the header it stands: blank rows between are counted.

    Args:
        place: Table and file, for messages.
        data: The file's bytes.
        wanted: The columns to read.
        sheet: Its name; may be left out where one sheet alone holds something.

    Raises:
        ConfigError: Empty, damaged or protected by a password; several sheets and none named; no rows; a missing column.
    """
    name, rows = _sheet(place, _sheets(place, data), sheet)
    place = f"{place}, sheet {name}"
    header = [_text(cell) for cell in rows[0]]
    require_columns(place, wanted, [cell for cell in header if cell])
    twice = [column.name for column in wanted if header.count(column.name) > 1]
    if twice:
        raise ConfigError(f"{place}: the header has {', '.join(twice)} more than once. Rename one in the workbook.")
    below = {number: row for number, row in enumerate(rows[1:], start=1) if any(_text(cell) for cell in row)}
    if not below:
        raise ConfigError(f"{place} has a header but no rows. Fetch it again; delete it if there is nothing to land.")
    places = {cell: index for index, cell in enumerate(header) if cell}
    columns = {
        column.name: from_python([_value(row[places[column.name]]) for row in below.values()])
        if column.name in places
        else absent(len(below))
        for column in wanted
    }
    return columns, list(below)


def _sheets(place: str, data: bytes) -> dict[str, list[list[Any]]]:
    """The rows of every visible sheet that is not empty."""
    import python_calamine as calamine

    if not data:
        raise ConfigError(f"{place} is empty. Fetch it again, or delete it if there is nothing to land.")
    if data[:4] == COMPOUND:
        raise ConfigError(
            f"{place} is protected by a password, or older than Excel 2007. Save it as .xlsx without a password."
        )
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        visible = [s.name for s in book.sheets_metadata if s.visible is calamine.SheetVisibleEnum.Visible]
        read = {name: book.get_sheet_by_name(name).to_python() for name in visible}
    except (calamine.CalamineError, OSError) as problem:
        raise ConfigError(f"{place} is not a readable workbook ({_short(problem)}). Fetch it again.") from None
    return {name: rows for name, rows in ((n, _without_margin(r)) for n, r in read.items()) if rows}


def _without_margin(rows: list[list[Any]]) -> list[list[Any]]:
    first = next((index for index, row in enumerate(rows) if any(_text(cell) for cell in row)), len(rows))
    return rows[first:]


def _sheet(place: str, sheets: dict[str, list[list[Any]]], wanted: str | None) -> tuple[str, list[list[Any]]]:
    if not sheets:
        raise ConfigError(f"{place} has no sheet with anything on it. Fetch it again.")
    names = ", ".join(sheets)
    if wanted is not None and wanted not in sheets:
        raise ConfigError(f"{place} has no sheet {wanted!r} with anything on it. It has: {names}. Correct `sheet`.")
    if wanted is None and len(sheets) > 1:
        raise ConfigError(f"{place} has {len(sheets)} sheets: {names}. Say which one holds the table: `sheet: …`.")
    name = wanted if wanted is not None else next(iter(sheets))
    return name, sheets[name]


def _text(cell: Any) -> str:
    return str(cell).strip() if cell is not None else ""


def _value(cell: Any) -> Any:
    """A cell as an extract would write it: days as days, an empty cell as nothing."""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return None if cell == "" else cell


def _short(problem: Exception) -> str:
    return re.sub(r"\s+", " ", str(problem))[:120] or type(problem).__name__
