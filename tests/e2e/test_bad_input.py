"""What a user sees when something is wrong: one message, the right exit code, nothing half-published, nothing lost."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import icp, icp_here

from icp.config import load
from icp.sources.failures import stale

CONFIG = """config_version: 1
company: Tiny
lake: lake
calendar: {timezone: UTC}
sources:
  crm:
    kind: files
    tables:
      accounts:
        path: accounts.csv
        effective_at: 2025-04-02
        columns: {account_id: id, account_name: name, employees: employees, website: website}
      opportunities:
        path: deals.csv
        effective_at: 2025-04-02
        columns: {opportunity_id: id, account_id: company, is_closed: closed, is_won: won, created_at: opened, closed_at: decided}
icps:
  main: {}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return _lay_down(tmp_path)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its files landed, for what only a refresh says: a refused one leaves nothing to the next."""
    home = _lay_down(tmp_path_factory.mktemp("landed"))
    icp_here("ingest", "--plain", "-p", "icp.yml", home=home)
    return home


def _lay_down(tmp_path: Path) -> Path:
    (tmp_path / "icp.yml").write_text(CONFIG)
    accounts = [{"id": f"a{n}", "name": f"Acme {n}", "employees": 10 * n, "website": f"acme{n}.com"} for n in range(40)]
    deals = [
        {"id": f"d{n}", "company": f"a{n}", "closed": "true", "won": "true" if n % 8 == 0 else "false",
         "opened": "2025-01-10", "decided": "2025-02-10"}
        for n in range(40)
    ]  # fmt: skip
    _write(tmp_path / "accounts.csv", accounts)
    _write(tmp_path / "deals.csv", deals)
    return tmp_path


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        path = project / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


WRONG: dict[str, tuple[Callable[[Path], object], list[str], int, list[str]]] = {
    "missing file": (lambda p: (p / "deals.csv").unlink(), ["ingest"], 2, ["deals.csv"]),
    "empty file": (lambda p: (p / "deals.csv").write_text(""), ["ingest"], 2, ["deals.csv", "empty"]),
    "wrong delimiter": (
        lambda p: (p / "deals.csv").write_text((p / "deals.csv").read_text().replace(",", ";")), ["ingest"], 2, ["deals.csv", ";"],
    ),
    "missing required column": (_replace("deals.csv", "closed,", "shut,"), ["ingest"], 2, ["closed", "shut"]),
    "required column not mapped": (_replace("icp.yml", "is_won: won, ", ""), ["ingest"], 2, ["is_won", "line"]),
    "unknown key": (_replace("icp.yml", "lake: lake", "lakes: lake"), ["ingest"], 2, ["line 3", "lakes", "lake"]),
    "duplicate keys": (_replace("deals.csv", "d1,", "d0,"), ["ingest"], 3, ["opportunit", "quarantine"]),
    "unparseable dates": (_replace("deals.csv", "2025-02-10", "10th of Feb"), ["ingest"], 3, ["_parse_errors", "quarantine"]),
    "unparseable numbers": (_replace("accounts.csv", "0,acme", "0x!,acme"), ["ingest"], 3, ["quarantine"]),
    "quarter in the future": (lambda p: None, ["refresh", "--quarter", "2099Q1"], 2, ["2099Q1"]),
    "not a quarter": (lambda p: None, ["refresh", "--quarter", "Q1-25"], 2, ["Q1-25", "2026Q3"]),
    "nothing landed": (lambda p: None, ["refresh", "--quarter", "2025Q1"], 2, ["icp ingest"]),
    "unknown icp": (lambda p: None, ["refresh", "--quarter", "2025Q1", "--icp", "emea"], 2, ["emea", "main"]),
}  # fmt: skip


def test_a_process_of_its_own_ends_with_the_code_and_the_message(project: Path) -> None:
    _replace("icp.yml", "lake: lake", "lakes: lake")(project)
    done = icp("ingest", "--plain", "-p", "icp.yml", home=project, expect=2)
    assert "lakes" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("case", WRONG)
def test_one_clear_message_and_the_right_exit_code(project: Path, case: str) -> None:
    spoil, command, code, words = WRONG[case]
    spoil(project)
    done = icp_here(*command, "--plain", "-p", "icp.yml", home=project, expect=code)
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert not (project / "lake/published").exists() or not list((project / "lake/published").rglob("r*"))


def test_a_refused_load_is_kept_and_listed_and_can_be_released(project: Path) -> None:
    _replace("deals.csv", "d1,", "d0,")(project)
    icp_here("ingest", "--plain", "-p", "icp.yml", home=project, expect=3)
    listed = icp_here("quarantine", "list", "-p", "icp.yml", home=project).stdout
    load_id = listed.split()[0]
    assert "opportunit" in listed
    assert len(stale(load(project))) == 1
    icp_here("quarantine", "release", load_id, "--reason", "looked at it", "-p", "icp.yml", home=project)
    assert stale(load(project)) == []
    assert "empty" in icp_here("quarantine", "list", "-p", "icp.yml", home=project).stdout


def test_a_mended_file_lands_after_the_refused_one(project: Path) -> None:
    good = (project / "deals.csv").read_text()
    _replace("deals.csv", "d1,", "d0,")(project)
    icp_here("ingest", "--plain", "-p", "icp.yml", home=project, expect=3)
    (project / "deals.csv").write_text(good)
    assert "accepted" in icp_here("ingest", "--plain", "-p", "icp.yml", home=project).stdout


def test_too_few_outcomes_are_not_enough_evidence(landed: Path) -> None:
    done = icp_here("refresh", "--quarter", "2025Q1", "--plain", "-p", "icp.yml", home=landed, expect=7)
    assert "5" in done.stderr and "20" in done.stderr
    assert not list((landed / "lake/published").rglob("r*/manifest.json"))


def test_a_quarter_without_outcomes_is_not_enough_evidence(landed: Path) -> None:
    done = icp_here("refresh", "--quarter", "2025Q2", "--plain", "-p", "icp.yml", home=landed, expect=7)
    assert "No outcome is known for 2025Q2" in done.stderr
    assert not list((landed / "lake/published").rglob("r*/manifest.json"))


def test_a_second_writer_is_told_who_holds_the_lake(project: Path) -> None:
    from icp.lake import Lake

    with Lake(project / "lake").lock():
        done = icp_here("ingest", "--plain", "-p", "icp.yml", home=project, expect=5)
    assert "written by process" in done.stderr
