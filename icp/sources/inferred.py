"""What each column of a CSV nobody described holds, and why a column cannot be an attribute.

The pipeline never guesses (a mapping says what a column is); this is for a first look at one file, and everything
guessed is shown to the user, with what was left out and why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from icp.config_schema import NumberFormat
from icp.errors import ConfigError
from icp.profile import Kind
from icp.sources.parsing import parse_boolean, parse_set
from icp.sources.raw import RawColumn
from icp.sources.readings import Reading, cells, read_moments, read_numbers

SET_SHARE, SET_REPEATS = 0.05, 3.0
FREE_TEXT_SHARE, FREE_TEXT_LEAST = 0.5, 40
COMMON_SHARE, COMMON_COVERS = 0.01, 0.2
MOSTLY = 0.8  # a column with so many numbers among its known values was meant as numbers
_IDENTIFIER = re.compile(r"(^|[_\s])(id|key|uuid|guid)$|[a-z](Id|ID|Key)$", re.ASCII)


@dataclass(frozen=True)
class Inferred:
    """What a column holds: values ready for the feature frame, or why it cannot be an attribute.

    `notes` say how its cells were read where they could be read otherwise, and how many could not be read.
    """

    name: str
    kind: Kind | None
    values: pd.Series | None
    reason: str = ""
    notes: tuple[str, ...] = ()


def infer(name: str, column: RawColumn, *, keep: bool = False, prefer: NumberFormat = "us") -> Inferred:
    """What one column holds, or why it is left out.

    Args:
        name: the column's name.
        column: its cells.
        keep: overrules a judgement, never a lack of values.
        prefer: the number format where the cells of a column fit both.
    """
    text = cells(column)
    known = len(text) - text.null_count
    distinct = pc.count_distinct(text).as_py()
    if known == 0:
        return Inferred(name, None, None, "no value in any row")
    if distinct == 1:
        return Inferred(name, None, None, "the same value in every row that has one")
    found = _typed(name, column, text, known, prefer)
    reason = "" if keep else _unfit(name, text, known, distinct, found)
    if reason or found.kind is None:
        return Inferred(name, None, None, " ".join([reason or found.reason, *found.notes]))
    return found


def _typed(name: str, column: RawColumn, text: pa.Array, known: int, prefer: NumberFormat) -> Inferred:
    flag = parse_boolean(text)
    if not pc.any(flag.failed).as_py():
        return Inferred(name, "flag", _series(flag.values).astype(object))
    number = read_numbers(column, text, prefer)
    if number.mixed and _is_mostly(number):
        return Inferred(name, None, None, f"{number.mixed}; write all of them alike")
    if number.is_readable:
        notes = tuple(number.notes(name, "a number"))
        return Inferred(name, "numeric", _series(number.values).astype(float), notes=notes)
    moments = read_moments(column, text, prefer)
    if moments.is_readable or (moments.mixed and _is_mostly(moments)):
        return Inferred(name, None, None, "a date; turn it into an age or a duration, as of when the outcome was open")
    members = _as_set(text, known)
    if members is not None:
        return Inferred(name, "set", members)
    notes = ()
    if _is_mostly(number):
        why = f"{number.failed:,} of {known:,} cells are no numbers, such as {number.example!r}"
        notes = (f"{name}: read as names, because {why}. Empty these cells if the others are numbers.",)
    return Inferred(name, "category", _series(text).astype(object), notes=notes)


def _is_mostly(reading: Reading) -> bool:
    return reading.known - reading.failed + reading.other >= MOSTLY * reading.known


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
    return list(cells(column).to_pylist())


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
