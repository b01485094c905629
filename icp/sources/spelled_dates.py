"""Dates as people write them, in a column a user calls dates: month names, two-digit years, months and quarters alone.

All of them are one reading only, but for the century: outcomes of deals are of this one.
"""

from __future__ import annotations

import re

import pyarrow as pa

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAME = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?\.?"
DAY, YEAR = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?", r"(?P<y>\d{4}|\d{2})(?!\d)"
SPELLED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"^(?:[a-z]{{3,9}},? )?{DAY}[ .-]+{NAME}[ ,.-]+{YEAR}",
        rf"^(?:[a-z]{{3,9}},? )?{NAME}[ -]+{DAY},?[ -]+{YEAR}",
        r"^(?P<y>\d{4})-(?P<m>\d{2})$",
        r"^(?P<y>\d{4})[- ]?Q(?P<q>[1-4])$",
        r"^Q(?P<q>[1-4])[- ]?(?P<y>\d{4})$",
    )
)
SHORT_YEAR = re.compile(r"^(\d{1,2}[./-]\d{1,2}[./-])(\d{2})(?=$|[ ,T])")
CENTURY = "20"


def spelled_out(text: pa.Array) -> tuple[pa.Array, str]:
    """The same dates in forms the pipeline reads, a month or a quarter as its first day, and in words what was done."""
    encoded = text.dictionary_encode()
    written = encoded.dictionary.to_pylist()
    read = [_plain(value) for value in written]
    changed = next((pair for pair in zip(written, read, strict=True) if pair[0] != pair[1]), None)
    words = f"{changed[0]!r} was read as {changed[1]}" if changed else ""
    return pa.array(read, pa.string()).take(encoded.indices), words


def _plain(value: str) -> str:
    for pattern in SPELLED:
        found = pattern.match(value)
        if found:
            part = found.groupdict()
            return f"{_year(part['y'])}-{_month(part):02d}-{int(part.get('d') or 1):02d}"
    return SHORT_YEAR.sub(rf"\g<1>{CENTURY}\2", value)


def _year(digits: str) -> str:
    return digits if len(digits) == 4 else CENTURY + digits


def _month(part: dict[str, str | None]) -> int:
    if part.get("name"):
        return MONTHS.index(str(part["name"]).lower()) + 1
    return int(part["m"] or 0) if part.get("m") else 3 * int(part["q"] or 1) - 2
