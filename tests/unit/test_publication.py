from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_sample import HOSTILE_NAMES, NAMES, accounts, migration, report_data
from test_workbook import opened

from icp.best_customers import COLUMNS as BEST_COLUMNS
from icp.errors import IcpError
from icp.profile import Attribute
from icp.publication import (
    FORMULA_STARTS,
    coverage,
    read_accounts,
    read_history,
    read_migration,
    spreadsheet_safe,
    write_candidate,
    write_csv,
    write_findings,
    write_parquet,
)
from icp.report import verdict_sentence
from icp.report.sayings import icp_markdown, mql_sql
from icp.serialize import from_json, profile_from_yaml
from icp.tier_lists import fallers, movers, net_new, not_icp, risers
from icp.verdicts import ProfileDiff

TIERS = ("A", "B", "C", "D")
POINTS = pd.DataFrame(
    {
        "axis": ["fit", "fit"],
        "attribute": ["employees", "industry"],
        "bin_key": ["11_51", "software"],
        "lower": [11.0, None],
        "upper": [51.0, None],
        "levels": [[], ["software", "saas"]],
        "points": [8, 14],
        "odds": [0.8, 1.3],
        "average_points": [9.5, 7.25],
    }
)


def write_revision(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    """A revision as a refresh leaves it, the warehouse's part included."""
    data = report_data(names)
    write_candidate(folder, profile=data.profile, points=POINTS, scoring_sql="select 1 as account_id")
    write_parquet(folder / "accounts.parquet", accounts(names))
    write_parquet(folder / "migration.parquet", migration())
    write_findings(folder, data)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_revision(tmp_path_factory.mktemp("revision"), HOSTILE_NAMES)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_revision_has_every_file(folder: Path) -> None:
    assert set(contents(folder)) == {
        "profile.yml", "evidence.json", "points.parquet", "diff.json", "diff.md", "backtest.json", "tam.json", "accounts.csv",
        "scoring.sql", "lists/risers.csv", "lists/fallers.csv", "lists/net_new.csv", "lists/not_icp.csv", "report.html",
        "accounts.parquet", "migration.parquet", "sensitivity.json", "workbook.xlsx", "icp.md", "mql.sql",
    }  # fmt: skip


def test_writing_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert contents(write_revision(tmp_path, HOSTILE_NAMES)) == contents(folder)


def test_what_is_written_can_be_read_back(folder: Path) -> None:
    data = report_data(HOSTILE_NAMES)
    assert profile_from_yaml((folder / "profile.yml").read_text(encoding="utf-8")) == data.profile
    comparison = json.loads((folder / "diff.json").read_text(encoding="utf-8"))
    body = json.dumps(comparison["comparison"] | {"schema_version": 1})
    assert from_json(ProfileDiff, body).changed == data.diff.changed
    assert from_json(ProfileDiff, body).decomposition == data.diff.decomposition
    assert comparison["comparison"]["decomposition"]["version"] == 1
    assert comparison["verdict"] == verdict_sentence(data)
    assert comparison["tier_moves"]["moved"] == 1_924
    assert (comparison["before"], comparison["after"]) == ("2026Q2", "2026Q3")


def test_the_evidence_holds_every_test_and_hash(folder: Path) -> None:
    evidence = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
    assert len(evidence["tests"]) == len(report_data().profile.tests)
    assert evidence["coverage"][0]["attribute"] == "employees"
    assert evidence["inputs_hash"] == "4be1" * 16


def test_history_is_read_from_past_revisions(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "backtest.json").write_text('{"backtest": null, "schema_version": 1}', encoding="utf-8")
    (past,) = read_history([folder, tmp_path])
    assert (past.quarter, past.auc.value, past.wins, past.expected_wins) == ("2026Q3", 0.655, 209, 214.2)
    assert past.size_advantage is not None and past.size_advantage.value == 0.075


def test_the_record_counts_past_quarters_and_this_one(folder: Path) -> None:
    record = json.loads((folder / "backtest.json").read_text(encoding="utf-8"))["track_record"]
    assert [q["quarter"] for q in record["quarters"]][-2:] == ["2026Q2", "2026Q3"]
    assert 0.66 < record["auc"]["value"] < 0.70


def test_accounts_are_the_same_in_csv_and_parquet(folder: Path) -> None:
    rows, table = read_rows(folder / "accounts.csv"), read_accounts(folder)
    assert [row["account_id"] for row in rows] == table["account_id"].tolist()
    assert [row["previous_fit_score"] for row in rows] == ["47", "72", "50", "60", "63", ""]
    assert [float(row["win_probability"]) for row in rows] == pytest.approx(table["win_probability"].tolist())
    assert read_migration(folder)["accounts"].sum() == 30_112


def test_hostile_names_are_inert_in_every_sheet(folder: Path) -> None:
    for path in [folder / "accounts.csv", *(folder / "lists").glob("*.csv")]:
        cells = [cell for row in read_rows(path) for cell in row.values()]
        assert not [cell for cell in cells if cell.startswith(FORMULA_STARTS)]
    names = [row["account_name"] for row in read_rows(folder / "accounts.csv")]
    assert names[1] == "'" + HOSTILE_NAMES[1] and names[3] == HOSTILE_NAMES[3]


def test_numbers_stay_numbers_in_a_sheet(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", pd.DataFrame({"change": [-5, 3], "share": [-0.1, 1 / 3], "note": ["-5", None]}))
    assert (tmp_path / "t.csv").read_text() == "change,share,note\n-5,-0.1,'-5\n3,0.3333333333,\n"


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice Calc")
def test_libreoffice_opens_sheets_without_a_formula(folder: Path, tmp_path: Path) -> None:
    write_csv(tmp_path / "moves.csv", pd.DataFrame({"change": [-5, 3], "note": ["-5+3", '=HYPERLINK("http://x.y")']}))
    files = [folder / "workbook.xlsx", folder / "accounts.csv", tmp_path / "moves.csv"]
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    evaluating = "--infilter=Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1,true"
    for infilter, some in (([], files[:1]), ([evaluating], files[1:])):
        command = [
            "soffice",
            profile,
            "--headless",
            *infilter,
            "--convert-to",
            "fods",
            "--outdir",
            str(tmp_path),
            *some,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    book, accounts_sheet, moves = ((tmp_path / f"{f.stem}.fods").read_text(encoding="utf-8") for f in files)
    for sheet in (book, accounts_sheet, moves):
        assert "table:formula" not in sheet
    assert "=HYPERLINK" in book and "=HYPERLINK" in accounts_sheet
    assert re.search(r'office:value-type="float" office:value="-5"', moves)
    assert re.search(r'office:value-type="float" office:value="88"', book)


@given(st.text(max_size=12))
def test_no_text_cell_starts_a_formula(text: str) -> None:
    safe = spreadsheet_safe(text)
    assert isinstance(safe, str) and not safe.startswith(FORMULA_STARTS)
    assert safe.removeprefix("'") == text.replace("\x00", "").removeprefix("'") or safe == text


def test_points_keep_their_types_even_when_there_are_none(folder: Path, tmp_path: Path) -> None:
    write_candidate(tmp_path, profile=report_data().profile, points=POINTS.iloc[:0], scoring_sql="select 1")
    full = {field.name: str(field.type) for field in pq.read_schema(folder / "points.parquet")}
    none = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "points.parquet")}
    assert none == full
    assert full["points"] == "int64" and full["lower"] == "double" and full["axis"] == "string"


def test_lists_choose_and_order_accounts() -> None:
    table = accounts()
    assert risers(table, TIERS)["account_id"].tolist() == ["acc-0000", "acc-0004", "acc-0002"]
    assert fallers(table, TIERS)["account_id"].tolist() == ["acc-0001", "acc-0003"]
    assert net_new(table, TIERS)["account_id"].tolist() == ["acc-0000", "acc-0004"]
    assert not_icp(table, TIERS)["account_id"].tolist() == ["acc-0003"]  # acc-0005 is a customer: nobody prospects it


def test_the_order_of_rows_does_not_matter() -> None:
    table = accounts()
    pd.testing.assert_frame_equal(risers(table.iloc[::-1], TIERS), risers(table, TIERS))


def test_movers_are_the_heads_of_both_lists() -> None:
    chosen = movers(accounts(), TIERS, most=1)
    assert list(zip(chosen["account_id"], chosen["direction"], strict=True)) == [
        ("acc-0000", "up"),
        ("acc-0001", "down"),
    ]


def test_without_tiers_nobody_is_listed() -> None:
    table = accounts().assign(tier=None, previous_tier=None)
    assert all(chosen(table, ()).empty for chosen in (risers, fallers, net_new, not_icp))


def test_coverage_counts_sets_once_and_backfilled_values_only_where_filled() -> None:
    labels = pd.DataFrame(
        {
            "employees": [10.0, None, 30.0, 40.0],
            "technologies": ["|aws|", None, "||", None],
            "is_backfilled": [True, True, False, False],
        }
    )
    universe = pd.DataFrame({"employees": [1.0, 2.0], "technologies": [None, None]})
    attributes = (
        Attribute("employees", "numeric", "firmographic", "Employees"),
        Attribute("technologies", "set", "technographic", "Technologies"),
        Attribute("technologies=aws", "flag", "technographic", "AWS", source_column="technologies", member="aws"),
    )
    rows = coverage(labels, universe, attributes).to_dict("records")
    assert [(row["attribute"], row["label"]) for row in rows] == [
        ("employees", "Employees"),
        ("technologies", "Technologies …"),
    ]
    assert [row["filled_share"] for row in rows] == [0.75, 0.5]
    assert [row["universe_filled_share"] for row in rows] == [1.0, 0.0]
    assert [round(row["backfilled_share"], 4) for row in rows] == [0.3333, 0.5]


def test_findings_before_the_warehouse_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IcpError, match=r"accounts.parquet is not in .*: build the serving models"):
        write_findings(tmp_path, report_data())


def test_a_profile_without_a_backtest_is_published(tmp_path: Path) -> None:
    write_parquet(tmp_path / "accounts.parquet", accounts())
    (tmp_path / "scoring.sql").write_text("select 1 as account_id", encoding="utf-8")
    write_findings(tmp_path, replace(report_data(), backtest=None))
    assert json.loads((tmp_path / "backtest.json").read_text())["backtest"] is None
    assert read_history([tmp_path]) == ()


def test_the_icp_and_what_is_none_are_said_in_markdown(folder: Path) -> None:
    said = (folder / "icp.md").read_text(encoding="utf-8")
    assert said.startswith("# ICP main, 2026Q3") and "tier is A or B" in said and "## Not ICP" in said
    bad = replace(report_data().profile, paragraph="<script>x</script> @all [a](http://b)")
    assert "<script" not in icp_markdown(bad, ()) and "@all" not in icp_markdown(bad, ())


def test_best_customers_have_a_list_and_a_sheet(tmp_path: Path) -> None:
    write_revision(tmp_path)
    assert not (tmp_path / "lists" / "best_customers.csv").exists()
    row = ["acc-0001", "=HYPERLINK(1)", "a.com", "2026Q2", 2.0, 3.0, "stayed: yes", ""]
    write_findings(tmp_path, report_data(), best=pd.DataFrame([row], columns=list(BEST_COLUMNS)))
    assert read_rows(tmp_path / "lists" / "best_customers.csv")[0]["account_name"] == "'=HYPERLINK(1)"
    assert "Best customers" in opened((tmp_path / "workbook.xlsx").read_bytes())


def test_the_mql_rule_keeps_the_accounts_that_fit_and_act() -> None:
    profile = report_data().profile
    floor = min(tier.min_score for tier in profile.tiers if tier.name in ("A", "B"))
    rule = mql_sql(profile, ("A", "B"), "-- scores\nselect * from scored_accounts")
    connection = duckdb.connect()
    connection.execute(
        f"create table scored_accounts as select * from (values ('a', {floor}, 99), ('b', {floor - 1}, 99), "
        f"('c', {floor + 1}, {profile.intent_levels[-1]}), ('d', 100, 0)) t(account_id, fit_score, intent_score)"
    )
    assert [row[0] for row in connection.execute(rule).fetchall()] == ["c", "a"] if profile.intent_levels[-1] else True
    assert connection.execute(mql_sql(profile, (), "select * from scored_accounts")).fetchall() == []
