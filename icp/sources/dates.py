"""Dates and instants of an extract -> UTC. Vectorised; impossible dates (31 February) become null and are noted.

An instant with an offset or `Z` is that instant. A time without one is UTC, as most systems export it, unless the
mapping gives a `timezone`. A day without a time is that day in the company's own time zone (or the mapping's), because
that is the day people meant: a deal closed on 1 April belongs to the second quarter in New York, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from icp.config_schema import DateFormat
from icp.sources.parsing import Parsed, parse_number, parsed
from icp.sources.raw import RawColumn

ZONE = r"(?P<z>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
ISO_TIME = rf"(?:[T ](?P<h>\d{{1,2}}):(?P<i>\d{{2}})(?::(?P<s>\d{{2}})(?:[.,](?P<f>\d{{1,9}}))?)?(?P<p>) ?{ZONE}?)?"
HUMAN_TIME = (
    r"(?:,?[T ] ?(?P<h>\d{1,2}):(?P<i>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r" ?(?P<p>[AaPp][Mm])? ?" + ZONE + "?)?"
)
PATTERNS = {
    "iso": rf"^(?P<y>\d{{4}})[-/]?(?P<m>\d{{2}})[-/]?(?P<d>\d{{2}}){ISO_TIME}$",
    "us": rf"^(?P<m>\d{{1,2}})[/-](?P<d>\d{{1,2}})[/-](?P<y>\d{{4}}){HUMAN_TIME}$",
    "eu": rf"^(?P<d>\d{{1,2}})[./-](?P<m>\d{{1,2}})[./-](?P<y>\d{{4}}){HUMAN_TIME}$",
}
SECOND = 1_000_000
DAY = 86_400 * SECOND
FIRST, LAST = (int(np.datetime64(day, "us").astype(np.int64)) for day in ("0002-01-01", "9998-12-31"))

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Clock:
    """Zones for what is written without an offset: `times` for a day with a time, `days` for a day alone."""

    times: ZoneInfo
    days: ZoneInfo


@dataclass(frozen=True)
class _Written:
    """What was written: microseconds of the wall clock since 1970, and what is known about its zone."""

    wall: Ints
    offset: Ints
    has_time: Flags
    has_zone: Flags
    valid: Flags


def parse_instant(column: RawColumn, text: pa.Array, date_format: DateFormat, clock: Clock) -> Parsed:
    """Instants, as naive UTC timestamps."""
    written = _read(column, text, date_format)
    return parsed(_timestamps(_utc(written, clock), written.valid), text)


def parse_date(column: RawColumn, text: pa.Array, date_format: DateFormat, clock: Clock) -> Parsed:
    """Days: as written, or for an instant with an offset the day it was in the company's time zone."""
    written = _read(column, text, date_format)
    local = np.where(written.has_zone, _wall_of(_utc(written, clock), clock.days), written.wall)
    return parsed(_timestamps(local, written.valid).cast(pa.date32(), safe=False), text)


def _timestamps(microseconds: Ints, valid: Flags) -> pa.Array:
    within = valid & (microseconds >= FIRST) & (microseconds <= LAST)
    return pa.array(microseconds, pa.int64(), mask=~within).cast(pa.timestamp("us"))


def _read(column: RawColumn, text: pa.Array, date_format: DateFormat) -> _Written:
    native = column.native
    if native is not None and (pa.types.is_timestamp(native.type) or pa.types.is_date(native.type)):
        return _from_native(native)
    if date_format in ("epoch_s", "epoch_ms"):
        return _from_epoch(column, text, SECOND if date_format == "epoch_s" else 1_000)
    return _from_text(text, PATTERNS[date_format])


def _from_native(native: pa.Array) -> _Written:
    has_time, aware = pa.types.is_timestamp(native.type), getattr(native.type, "tz", None) is not None
    # An aware timestamp is stored as its instant in UTC; nanoseconds are cut, dates become midnights.
    wall = _ints(native.cast(pa.timestamp("us", native.type.tz if aware else None), safe=False).cast(pa.int64()))
    every = np.ones(len(native), bool)
    return _Written(wall, np.zeros_like(wall), every & has_time, every & aware, _flags(native.is_valid()))


def _from_epoch(column: RawColumn, text: pa.Array, unit: int) -> _Written:
    numbers = parse_number(column, text, "us").values.to_numpy(zero_copy_only=False)
    microseconds = numbers * unit
    valid = np.abs(np.nan_to_num(microseconds, nan=np.inf)) <= LAST
    wall = np.where(valid, microseconds, 0).round().astype(np.int64)
    return _Written(wall, np.zeros_like(wall), valid, valid, valid)


def _from_text(text: pa.Array, pattern: str) -> _Written:
    parts = pc.extract_regex(text, pattern)
    group = {name: pc.fill_null(pc.struct_field(parts, name), "") for name in ("h", "f", "p", "z")}
    year, month, day, hour, minute, second = (_int(pc.struct_field(parts, name)) for name in "ymdhis")
    fraction = _int(pc.utf8_slice_codeunits(pc.utf8_rpad(group["f"], 6, "0"), 0, 6))
    hour, clock_valid = _twenty_four(hour, group["p"])
    month_start = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    date = month_start.astype("datetime64[D]") + (day - 1)
    valid = _flags(parts.is_valid()) & (year >= 1) & (month >= 1) & (month <= 12)
    valid &= (day >= 1) & (date.astype("datetime64[M]") == month_start)
    valid &= clock_valid & (hour < 24) & (minute < 60) & (second < 60)
    time = ((hour * 60 + minute) * 60 + second) * SECOND + fraction
    wall = date.astype("datetime64[us]").astype(np.int64) + time
    has_time, has_zone = (_flags(pc.not_equal(group[name], "")) for name in ("h", "z"))
    return _Written(wall, _offset(group["z"]), has_time, has_zone, valid)


def _twenty_four(hour: Ints, half: pa.Array) -> tuple[Ints, Flags]:
    lower = pc.utf8_lower(half)
    am, pm = (_flags(pc.equal(lower, name)) for name in ("am", "pm"))
    on_dial = (hour >= 1) & (hour <= 12)
    return np.where(am | pm, hour % 12 + 12 * pm, hour), ~(am | pm) | on_dial


def _offset(zone: pa.Array) -> Ints:
    """Microseconds east of Greenwich of `+05:30`, `-0800`, `+02`, `Z`."""
    digits = pc.replace_substring_regex(zone, r"[^0-9]", "")
    hours = _int(pc.utf8_slice_codeunits(digits, 0, 2))
    minutes = _int(pc.utf8_slice_codeunits(digits, 2, 4))
    sign = np.where(_flags(pc.starts_with(zone, "-")), -1, 1)
    offset: Ints = sign * (hours * 60 + minutes) * 60 * SECOND
    return offset


def _utc(written: _Written, clock: Clock) -> Ints:
    instants = written.wall - written.offset
    for zone, rows in (
        (clock.times, written.has_time & ~written.has_zone),
        (clock.days, ~written.has_time & ~written.has_zone),
    ):
        rows = rows & written.valid
        if rows.any() and zone.key != "UTC":
            instants[rows] = _instant_of(written.wall[rows], zone)
    return instants


def _instant_of(wall: Ints, zone: ZoneInfo) -> Ints:
    """Of an hour that happened twice the first is meant; an hour that was skipped becomes the moment of the skip."""
    local = pd.DatetimeIndex(wall.astype("datetime64[us]"))
    first = np.ones(len(local), bool)
    aware = local.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return _microseconds(aware.tz_convert("UTC").tz_localize(None))


def _wall_of(instants: Ints, zone: ZoneInfo) -> Ints:
    if zone.key == "UTC":
        return instants
    utc = pd.DatetimeIndex(instants.clip(FIRST, LAST).astype("datetime64[us]")).tz_localize("UTC")
    return _microseconds(utc.tz_convert(zone).tz_localize(None))


def _microseconds(index: Any) -> Ints:
    values: Ints = index.as_unit("us").to_numpy().astype(np.int64)
    return values


def _int(text: pa.Array) -> Ints:
    filled = pc.if_else(pc.equal(pc.fill_null(text, ""), ""), "0", text)
    return _ints(filled.cast(pa.int64()))


def _ints(values: pa.Array) -> Ints:
    array: Ints = pc.fill_null(values, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return array


def _flags(values: pa.Array) -> Flags:
    array: Flags = pc.fill_null(values, False).to_numpy(zero_copy_only=False).astype(bool)
    return array
