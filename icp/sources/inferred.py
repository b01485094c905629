"""A CSV nobody described: which delimiter and encoding it has, and what each of its columns holds.

The pipeline never guesses (a mapping says what a column is); this is for a first look at one file, and everything
guessed is shown to the user, with what was left out and why.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from icp.config_schema import CsvOptions, DateFormat, NumberFormat
from icp.errors import ConfigError
from icp.profile import Kind
from icp.sources.csv_file import DELIMITERS, LONGEST_LINE, read_csv
from icp.sources.dates import Clock, parse_instant
from icp.sources.parsing import Parsed, clean, parse_boolean, parse_number, parse_set
from icp.sources.raw import RawColumn, WantedColumn

SAMPLED_LINES = 50
READABLE = 0.98  # share of known values that must read as a type for the column to be of that type
SET_SHARE, SET_REPEATS = 0.05, 3.0
FREE_TEXT_SHARE, FREE_TEXT_LEAST = 0.5, 40
COMMON_SHARE, COMMON_COVERS = 0.01, 0.2
NUMBER_FORMATS: tuple[NumberFormat, ...] = ("us", "eu")
DATE_FORMATS: tuple[DateFormat, ...] = ("iso", "us", "eu")
_IDENTIFIER = re.compile(r"(^|[_\s])(id|key|uuid|guid)$|[a-z](Id|ID|Key)$", re.ASCII)


@dataclass(frozen=True)
class Inferred:
    """What a column holds: values ready for the feature frame, or why it cannot be an attribute."""

    name: str
    kind: Kind | None
    values: pd.Series | None
    reason: str = ""


def read_whole_csv(place: str, data: bytes) -> tuple[dict[str, RawColumn], list[str]]:
    """Every named column of the file as text, and what was guessed about the file itself, in words.

    Raises:
        ConfigError: the file is empty, has a header only, or its rows do not fit its header.
    """
    encoding, notes = _encoding(data)
    text = data.decode(encoding)
    delimiter = _delimiter(text)
    if delimiter != ",":
        notes.append(f"columns are separated by {delimiter!r}")
    header = [name.strip() for name in next(csv.reader(text[:LONGEST_LINE].splitlines(True), delimiter=delimiter), [])]
    wanted = [WantedColumn(name, False) for name in dict.fromkeys(header) if name]
    return read_csv(place, data, CsvOptions(delimiter=delimiter, encoding=encoding), wanted), notes


def _encoding(data: bytes) -> tuple[str, list[str]]:
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16", ["the file is utf-16"]
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            data.decode("cp1252")
        except UnicodeDecodeError:
            return "latin-1", ["the file is not utf-8; it was read as latin-1"]
        return "cp1252", ["the file is not utf-8; it was read as cp1252, which Excel writes"]
    return "utf-8-sig", []


def _delimiter(text: str) -> str:
    """The one that cuts the first lines into the same number of columns, the largest such number."""
    lines = text[:LONGEST_LINE].splitlines()[:SAMPLED_LINES]

    def columns(delimiter: str) -> tuple[bool, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        return bool(counts) and 1 < min(counts) == max(counts), counts[0] if counts else 0

    return max(DELIMITERS, key=columns)


def infer(name: str, column: RawColumn, *, keep: bool = False) -> Inferred:
    """What one column holds, or why it is left out (`keep` overrules a judgement, never a lack of values)."""
    text = clean(column.text)
    known = len(text) - text.null_count
    distinct = pc.count_distinct(text).as_py()
    if known == 0:
        return Inferred(name, None, None, "no value in any row")
    if distinct == 1:
        return Inferred(name, None, None, "the same value in every row that has one")
    found = _typed(name, column, text, known)
    reason = "" if keep else _unfit(name, text, known, distinct, found)
    if reason or found.kind is None:
        return Inferred(name, None, None, reason or found.reason)
    return found


def _typed(name: str, column: RawColumn, text: pa.Array, known: int) -> Inferred:
    flag = parse_boolean(text)
    if not pc.any(flag.failed).as_py():
        return Inferred(name, "flag", _series(flag.values).astype(object))
    number = best_number(column, text)
    if _is_readable(number, known):
        return Inferred(name, "numeric", _series(number.values).astype(float))
    if _is_readable(best_instant(column, text), known):
        return Inferred(name, None, None, "a date; turn it into an age or a duration, as of when the outcome was open")
    members = _as_set(text, known)
    if members is not None:
        return Inferred(name, "set", members)
    return Inferred(name, "category", _series(text).astype(object))


def best_number(column: RawColumn, text: pa.Array) -> Parsed:
    """Numbers in the format (us or eu) that reads more of them."""
    return min((parse_number(column, text, form) for form in NUMBER_FORMATS), key=_failures)


def best_instant(column: RawColumn, text: pa.Array) -> Parsed:
    """Moments in the format (iso, us or eu) that reads more of them."""
    from zoneinfo import ZoneInfo

    clock = Clock(ZoneInfo("UTC"), ZoneInfo("UTC"))
    return min((parse_instant(column, text, form, clock) for form in DATE_FORMATS), key=_failures)


def _failures(parsed: Parsed) -> int:
    return int(pc.sum(parsed.failed).as_py() or 0)


def _is_readable(parsed: Parsed, known: int) -> bool:
    return _failures(parsed) <= (1 - READABLE) * known


def _series(values: pa.Array) -> pd.Series:
    series: pd.Series = values.to_pandas()
    return series


def _as_set(text: pa.Array, known: int) -> pd.Series | None:
    """Lists of few names that come back, such as technologies in use."""
    for delimiter in (";", "|"):
        listed = pc.sum(pc.match_substring(text, delimiter)).as_py() or 0
        if listed >= max(2, SET_SHARE * known):
            members = _series(parse_set(text, delimiter).values)
            names = members.dropna().str.strip("|").str.split("|").explode()
            if len(names) >= SET_REPEATS * names.nunique():
                return members.astype(object)
    return None


def _unfit(name: str, text: pa.Array, known: int, distinct: int, found: Inferred) -> str:
    if _IDENTIFIER.search(name) and distinct > 2:
        return "its name says that it is an identifier"
    if found.kind == "numeric":
        is_code = distinct == known >= FREE_TEXT_LEAST and found.values is not None and _is_running(found.values)
        return "a different whole number in every row: an identifier" if is_code else ""
    if found.kind != "category":
        return ""
    if distinct >= FREE_TEXT_LEAST and distinct > FREE_TEXT_SHARE * known:
        return "nearly every row has a value of its own: a name, an identifier or free text"
    counts = np.array(pc.value_counts(text.drop_null()).field("counts"))
    common = counts[counts >= COMMON_SHARE * known].sum()
    return f"{distinct:,} different values, hardly any of them common" if common < COMMON_COVERS * known else ""


def _is_running(numbers: pd.Series) -> bool:
    """Whole numbers that fill their range like a counter does; amounts of money do not."""
    whole = np.sort(numbers.dropna().to_numpy())
    return bool((whole == np.floor(whole)).all()) and float(whole[-1] - whole[0]) < 20 * len(whole)


def texts(column: RawColumn) -> Sequence[str | None]:
    """The column's cleaned text, None for no value."""
    return list(clean(column.text).to_pylist())


def require(columns: dict[str, RawColumn], name: str, option: str) -> RawColumn:
    """The column an option names.

    Raises:
        ConfigError: the file has no such column; the message lists those it has.
    """
    if name in columns:
        return columns[name]
    by_lower = {known.lower(): known for known in columns}
    near = by_lower.get(name.lower())
    hint = f" Did you mean {near!r}?" if near else ""
    raise ConfigError(f"The file has no column {name!r} ({option}).{hint} It has: {', '.join(columns)}.")
