"""Values of an extract are read as configured, never guessed; what cannot be read is null and marked."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icp.sources import parsing
from icp.sources.dates import Clock, parse_date, parse_instant
from icp.sources.parsing import Parsed
from icp.sources.raw import RawColumn, as_text, from_arrow, from_python

UTC_CLOCK = Clock(ZoneInfo("UTC"), ZoneInfo("UTC"))
NEW_YORK = Clock(times=ZoneInfo("UTC"), days=ZoneInfo("America/New_York"))


def strings(*values: str | None) -> pa.Array:
    return pa.array(values, pa.string())


def read_numbers(number_format: str, *values: str | None) -> Parsed:
    text = parsing.clean(strings(*values))
    return parsing.parse_number(RawColumn(text), text, number_format)  # type: ignore[arg-type]


def read_instants(date_format: str, *values: str | None, clock: Clock = UTC_CLOCK) -> Parsed:
    text = parsing.clean(strings(*values))
    return parse_instant(RawColumn(text), text, date_format, clock)  # type: ignore[arg-type]


def read_dates(date_format: str, *values: str | None, clock: Clock = UTC_CLOCK) -> Parsed:
    text = parsing.clean(strings(*values))
    return parse_date(RawColumn(text), text, date_format, clock)  # type: ignore[arg-type]


# -- missing -----------------------------------------------------------------------------------------------------------


def test_words_for_nothing_are_missing_and_no_error() -> None:
    text = parsing.clean(
        strings("", "  ", "null", "NULL", "n/a", "N/A", "None", None, "unknown", " x "), missing=["Unknown"]
    )
    assert text.to_pylist() == [None] * 9 + ["x"]
    assert not any(parsing.parse_boolean(text.slice(0, 9)).failed.to_pylist())


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number_format", "text", "value"),
    [
        ("us", "1,234.5", 1234.5),
        ("us", "$1,234,567.89", 1234567.89),
        ("us", "USD 12", 12),
        ("us", "-$5", -5),
        ("us", "(1,200)", -1200),
        ("us", "12 %", 12),
        ("us", "12.5%", 12.5),
        ("us", "+7", 7),
        ("us", "−7", -7),
        ("us", "1 234 567", 1234567),
        ("us", "1e3", 1000),
        ("us", ".5", 0.5),
        ("us", "5.", 5),
        ("us", "US$ 9", 9),
        ("us", "1.234", 1.234),
        ("eu", "1.234", 1234),
        ("eu", "1.234,5", 1234.5),
        ("eu", "1.234.567,89 €", 1234567.89),
        ("eu", "1 234,5", 1234.5),
        ("eu", "1’234,5", 1234.5),
        ("eu", "12,5 %", 12.5),
        ("eu", "-0,5", -0.5),
    ],
)
def test_numbers_as_people_write_them(number_format: str, text: str, value: float) -> None:
    result = read_numbers(number_format, text)
    assert result.values.to_pylist() == [value] and result.failed.to_pylist() == [False]


@pytest.mark.parametrize(
    ("number_format", "text"),
    [
        ("us", "1.234,5"),
        ("us", "12,34"),
        ("us", "51-200"),
        ("us", "abc"),
        ("us", "."),
        ("us", "1e999"),
        ("us", "inf"),
        ("us", "ABC 12"),
        ("us", "1,2,3"),
        ("us", "--5"),
        ("us", "$"),
        ("eu", "1,234.5"),
        ("eu", "1.23"),
        ("eu", "1,2,3"),
        ("us", "٣"),
    ],
)
def test_what_is_no_number_is_marked_not_guessed(number_format: str, text: str) -> None:
    result = read_numbers(number_format, text)
    assert result.values.to_pylist() == [None] and result.failed.to_pylist() == [True]


@given(st.decimals(-(10**12), 10**12, places=2), st.sampled_from(["", "$", "€ ", "EUR "]), st.booleans())
def test_a_written_number_is_read_back(number: object, currency: str, grouped: bool) -> None:
    us = f"{number:,.2f}" if grouped else f"{number:.2f}"
    sign, digits = ("-", us[1:]) if us.startswith("-") else ("", us)
    eu = digits.replace(",", "_").replace(".", ",").replace("_", ".")
    for number_format, text in (("us", digits), ("eu", eu)):
        assert read_numbers(number_format, f"{sign}{currency}{text}").values.to_pylist() == [float(str(number))]


@given(st.lists(st.text(max_size=12)))
def test_no_text_breaks_the_parsers(values: list[str]) -> None:
    text = parsing.clean(strings(*values))
    for result in (
        read_numbers("us", *values),
        read_numbers("eu", *values),
        parsing.parse_boolean(text),
        parsing.parse_set(text, ";"),
        parsing.parse_email_domain(text),
        *(read_instants(f, *values) for f in ("iso", "us", "eu", "epoch_s", "epoch_ms")),
    ):
        assert len(result.values) == len(values)
        for value, failed, said in zip(result.values, result.failed, text, strict=True):
            assert failed.as_py() == (said.is_valid and not value.is_valid)


def test_numbers_of_a_typed_file_are_not_read_through_a_human_format() -> None:
    column = from_python([1234.5, 3, "1.234,5", None, True])
    text = parsing.clean(column.text)
    result = parsing.parse_number(column, text, "eu")
    assert result.values.to_pylist() == [1234.5, 3.0, 1234.5, None, None]
    assert result.failed.to_pylist() == [False, False, False, False, True]


def test_parquet_decimals_and_whole_floats() -> None:
    from decimal import Decimal

    decimals = from_arrow(pa.chunked_array([pa.array([Decimal("12.50"), None])]))
    assert parsing.parse_number(decimals, decimals.text, "us").values.to_pylist() == [12.5, None]
    assert from_arrow(pa.chunked_array([pa.array([637.0, None])])).text.to_pylist() == ["637", None]
    assert from_arrow(pa.chunked_array([pa.array(["a", "b", "a"]).dictionary_encode()])).text.to_pylist() == [
        "a",
        "b",
        "a",
    ]


# -- booleans, sets, e-mail --------------------------------------------------------------------------------------------


def test_booleans() -> None:
    result = parsing.parse_boolean(strings("true", "FALSE", "1", "0", "Yes", "no", "maybe", None))
    assert result.values.to_pylist() == [True, False, True, False, True, False, None, None]
    assert result.failed.to_pylist() == [False] * 6 + [True, False]


def test_equals_makes_booleans_from_values() -> None:
    result = parsing.parse_equals(strings("Closed Won", "closed won", "Closed Lost", None), ["Won", "Closed Won"])
    assert result.values.to_pylist() == [True, True, False, None]
    assert not any(result.failed.to_pylist())


def test_sets_are_sorted_unique_and_delimited() -> None:
    result = parsing.parse_set(strings("b; a;b", '["x", "y|z", null]', "[]", ";", None, "[broken"), ";")
    assert result.values.to_pylist() == ["|a|b|", "|x|y/z|", "||", "||", None, "|[broken|"]


def test_only_the_domain_of_an_email_address_lands() -> None:
    result = parsing.parse_email_domain(strings("Jane@ACME.com", "Jane <j@acme.co.uk>", "nobody", "a@b", None))
    assert result.values.to_pylist() == ["acme.com", "acme.co.uk", None, None, None]
    assert result.failed.to_pylist() == [False, False, True, True, False]


# -- dates -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date_format", "text", "instant"),
    [
        ("iso", "2026-03-31", datetime(2026, 3, 31)),
        ("iso", "20260331", datetime(2026, 3, 31)),
        ("iso", "2026-03-31T23:30:00Z", datetime(2026, 3, 31, 23, 30)),
        ("iso", "2026-03-31 23:30", datetime(2026, 3, 31, 23, 30)),
        ("iso", "2024-01-10T10:36:45.123456789Z", datetime(2024, 1, 10, 10, 36, 45, 123456)),
        ("iso", "2022-01-02T17:38:59.000+0000", datetime(2022, 1, 2, 17, 38, 59)),
        ("iso", "2022-01-02T17:38:59+05:30", datetime(2022, 1, 2, 12, 8, 59)),
        ("iso", "2022-01-02 00:10:00-08", datetime(2022, 1, 2, 8, 10)),
        ("us", "3/31/2026", datetime(2026, 3, 31)),
        ("us", "03/31/2026 12:05 AM", datetime(2026, 3, 31, 0, 5)),
        ("us", "3/31/2026, 12:05:01 pm", datetime(2026, 3, 31, 12, 5, 1)),
        ("eu", "31.03.2026", datetime(2026, 3, 31)),
        ("eu", "31/3/2026 14:05", datetime(2026, 3, 31, 14, 5)),
        ("epoch_s", "1774999800", datetime(2026, 3, 31, 23, 30)),
        ("epoch_ms", "1774999800123", datetime(2026, 3, 31, 23, 30, 0, 123000)),
        ("iso", "2024-02-29", datetime(2024, 2, 29)),
        ("iso", "1969-12-31T23:59:59.5Z", datetime(1969, 12, 31, 23, 59, 59, 500000)),
    ],
)
def test_instants(date_format: str, text: str, instant: datetime) -> None:
    result = read_instants(date_format, text)
    assert result.values.to_pylist() == [instant] and result.failed.to_pylist() == [False]


@pytest.mark.parametrize(
    ("date_format", "text"),
    [
        ("iso", "2026-02-30"),
        ("iso", "2023-02-29"),
        ("iso", "31/03/2026"),
        ("iso", "2026-13-01"),
        ("iso", "2026-00-10"),
        ("iso", "2026-03-31T25:00:00"),
        ("iso", "0000-01-01"),
        ("us", "31/03/2026"),
        ("us", "3/31/26"),
        ("us", "3/31/2026 13:00 PM"),
        ("eu", "03/31/2026"),
        ("epoch_s", "1774999800123000"),
        ("epoch_ms", "yesterday"),
        ("iso", "soon"),
    ],
)
def test_impossible_dates_are_marked(date_format: str, text: str) -> None:
    result = read_instants(date_format, text)
    assert result.values.to_pylist() == [None] and result.failed.to_pylist() == [True]


def test_a_day_is_a_day_of_the_company_and_a_bare_time_is_utc() -> None:
    result = read_instants("iso", "2026-04-01", "2026-04-01 00:00:00", "2026-04-01T00:00:00Z", clock=NEW_YORK)
    assert result.values.to_pylist() == [datetime(2026, 4, 1, 4), datetime(2026, 4, 1), datetime(2026, 4, 1)]


def test_hours_that_happen_twice_or_never() -> None:
    clock = Clock(ZoneInfo("America/New_York"), ZoneInfo("America/New_York"))
    result = read_instants("iso", "2026-11-01 01:30:00", "2026-03-08 02:30:00", clock=clock)
    assert result.values.to_pylist() == [datetime(2026, 11, 1, 5, 30), datetime(2026, 3, 8, 7)]


def test_date_columns_keep_the_written_day_and_convert_instants() -> None:
    result = read_dates("iso", "2026-04-01", "2026-04-01 23:00:00", "2026-04-01T02:30:00Z", clock=NEW_YORK)
    assert result.values.to_pylist() == [date(2026, 4, 1), date(2026, 4, 1), date(2026, 3, 31)]


def test_typed_timestamps_and_dates() -> None:
    aware = pa.array([datetime(2026, 4, 1, 2, 30, tzinfo=UTC)], pa.timestamp("ns", "America/New_York"))
    naive, day = pa.array([datetime(2026, 4, 1, 2, 30)], pa.timestamp("ms")), pa.array([date(2026, 4, 1)])
    read = [
        parse_instant(c := from_arrow(pa.chunked_array([v])), c.text, "us", NEW_YORK).values[0].as_py()
        for v in (aware, naive, day)
    ]
    assert read == [datetime(2026, 4, 1, 2, 30), datetime(2026, 4, 1, 2, 30), datetime(2026, 4, 1, 4)]


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)))
def test_an_instant_written_in_any_format_is_read_back(moment: datetime) -> None:
    second = moment.replace(microsecond=0)
    assert read_instants("iso", moment.isoformat() + "Z").values.to_pylist() == [moment]
    assert read_instants("us", f"{second:%m/%d/}{second.year:04d}{second: %I:%M:%S %p}").values.to_pylist() == [second]
    assert read_instants("eu", f"{second:%d.%m.}{second.year:04d}{second: %H:%M:%S}").values.to_pylist() == [second]
    seconds = int((second - datetime(1970, 1, 1)).total_seconds())
    assert read_instants("epoch_s", str(seconds)).values.to_pylist() == [second]


def test_python_values_as_text() -> None:
    values = [None, True, 5.0, 5.5, float("nan"), [1, "a"], {"a": None}, date(2026, 1, 2)]
    assert [as_text(v) for v in values] == [None, "true", "5", "5.5", None, '[1, "a"]', '{"a": null}', "2026-01-02"]
