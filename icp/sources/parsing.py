"""Text of an extract -> typed values: text, numbers, booleans, sets. Vectorised; what cannot be read is null and noted.

Nothing is guessed: `1.234` is one and a bit in the `us` format and one thousand two hundred in `eu`, by configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from icp.config_schema import NumberFormat
from icp.sources.raw import RawColumn

MISSING = ("", "null", "none", "n/a", "#n/a", "nan", "nil", "\\n")
TRUE = ("true", "1", "yes", "y", "t")
FALSE = ("false", "0", "no", "n", "f")

CODES = "USD|EUR|GBP|CHF|JPY|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|INR|BRL|MXN|SGD|HKD|ZAR"
CURRENCY = f"(?:[A-Z]{{0,2}}[$€£¥₹₩₪₽₺]|(?:{CODES}))"
BRACKETED = r"^\((.*)\)$"
LEADING = rf"^([+-]?)\s*{CURRENCY}\s*"
TRAILING = rf"\s*(?:{CURRENCY}|%)$"
SPACES = r"[ '’\x{a0}\x{202f}]"
PLAIN = r"^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$"
GROUPED = {
    "us": rf"^-?(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,3}}(?:{SPACES}\d{{3}})+|\d*)(?:\.\d*)?(?:[eE][+-]?\d{{1,3}})?$",
    "eu": rf"^-?(?:\d{{1,3}}(?:\.\d{{3}})+|\d{{1,3}}(?:{SPACES}\d{{3}})+|\d*)(?:,\d*)?(?:[eE][+-]?\d{{1,3}})?$",
}
GROUP_MARK = {"us": f",|{SPACES}", "eu": rf"\.|{SPACES}"}
EMAIL_DOMAIN = r"^[^@]*[^@\s]@(?P<domain>[^@\s<>]+\.[^@\s<>.]+)>?$"


@dataclass(frozen=True)
class Parsed:
    """Typed values, and True in `failed` where there was something that could not be read."""

    values: pa.Array
    failed: pa.Array


def clean(text: pa.Array, missing: Iterable[str] = ()) -> pa.Array:
    """Text without surrounding white space; null where it says that there is no value."""
    trimmed = pc.utf8_trim_whitespace(text)
    nothing = pa.array(sorted({*MISSING, *(word.strip().lower() for word in missing)}), pa.string())
    return pc.if_else(pc.is_in(pc.utf8_lower(trimmed), nothing), pa.scalar(None, pa.string()), trimmed)


def parsed(values: pa.Array, text: pa.Array) -> Parsed:
    """Values read from `text`: failed where there is text but no value."""
    return Parsed(values, pc.and_(pc.is_null(values), pc.is_valid(text)))


def parse_text(text: pa.Array) -> Parsed:
    """Text as it is; it cannot fail."""
    return parsed(text, text)


def parse_number(column: RawColumn, text: pa.Array, number_format: NumberFormat) -> Parsed:
    """Numbers with thousands separators, currency and percent signs and bracketed negatives; `12 %` is 12.

    Args:
        column: The column as the file has it; numbers a typed file holds are taken as they are.
        text: Its cleaned text.
        number_format: `us` (1,234.5) or `eu` (1.234,5).
    """
    if column.native is not None and _is_number(column.native.type):
        numbers = _finite(pc.cast(column.native, pa.float64(), safe=False))
        unread = pc.if_else(pc.is_null(column.native), text, pa.scalar(None, pa.string()))
        return parsed(pc.coalesce(numbers, _numbers(unread, number_format)), text)
    return parsed(_numbers(text, number_format), text)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _numbers(text: pa.Array, number_format: NumberFormat) -> pa.Array:
    bare = pc.replace_substring_regex(text, r"^[−–]", "-")
    bare = pc.replace_substring_regex(bare, BRACKETED, r"-\1")
    bare = pc.replace_substring_regex(bare, LEADING, r"\1")
    bare = pc.replace_substring_regex(pc.replace_substring_regex(bare, TRAILING, ""), r"^\+", "")
    plain = _only(bare, GROUPED[number_format])
    plain = pc.replace_substring_regex(plain, GROUP_MARK[number_format], "")
    if number_format == "eu":
        plain = pc.replace_substring(plain, ",", ".")
    return _finite(pc.cast(_only(plain, PLAIN), pa.float64()))


def _only(text: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(text, pattern), text, pa.scalar(None, pa.string()))


def _finite(numbers: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def parse_boolean(text: pa.Array) -> Parsed:
    """True/false, yes/no, y/n, t/f, 1/0, in any case."""
    lower = pc.utf8_lower(text)
    truth = pc.is_in(lower, pa.array(TRUE))
    known = pc.or_(truth, pc.is_in(lower, pa.array(FALSE)))
    return parsed(pc.if_else(known, truth, pa.scalar(None, pa.bool_())), text)


def parse_equals(text: pa.Array, values: Iterable[str]) -> Parsed:
    """Whether the text is one of these values, in any case; null where there is no value."""
    wanted = pa.array(sorted({value.strip().lower() for value in values}), pa.string())
    found = pc.is_in(pc.utf8_lower(text), wanted)
    return parsed(pc.if_else(pc.is_null(text), pa.scalar(None, pa.bool_()), found), text)


def parse_email_domain(text: pa.Array) -> Parsed:
    """The part of an e-mail address behind the @; the rest of the address goes nowhere."""
    domain = pc.struct_field(pc.extract_regex(text, EMAIL_DOMAIN), "domain")
    return parsed(pc.utf8_lower(domain), text)


def parse_set(text: pa.Array, delimiter: str) -> Parsed:
    """Members of a delimited list or JSON array as `|a|b|`, sorted, each once; `||` is a list known to be empty."""
    encoded = text.dictionary_encode()
    sets = pa.array([_set(value, delimiter) for value in encoded.dictionary.to_pylist()], pa.string())
    return parsed(sets.take(encoded.indices), text)


def _set(text: str, delimiter: str) -> str:
    members = _json_members(text) if text.startswith("[") else None
    names = {str(m).replace("|", "/").strip() for m in (text.split(delimiter) if members is None else members)}
    return "|" + "".join(f"{name}|" for name in sorted(names - {""})) if names - {""} else "||"


def _json_members(text: str) -> list[object] | None:
    try:
        members = json.loads(text)
    except ValueError:
        return None
    return [m for m in members if m is not None] if isinstance(members, list) else None
