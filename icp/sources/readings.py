"""Numbers and dates of a column whose format nobody named: the format that fits, what does not fit it, what is unsure.

"1.234,56" and "1,234.56" tell their format; "1,234" and 03/04/2024 alone do not. Nothing is read one way in silence: a
reading carries the words that say how a column was read and how many of its cells were not.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from icp.config_schema import DateFormat, NumberFormat
from icp.sources.dates import Clock, parse_instant
from icp.sources.parsing import Parsed, clean, parse_number
from icp.sources.raw import RawColumn
from icp.sources.spelled_dates import spelled_out

READABLE = 0.98  # share of known cells that must fit one format for the column to be of it
UTC = Clock(ZoneInfo("UTC"), ZoneInfo("UTC"))
NUMBER_NAMES: dict[NumberFormat, str] = {"us": "1,234.5", "eu": "1.234,5"}
DATE_NAMES: dict[DateFormat, str] = {"iso": "YYYY-MM-DD", "us": "month/day/year", "eu": "day/month/year"}
NO_VALUE = ("-", "--", "–", "—", "?", "n.a.", "#value!", "#div/0!", "#ref!")
SIGN = r"[$€£¥₹₩₪₽₺]|USD|EUR|GBP|CHF|JPY|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|INR|BRL|MXN|SGD|HKD|ZAR"
SUFFIXED = r"^(?P<number>.*\d)\s?(?P<suffix>[kKmM])$"
THOUSAND, MILLION = 1e3, 1e6
EXCEL_DAYS = (20_000, 80_000)  # 1954 to 2119: a number in this range in a column of dates is a day number of Excel
EXCEL_EPOCH = -25_569  # day 0 of Excel, in days since 1970
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Reading:
    """A column read in one format.

    `failed` counts the cells with something in them that is no value in this format, `example` is one of them, and
    `known` those with something in them. `other` counts the cells that only another format can read. `doubt` says
    in words which reading was taken where the cells allow more than one; `mixed` says what the cells mix (formats,
    currencies, percents) so that they cannot be compared; `how` names the format where it is no plain one.
    """

    values: pa.Array
    form: str
    known: int
    failed: int
    example: str = ""
    other: int = 0
    doubt: str = ""
    mixed: str = ""
    how: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether so many cells fit the format that the column is of it."""
        return self.failed <= (1 - READABLE) * self.known

    def notes(self, column: str, what: str) -> list[str]:
        """What a user must know about how the column was read: nothing for plain numbers and ISO dates."""
        found = [f"{column}: {words}." for words in (self.how, self.doubt) if words]
        if self.failed:
            cells = "cell does" if self.failed == 1 else "cells do"
            found.append(f"{column}: {self.failed:,} {cells} not read as {what}, such as {self.example!r}.")
        return found


def cells(column: RawColumn) -> pa.Array:
    """A column's text, null where a person or a spreadsheet wrote that there is no value."""
    return clean(column.text, NO_VALUE)


def read_numbers(column: RawColumn, text: pa.Array, prefer: NumberFormat = "us") -> Reading:
    """Numbers in the format that reads more cells; `prefer` decides where the cells fit both.

    Args:
        column: the column of the file.
        text: its cleaned text.
        prefer: the format people use where such a file comes from.
    """
    bare, factor, suffixes = _without_suffix(text)
    read: dict[NumberFormat, Parsed] = {form: parse_number(column, bare, form) for form in NUMBER_NAMES}
    form = _better(read["us"], read["eu"], prefer, _leading_zero(bare))
    rival: NumberFormat = "eu" if form == "us" else "us"
    values, failed = read[form].values, read[form].failed
    known = len(text) - text.null_count
    other = _count(pc.and_(failed, pc.is_valid(read[rival].values)))
    only = _count(pc.and_(read[rival].failed, pc.is_valid(values)))
    doubt = "" if only or other else _doubt(text, read, form)
    how = f"numbers are written like {NUMBER_NAMES[form]}" if form == "eu" and only else ""
    if suffixes and _count(failed) <= (1 - READABLE) * known:
        how = f"{how}; " if how else ""
        how += f"k counts as thousand and m as million in {suffixes:,} cells"
        values = pc.multiply(values, factor)
    mixed = (
        f"numbers in two formats, such as {_longest(text, pc.is_valid(values))!r} "
        f"and {_longest(text, pc.and_(failed, pc.is_valid(read[rival].values)))!r}"
        if other > (1 - READABLE) * known
        else _units(text, values)
    )
    return Reading(values, form, known, _count(failed), _first(text, failed), other, doubt, mixed, how)


def _better(us: Parsed, eu: Parsed, prefer: NumberFormat, decimal: NumberFormat | None) -> NumberFormat:
    failures = {"us": _count(us.failed), "eu": _count(eu.failed)}
    if failures["us"] == failures["eu"]:
        return decimal or prefer
    return "us" if failures["us"] < failures["eu"] else "eu"


def _leading_zero(text: pa.Array) -> NumberFormat | None:
    """0.125 and 0,125 are decimals: nobody groups thousands behind a 0."""
    us, eu = (_count(pc.match_substring_regex(text, rf"^\D*0{mark}\d")) for mark in (r"\.", ","))
    return None if bool(us) == bool(eu) else "us" if us else "eu"


def _doubt(text: pa.Array, read: dict[NumberFormat, Parsed], form: NumberFormat) -> str:
    """Which reading was taken, where every cell fits both formats and some differ."""
    differ = pc.not_equal(read["us"].values, read["eu"].values)
    if not _count(differ) or _leading_zero(text) is not None:
        return ""
    example, taken = _first(text, differ), read[form].values.filter(pc.fill_null(differ, False))[0].as_py()
    return f"{example!r} was read as {taken:,.10g}, but another number format would read it otherwise"


def _without_suffix(text: pa.Array) -> tuple[pa.Array, pa.Array, int]:
    """Text without k and m behind numbers, what to multiply by, and in how many cells."""
    parts = pc.extract_regex(text, SUFFIXED)
    suffix = pc.utf8_lower(pc.struct_field(parts, "suffix"))
    factor = pc.if_else(pc.equal(suffix, "k"), THOUSAND, pc.if_else(pc.equal(suffix, "m"), MILLION, 1.0))
    bare = pc.coalesce(pc.struct_field(parts, "number"), text)
    return bare, pc.fill_null(factor, 1.0), _count(pc.is_valid(suffix))


def _units(text: pa.Array, values: pa.Array) -> str:
    """Amounts in two currencies, or percents among plain numbers, cannot be compared; a 0 needs no unit."""
    counted = pc.and_(pc.is_valid(values), pc.not_equal(values, 0.0))
    signs = pc.struct_field(pc.extract_regex(text, f"(?P<sign>{SIGN})"), "sign").filter(pc.fill_null(counted, False))
    several = [sign for sign in signs.unique().to_pylist() if sign is not None]
    if len(several) > 1:
        return f"amounts in several currencies ({', '.join(sorted(several)[:3])})"
    percents, all_ = _count(pc.and_(counted, pc.ends_with(text, "%"))), _count(counted)
    return f"values with a percent sign ({percents:,}) and without ({all_ - percents:,})" if 0 < percents < all_ else ""


def read_moments(column: RawColumn, text: pa.Array, prefer: DateFormat = "us", *, is_date: bool = False) -> Reading:
    """Moments: ISO dates as they are, the others in the order of day and month that reads more of them.

    Args:
        column: the column of the file.
        text: its cleaned text.
        prefer: the order of day and month where the cells fit both.
        is_date: the user says that the column holds dates, so day numbers of Excel and Unix times are read too.
    """
    plain, spelled = spelled_out(text) if is_date else (text, "")
    read = {form: parse_instant(column, plain, form, UTC) for form in DATE_NAMES}
    known = len(text) - text.null_count
    if is_date and not any(_count(pc.is_valid(parsed.values)) for parsed in read.values()):
        numbered = _numbered(column, text, known)
        if numbered is not None:
            return numbered
    form = _order(read["us"], read["eu"], prefer)
    rival: DateFormat = "eu" if form == "us" else "us"
    values = pc.coalesce(read["iso"].values, read[form].values)
    failed = pc.and_(pc.is_null(values), pc.is_valid(text))
    other = _count(pc.and_(failed, pc.is_valid(read[rival].values)))
    by_order, by_iso = _count(pc.is_valid(read[form].values)), _count(pc.is_valid(read["iso"].values))
    differ = pc.and_(pc.is_valid(read["us"].values), pc.not_equal(read["us"].values, read["eu"].values))
    only = _count(pc.and_(pc.is_valid(read[form].values), pc.is_null(read[rival].values)))
    doubt = how = mixed = ""
    if by_order:
        how = f"dates were read as {DATE_NAMES[form]}" + (f", {by_iso:,} of them as YYYY-MM-DD" if by_iso else "")
    if _count(differ) and not only and not other:
        taken = values.filter(pc.fill_null(differ, False))[0].as_py()
        doubt = (f"{_first(text, differ)!r} was read as {taken:%-d %B %Y}: no cell tells whether the day or the month "
                 "comes first. Write dates as YYYY-MM-DD to be sure")  # fmt: skip
    if other > (1 - READABLE) * known:
        mixed = (f"dates in two orders, such as {_first(text, pc.is_valid(read[form].values))!r} and "
                 f"{_first(text, pc.and_(failed, pc.is_valid(read[rival].values)))!r}")  # fmt: skip
    how = "; ".join(words for words in (how, spelled) if words)
    named = form if by_order else "iso"
    return Reading(values, named, known, _count(failed), _first(text, failed), other, doubt, mixed, how)


def _order(us: Parsed, eu: Parsed, prefer: DateFormat) -> DateFormat:
    failures = {"us": _count(us.failed), "eu": _count(eu.failed)}
    if failures["us"] == failures["eu"]:
        return prefer
    return "us" if failures["us"] < failures["eu"] else "eu"


def _numbered(column: RawColumn, text: pa.Array, known: int) -> Reading | None:
    """Dates as numbers: days since 1900 as Excel counts them, or seconds or milliseconds since 1970."""
    numbers = parse_number(column, text, "us")
    ends = pc.min_max(numbers.values)
    low, high = ends["min"].as_py(), ends["max"].as_py()
    if low is None or _count(numbers.failed) > (1 - READABLE) * known:
        return None
    scales = {
        "day numbers of Excel": (*EXCEL_DAYS, DAY_US, EXCEL_EPOCH * DAY_US),
        "seconds since 1970": (3e8, 5e9, 1e6, 0),
        "milliseconds since 1970": (3e11, 5e12, 1e3, 0),
    }
    for name, (least, most, unit, start) in scales.items():
        if least <= low and high <= most:
            moments = pc.add(pc.round(pc.multiply(numbers.values, float(unit))), float(start))
            values = moments.cast(pa.int64()).cast(pa.timestamp("us"))
            how = f"numbers were read as {name} ({_first(text, pc.is_valid(values))} is {values.drop_null()[0].as_py():%Y-%m-%d})"
            return Reading(values, name, known, _count(numbers.failed), _first(text, numbers.failed), how=how)
    return None


def _count(flags: pa.Array) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _longest(text: pa.Array, flags: pa.Array) -> str:
    """The cell that shows its format best."""
    return max(text.filter(pc.fill_null(flags, False)).to_pylist(), key=len, default="")


def _first(text: pa.Array, flags: pa.Array) -> str:
    found = text.filter(pc.fill_null(flags, False))
    return str(found[0].as_py()) if len(found) else ""
