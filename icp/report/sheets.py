"""Tables as a spreadsheet file that shows text and never runs it: equal tables give equal bytes.

Every text is written as text, cleaned of what hides or reorders, cut below what Excel holds, and marked as text (the
apostrophe of a spreadsheet) where it begins like a formula, so that editing or copying the cell does not wake it.
Numbers stay numbers. The date in the file's properties is that of the data and every member of the archive carries
1980-01-01, so that no clock is in the bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import xlsxwriter  # type: ignore[import-untyped]

from icp.report.wording import clean, count

Form = Literal["text", "long", "count", "score", "share", "money", "ratio", "chance"]

FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
MOST_CHARACTERS = 4_000  # Excel holds 32,767 UTF-16 units in a cell; a person reads far less
MOST_ROWS = 5_000  # a cell costs 10 µs to write; whoever needs more reads CSV or Parquet
FORMS: dict[Form, dict[str, Any]] = {
    "text": {},
    "long": {"text_wrap": True},
    "count": {"num_format": "#,##0"},
    "score": {"num_format": "0"},
    "share": {"num_format": "0.0%"},
    "money": {"num_format": "#,##0"},
    "ratio": {"num_format": "0.00"},
    "chance": {"num_format": "0.000"},
}


@dataclass(frozen=True)
class Column:
    """One column of a sheet: its heading, how its cells are shown, its width in characters."""

    title: str
    form: Form = "text"
    width: int = 14


@dataclass(frozen=True)
class Sheet:
    """One sheet: a sentence on top, headings, rows.

    `total` is how many rows there are in all (None: those given); what is beyond `most` is in the file `elsewhere` names,
    and the sentence on top says so.
    """

    name: str
    note: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[object]]
    total: int | None = None
    elsewhere: str = ""
    most: int = MOST_ROWS

    @property
    def sentence(self) -> str:
        """What stands on top of the sheet."""
        if self.total is None or self.total <= self.most:
            return self.note
        return f"{self.note} The first {count(self.most)} of {count(self.total)} are here; all are in {self.elsewhere}."


def spreadsheet(sheets: Sequence[Sheet], *, title: str, company: str, day: str) -> bytes:
    """The sheets as the bytes of one .xlsx file.

    Args:
        sheets: In the order of the tabs.
        title: For the file's properties.
        company: For the file's properties.
        day: The date of the data, `2026-10-06`; the file says that it was made then.
    """
    made = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(made, options)
    named = {"title": shown_text(title)[:200], "company": shown_text(company)[:200]}
    book.set_properties({**named, "author": "icp-refresh", "created": datetime.strptime(day, "%Y-%m-%d")})
    formats = _Formats(book)
    for sheet in sheets:
        _write_sheet(book.add_worksheet(sheet.name), sheet, formats)
    book.close()
    return made.getvalue()


def shown_text(value: object) -> str:
    """The text as a cell shows it.

    >>> shown_text("Acme\\u202e Inc"), len(shown_text("x" * 40_000))
    ('Acme Inc', 4000)
    """
    text = str(value)
    text = text if text.isascii() and text.isprintable() else clean(text)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


class _Formats:
    """The looks of cells, each made once per file."""

    def __init__(self, book: Any) -> None:
        self.note = book.add_format({"italic": True, "font_color": "#596069"})
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"})
        self.cells = {form: book.add_format({"valign": "top", **looks}) for form, looks in FORMS.items()}
        self.marked = {
            form: book.add_format({"valign": "top", **looks, "quote_prefix": True}) for form, looks in FORMS.items()
        }
        self.plain_marked = book.add_format({"quote_prefix": True})

    def of(self, column: Column, text: str) -> Any:
        """The look of a text: marked as text where it begins like a formula."""
        return (self.marked if text.startswith(FORMULA_STARTS) else self.cells)[column.form]


def _write_sheet(page: Any, sheet: Sheet, formats: _Formats) -> None:
    note = shown_text(sheet.sentence)
    page.write_string(0, 0, note, formats.plain_marked if note.startswith(FORMULA_STARTS) else formats.note)
    for place, column in enumerate(sheet.columns):
        page.set_column(place, place, column.width, formats.cells[column.form])
        page.write_string(1, place, shown_text(column.title), formats.head)
    last = 1
    for number, row in enumerate(sheet.rows):
        if number == sheet.most:
            break
        last = number + 2
        for place, (column, value) in enumerate(zip(sheet.columns, row, strict=True)):
            _write_cell(page, last, place, value, column, formats)
    page.freeze_panes(2, 1)
    if last > 1:
        page.autofilter(1, 0, last, len(sheet.columns) - 1)


def _write_cell(page: Any, row: int, place: int, value: object, column: Column, formats: _Formats) -> None:
    if isinstance(value, bool):
        page.write_string(row, place, "yes" if value else "no", formats.cells[column.form])
    elif isinstance(value, int | float):
        if math.isfinite(value):
            page.write_number(row, place, float(f"{value:.10g}"), formats.cells[column.form])
    elif isinstance(value, str) and value:
        text = shown_text(value)
        if text:
            page.write_string(row, place, text, formats.of(column, text))
