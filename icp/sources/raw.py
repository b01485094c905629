"""One column of an extract as it was written: text, and the typed values where the file itself has types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from icp.errors import ConfigError

NAMES_SHOWN = 30
WHOLE_BELOW = 1e15
TEXT = {str, type(None)}


@dataclass(frozen=True)
class RawColumn:
    """A column before parsing.

    `native` holds the values of a typed file (Parquet columns, JSON numbers), so that a number written by a machine is
    never read through a human's number format; it is null where only `text` has the value.
    """

    text: pa.Array
    native: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class WantedColumn:
    """A source column some landed column is made from; an optional one may be absent from a file."""

    name: str
    optional: bool


def constant(value: object, rows: int) -> RawColumn:
    """A column with the same value in every row."""
    return RawColumn(pa.repeat(pa.scalar(as_text(value), pa.string()), rows))


def absent(rows: int) -> RawColumn:
    """An optional column the file does not have."""
    return RawColumn(pa.nulls(rows, pa.string()))


def from_python(values: Sequence[Any]) -> RawColumn:
    """A column of JSON values: numbers stay numbers, lists and objects become JSON text."""
    if set(map(type, values)) <= TEXT:
        return RawColumn(_text_array(values))
    numbers = [v if isinstance(v, int | float) and not isinstance(v, bool) else None for v in values]
    text = _text_array([as_text(v) for v in values])
    if all(number is None for number in numbers):
        return RawColumn(text)
    return RawColumn(text, pa.array([None if n is None else float(n) for n in numbers], pa.float64(), from_pandas=True))


def _text_array(texts: Sequence[str | None]) -> pa.Array:
    """Texts as a column; half a surrogate pair (an emoji some system cut in two) becomes the replacement character."""
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [t and t.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for t in texts], pa.string()
        )


def from_arrow(values: pa.ChunkedArray) -> RawColumn:
    """A column of a typed file."""
    if pa.types.is_nested(values.type):
        return from_python(values.to_pylist())
    native = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0, values.type)
    if pa.types.is_dictionary(native.type):
        native = native.dictionary_decode()
    if pa.types.is_string(native.type) or pa.types.is_large_string(native.type) or pa.types.is_binary(native.type):
        return RawColumn(native.cast(pa.string()))
    return RawColumn(_text_of(native), native)


def _text_of(native: pa.Array) -> pa.Array:
    """Text of typed values; whole numbers lose the `.0` a missing value in the column gave them."""
    if pa.types.is_floating(native.type) and _all_whole(native):
        return native.cast(pa.int64()).cast(pa.string())
    return native.cast(pa.string())


def _all_whole(numbers: pa.Array) -> bool:
    small = pc.less(pc.abs(numbers), WHOLE_BELOW)
    return pc.all(pc.and_(small, pc.equal(pc.floor(numbers), numbers))).as_py() is not False


def as_text(value: object) -> str | None:
    """A JSON or YAML value as an extract would write it; None for nothing."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float() if value != value:
            return None
        case float() if value.is_integer() and abs(value) < WHOLE_BELOW:
            return str(int(value))
        case datetime() | date():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)


def require_columns(place: str, wanted: Iterable[WantedColumn], found: Sequence[str]) -> None:
    """Refuse a file that lacks mapped columns, naming the columns it has and the nearest to each lacking one.

    Raises:
        ConfigError: Some column that is not optional is not among `found`.
    """
    lacking = [column.name for column in wanted if not column.optional and column.name not in found]
    if not lacking:
        return
    suggestions = [_suggestion(name, found) for name in lacking]
    more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
    plural = "columns" if len(lacking) > 1 else "column"
    raise ConfigError(
        f"{place} has no {plural} {', '.join(suggestions)}. "
        f"It has: {', '.join(found[:NAMES_SHOWN])}{more}. Correct the mapping in icp.yml."
    )


def _suggestion(name: str, found: Sequence[str]) -> str:
    by_lower = {candidate.lower(): candidate for candidate in found}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"`{name}` (did you mean `{by_lower[near[0]]}`?)" if near else f"`{name}`"
