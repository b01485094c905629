from __future__ import annotations

import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from report_sample import HOSTILE_NAMES, accounts, report_data

from icp.publication import read_rep_facts, with_rep_facts
from icp.report import render_workbook
from icp.report.sheets import MOST_ROWS, Column, Sheet, spreadsheet
from icp.tier_lists import LISTS

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
CONTROL = "a\x00b\x01c\x0bd\ufffee_x0041_\r\nf"

Cell = str | float


def opened(content: bytes) -> dict[str, list[dict[str, Cell]]]:
    """What a spreadsheet program would show, by sheet, row and column letter; fails on anything that could run."""
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    parts = {name: archive.read(name) for name in archive.namelist()}
    trees = {name: ElementTree.fromstring(part) for name, part in parts.items() if name.endswith((".xml", ".rels"))}
    shared = ["".join(t.text or "" for t in si.iter(f"{MAIN}t")) for si in trees["xl/sharedStrings.xml"]]
    names = [sheet.attrib["name"] for sheet in trees["xl/workbook.xml"].iter(f"{MAIN}sheet")]
    book: dict[str, list[dict[str, Cell]]] = {}
    for number, name in enumerate(names, 1):
        tree = trees[f"xl/worksheets/sheet{number}.xml"]
        assert not list(tree.iter(f"{MAIN}f")) and not list(tree.iter(f"{MAIN}hyperlink"))
        book[name] = [{_column(c): _value(c, shared) for c in row} for row in tree.iter(f"{MAIN}row")]
    assert not [name for name in parts if "externalLink" in name or name.endswith(".bin") or "vba" in name]
    return book


def _column(cell: ElementTree.Element) -> str:
    return re.sub(r"\d", "", cell.attrib["r"])


def _value(cell: ElementTree.Element, shared: list[str]) -> Cell:
    value = cell.find(f"{MAIN}v")
    if value is None or value.text is None:
        return ""
    return shared[int(value.text)] if cell.get("t") == "s" else float(value.text)


def workbook(names: tuple[str, ...] = HOSTILE_NAMES) -> bytes:
    table = accounts(names)
    table["expected_value"] = [-5.0, 1.5, 2e6, float("nan"), 10.0, 0.0]
    lists = {name: chosen(table, ("A", "B", "C", "D")) for name, chosen in LISTS.items()}
    return render_workbook(report_data(names), table, lists)


@pytest.fixture(scope="module")
def book() -> dict[str, list[dict[str, Cell]]]:
    return opened(workbook())


def column(rows: list[dict[str, Cell]], title: str) -> list[Cell]:
    letter = next(letter for letter, cell in rows[1].items() if cell == title)
    return [row.get(letter, "") for row in rows[2:]]


def test_the_sheets_are_those_a_rep_and_revops_need(book: dict[str, list[dict[str, Cell]]]) -> None:
    assert list(book) == ["Start here", "Accounts", "Net new", "Risers", "Fallers", "Not ICP", "Criteria", "What changed",
                          "Tiers", "Tier moves", "Method"]  # fmt: skip
    titles = list(book["Accounts"][1].values())
    assert titles[:5] == ["Industry", "Company", "Domain", "Tier", "Priority"]
    data = report_data()
    assert column(book["Tiers"], "Accounts") == [tier.accounts for tier in data.profile.tiers]
    assert len(book["Criteria"]) == 2 + sum(
        len(c.bins) for axis in (data.profile.fit, data.profile.intent) for c in axis.criteria
    )
    assert data.meta.inputs_hash in column(book["Method"], "In words")
    assert data.profile.paragraph in column(book["Start here"], "In words")


def test_hostile_names_are_text_and_numbers_stay_numbers(book: dict[str, list[dict[str, Cell]]]) -> None:
    names = column(book["Accounts"], "Company")
    assert HOSTILE_NAMES[0] in names and HOSTILE_NAMES[1] in names and "evil Inc" in names
    assert max(len(str(name)) for name in names) == 4_000
    assert column(book["Accounts"], "Expected value")[:3] == [-5, 1.5, 2e6]
    assert column(book["Accounts"], "Expected value")[3] == ""


def test_a_text_like_a_formula_is_marked_as_text() -> None:
    content = spreadsheet(
        [Sheet("s", "=1", [Column("c")], [("=1+1",), ("fine",)])], title="t", company="c", day="2026-01-01"
    )
    archive = zipfile.ZipFile(io.BytesIO(content))
    looks = list(ElementTree.fromstring(archive.read("xl/styles.xml")).find(f"{MAIN}cellXfs") or ())
    sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    marked = {c.attrib["r"]: looks[int(c.get("s", "0"))].get("quotePrefix") for c in sheet.iter(f"{MAIN}c")}
    assert marked == {"A1": "1", "A2": None, "A3": "1", "A4": None}


def test_what_no_spreadsheet_can_hold_is_left_out_of_the_text() -> None:
    rows = [(CONTROL,), ("\ud800x",), ("\U0001f600" * 40_000,), (float("inf"),), (None,), ("\u202e",), (True,)]
    content = spreadsheet([Sheet("s", "", [Column("c")], rows)], title="t", company="c", day="2026-01-01")
    shown = [row.get("A", "") for row in opened(content)["s"][2:]]
    assert shown[0] == "abc de_x005F_x0041_ f"  # the mark of the format itself: Excel shows _x0041_
    assert shown[1] == "x" and len(str(shown[2]).encode("utf-16-le")) / 2 < 32_767
    assert shown[3:] == ["yes"]  # rows without a value are not in the file


def test_many_rows_are_cut_with_a_note() -> None:
    rows = ((number,) for number in range(MOST_ROWS + 5))
    sheet = Sheet("s", "All.", [Column("n", "count")], rows, MOST_ROWS + 5, "accounts.csv")
    shown = opened(spreadsheet([sheet], title="t", company="c", day="2026-01-01"))["s"]
    assert len(shown) == MOST_ROWS + 2
    assert shown[0]["A"] == "All. The first 5,000 of 5,005 are here; all are in accounts.csv."


def test_no_clock_is_in_the_bytes(tmp_path: Path) -> None:
    content = workbook()
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert report_data().meta.as_of.encode() in archive.read("docProps/core.xml")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_workbook import workbook\n"
        "sys.stdout.buffer.write(workbook())"
    )
    run = [sys.executable, "-c", program, str(Path(__file__).parent)]
    other = subprocess.run(
        run, capture_output=True, check=True, env={"PYTHONHASHSEED": "7", "HOME": str(tmp_path), "TZ": "Asia/Tokyo"}
    )
    assert other.stdout == content


def test_a_profile_without_criteria_and_without_tiers_has_a_workbook() -> None:
    data = report_data()
    empty = replace(data.profile, state="no_icp", tiers=(), tests=(), fit=replace(data.profile.fit, criteria=()))
    shown = opened(render_workbook(replace(data, profile=empty), accounts().iloc[:0], {}))
    assert len(shown["Accounts"]) == 2 and len(shown["Tiers"]) == 2


def test_facts_for_reps_come_from_declared_attributes(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "account_id": ["acc-0000", "acc-0000", "acc-0001"],
            "role": ["label", "score", "score"],
            "attr_business_model": ["old", "B2B", None],
            "attr_case_study_url": [None, "https://example.com/=1", None],
        }
    )
    assert list(read_rep_facts(tmp_path).columns) == ["account_id"]
    frame.to_parquet(tmp_path / "features.parquet")
    table = with_rep_facts(accounts(), read_rep_facts(tmp_path))
    assert list(table["account_id"]) == list(accounts()["account_id"])
    shown = opened(render_workbook(report_data(), table, {}))["Accounts"]
    assert column(shown, "Operating model")[:2] == ["B2B", ""]
    assert column(shown, "Case study")[0] == "https://example.com/=1"
    assert "Persona notes" not in shown[1].values()
