"""`icp quick` on files as people send them: each ends with a result or with one message and its exit code."""

from __future__ import annotations

import sys
from datetime import date as Day
from pathlib import Path

import pyarrow as pa
import pytest

from flows.quick import run_quick
from flows.quick_rows import Columns
from icp import cli
from icp.errors import IcpError
from icp.sources.parsing import clean
from icp.sources.raw import RawColumn
from icp.sources.readings import Reading, read_moments, read_numbers
from icp.sources.whole_csv import read_whole_csv

TODAY = Day(2026, 2, 1)
ROWS = "".join(f"{'won' if i % 3 else 'lost'},{'abc'[i % 3 if i % 7 else 0]}{i % 2},{i % 60}\n" for i in range(120))
GOOD = "stage,industry,size\n" + ROWS

READ = {
    "a byte order mark": GOOD.encode("utf-8-sig"),
    "latin-1": GOOD.replace("a0", "café").encode("latin-1"),
    "semicolons": GOOD.replace(",", ";").encode(),
    "tabs": GOOD.replace(",", "\t").encode(),
    "utf-16": GOOD.encode("utf-16"),
    "utf-16 without a mark": GOOD.encode("utf-16-le"),
    "line breaks in quotes": GOOD.replace("a0", '"a\nb"').encode(),
    "line ends of Windows": GOOD.replace("\n", "\r\n").encode(),
    "an index without a name": ("," + GOOD.replace("\n", "\n1,")).removesuffix("1,").encode(),
    "a hint for Excel": ("sep=;\r\n" + GOOD.replace(",", ";")).encode("utf-8-sig"),
    "200 columns": "\n".join(
        line + "".join(f",{'x' if i == 0 else (i * j) % 11}{j}" for j in range(197))
        for i, line in enumerate(GOOD.splitlines())
    ).encode(),
}

REFUSED = {
    "empty": (b"", 2, "x.csv is empty. It needs a header"),
    "blank lines": (b"\n\n", 2, "is empty"),
    "header only": (b"stage,size\n", 2, "has a header but no rows. It needs a row"),
    "one column": (b"stage\n" + b"won\nlost\n" * 30, 7, "No column of the file can be an attribute"),
    "one row": (b"stage,size\nwon,1\n", 7, "Too few rows to derive an ICP: 1 won and 0 lost|No column of the file"),
    "two names alike": (GOOD.replace("size", "industry", 1).encode(), 2, "'industry' more than once. Rename"),
    "rows too long": (b"stage,size\nwon,1,2\n", 2, "do not fit the header"),
    "a quote never closed": (
        GOOD.encode() + b'won,"abc,1\n' + ROWS.encode() * 100,
        2,
        "every quote closed|quote that is never closed",
    ),
    "a workbook": (b"PK\x03\x04....", 2, "an Excel workbook or a zip file, not a CSV"),
    "no such column": (GOOD.replace("stage", "result", 1).encode(), 2, "no column 'stage'.*It has: result, industry"),
    "a near name": (GOOD.replace("stage", "Stage", 1).encode(), 2, "Did you mean 'Stage'"),
    "no outcome": (GOOD.replace("won", "").replace("lost", "").encode(), 2, "has no value in any row"),
    "few rows": ("".join(GOOD.splitlines(True)[:20]).encode(), 7, "Too few rows .* 20 won and 20 lost are needed"),
}


@pytest.mark.parametrize("name", READ)
def test_a_file_written_otherwise_reads_alike(tmp_path: Path, name: str) -> None:
    found = read_whole_csv("x.csv", READ[name])
    assert {"stage", "industry", "size"} <= set(found.columns) and "" not in found.columns
    assert {len(column) for column in found.columns.values()} == {120}
    assert sum(value == "won" for value in found.columns["stage"].text.to_pylist()) == 80
    assert ("want of a name" in " ".join(found.notes)) == (name == "an index without a name")


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_used_is_one_message_and_an_exit_code(tmp_path: Path, name: str) -> None:
    data, code, message = REFUSED[name]
    (tmp_path / "x.csv").write_bytes(data)
    with pytest.raises(IcpError, match=message) as caught:
        run_quick(tmp_path / "x.csv", Columns("stage"), tmp_path / "out", TODAY)
    assert caught.value.exit_code == code
    assert "icp.yml" not in str(caught.value) and "etch it" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_command_ends_with_the_message_and_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_text(GOOD)
    options = ["--outcome", "stage", "--won", "won", "--lost", "lost", "--lost", "dead", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["icp", "quick", str(tmp_path / "x.csv"), *options])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "No row of 'stage' is 'dead' (--lost)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("amount", "code", "said"),
    [
        ("1e300", 2, "holds 1e+300: no win is worth that much"),
        ("-5", 0, "Value: too few won rows have a value above 0"),
    ],
)
def test_amounts_nobody_pays_are_refused_and_none_above_zero_are_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    amount: str,
    code: int,
    said: str,
) -> None:
    header, *lines = GOOD.splitlines()
    path = tmp_path / "amounts.csv"
    path.write_text("\n".join([f"{header},amount", f"{lines[1]},{amount}", *(f"{line},-5" for line in lines)]))
    monkeypatch.setattr(sys, "argv", ["icp", "quick", str(path), "--outcome", "stage", "--value", "amount"])
    monkeypatch.chdir(tmp_path)
    ended = 0
    try:
        cli.main()
    except SystemExit as end:
        ended = int(end.code or 0)
    told = capsys.readouterr()
    assert ended == code
    assert said in told.out + told.err


def test_a_convicted_column_that_is_kept_is_warned_of(tmp_path: Path) -> None:
    header, *lines = GOOD.splitlines()
    path = tmp_path / "kept.csv"
    known = (10 + i % 3 + 90 * line.startswith("won") for i, line in enumerate(lines))
    path.write_text("\n".join([f"{header},knows", *(f"{line},{k}" for line, k in zip(lines, known, strict=True))]))
    kept = run_quick(path, Columns("stage", keep=("knows",)), tmp_path / "kept", TODAY)
    assert any(note.startswith("knows is kept as --keep says, though it looks as if") for note in kept.notes)
    assert not any(
        "knew the outcome" in note for note in run_quick(path, Columns("stage"), tmp_path / "out", TODAY).notes
    )


def numbers(*cells: str, prefer: str = "us") -> Reading:
    column = RawColumn(pa.array(cells))
    return read_numbers(column, clean(column.text), prefer)  # type: ignore[arg-type]


def moments(*cells: str, prefer: str = "us", is_date: bool = True) -> Reading:
    column = RawColumn(pa.array(cells))
    return read_moments(column, clean(column.text), prefer, is_date=is_date)  # type: ignore[arg-type]


def test_the_format_of_numbers_is_told_by_its_cells() -> None:
    us, eu = numbers("1,234.56", "7", "1,000"), numbers("1.234,56", "7", "1.000")
    assert us.values.to_pylist() == eu.values.to_pylist() == [1234.56, 7, 1000]
    assert (us.form, eu.form) == ("us", "eu")
    assert us.notes("x", "a number") == [] and eu.notes("x", "a number") == ["x: numbers are written like 1.234,5."]


def test_numbers_that_read_both_ways_say_which_was_taken() -> None:
    assert "'1.234' was read as 1.234, but" in numbers("1.234", "5").doubt
    assert "'1.234' was read as 1,234, but" in numbers("1.234", "5", prefer="eu").doubt
    zero = numbers("0,125", "1,234")
    assert zero.values.to_pylist() == [0.125, 1.234] and not zero.doubt


def test_what_cannot_be_compared_is_mixed() -> None:
    assert "two formats, such as '1,234.5' and '1.234,5'" in numbers("1,234.5", "1.234,5").mixed
    assert "several currencies ($, €)" in numbers("$5", "€ 6").mixed
    assert "values with a percent sign (1) and without (1)" in numbers("5 %", "0", "7").mixed
    assert not numbers("$5", "6 $", "0").mixed and not numbers("5%", "6%", "0").mixed


def test_few_cells_of_another_format_are_counted_and_left_out() -> None:
    found = numbers(*["1,234.5"] * 99, "1.234,5")
    assert (found.failed, found.other, found.mixed) == (1, 1, "") and found.is_readable
    assert found.notes("x", "a number") == ["x: 1 cell does not read as a number, such as '1.234,5'."]


def test_k_and_m_count_behind_numbers_alone() -> None:
    found = numbers("1.5k", "2M", "300")
    assert found.values.to_pylist() == [1500, 2_000_000, 300] and "in 2 cells" in found.how
    assert not numbers("4k", "large", "small").is_readable


def test_the_order_of_day_and_month_is_told_by_its_cells_or_said() -> None:
    us, eu = moments("03/25/2024", "03/04/2024"), moments("25/03/2024", "04/03/2024")
    assert us.values.to_pylist() == eu.values.to_pylist() and not us.doubt and not eu.doubt
    assert "'03/04/2024' was read as 4 March 2024" in moments("03/04/2024").doubt
    assert "'03/04/2024' was read as 3 April 2024" in moments("03/04/2024", prefer="eu").doubt
    assert "two orders" in moments("03/25/2024", "25/03/2024").mixed
    both = moments("2024-03-25", "26/03/2024")
    assert both.failed == 0 and "1 of them as YYYY-MM-DD" in both.how


def test_day_numbers_are_dates_only_where_the_user_says_so() -> None:
    found = moments("45292", "45293.5")
    assert [str(day)[:10] for day in found.values.to_pylist()] == ["2024-01-01", "2024-01-02"]
    assert "day numbers of Excel (45292 is 2024-01-01)" in found.how
    assert moments("45292", "45293", is_date=False).failed == 2
    assert str(moments("1704067200").values.to_pylist()[0])[:10] == "2024-01-01"
    assert moments("12", "45292").failed == 2


def test_dates_in_words_are_read_where_the_user_says_so() -> None:
    cells = ("Feb 19, 2025", "19 February 2025", "19-Feb-25", "Wed, 19 Feb 2025 10:00", "19.2.25")
    assert {str(day)[:10] for day in moments(*cells).values.to_pylist()} == {"2025-02-19"}
    parts = moments("2025-02", "2025Q1", "Q1 2025")
    assert [str(day)[:10] for day in parts.values.to_pylist()] == ["2025-02-01", "2025-01-01", "2025-01-01"]
    assert "'2025-02' was read as 2025-02-01" in parts.how
    assert moments("02/19/25").values.to_pylist() == moments("2025-02-19").values.to_pylist()
    assert moments("Feb 30, 2025", "Mayor 3, 2025").failed == 2
    assert moments(*(f"1 {month} 2025" for month in ("March", "Sept.", "September", "July"))).failed == 0
    assert moments("Feb 19, 2025", is_date=False).failed == 1
