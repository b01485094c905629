"""What `icp new` and `icp init` write: all or nothing, never over what is there, and sound as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from expectations.suite import suite_path
from flows.provenance import code_hash
from icp import contract, feature_pages
from icp.config import load
from icp.errors import ConfigError
from icp.scaffold.destination import new_destination
from icp.scaffold.feature import new_feature
from icp.scaffold.project import init
from icp.scaffold.source import new_source

SHIPPED = Path(__file__).resolve().parents[2] / "dbt_project"
LISTS = {
    "on one line": ("vars:\n  added_features: [a_b]   # mine\n", "vars:\n  added_features: [a_b, tickets]   # mine\n"),
    "empty": ("vars:\n  added_features: []\n", "vars:\n  added_features: [tickets]\n"),
    "one per line": (
        "vars:\n  added_features:\n    - a_b\n  x: 1\n",
        "vars:\n  added_features:\n    - a_b\n    - tickets\n  x: 1\n",
    ),
    "absent": ("vars:\n  x: 1\n", "vars:\n  added_features: [tickets]\n  x: 1\n"),
}


def _bare(folder: Path, project_file: str) -> Path:
    own = folder / "dbt_project"
    own.mkdir()
    (own / "dbt_project.yml").write_text(project_file)
    shutil.copytree(SHIPPED / "macros", own / "macros")
    return own


@pytest.mark.parametrize("case", LISTS)
def test_the_name_joins_the_list_and_the_rest_of_the_file_stays(tmp_path: Path, case: str) -> None:
    before, after = LISTS[case]
    own = _bare(tmp_path, before)
    new_feature(own, "tickets", family="behavioural", kind="flag")
    assert (own / "dbt_project.yml").read_text() == after
    assert feature_pages.added_models(own)[-1] == "feat_account__tickets"


def test_a_list_that_cannot_be_read_writes_nothing(tmp_path: Path) -> None:
    own = _bare(tmp_path, "name: icp\n")
    with pytest.raises(ConfigError, match=r"added_features: \[tickets\]"):
        new_feature(own, "tickets", family="behavioural", kind="flag")
    assert not (own / "models").exists()


@pytest.mark.parametrize(
    ("name", "family", "kind", "said"),
    [
        ("Tickets", "behavioural", "flag", "lower case"),
        ("tickets", "habits", "flag", "firmographic"),
        ("tickets", "behavioural", "segment", "numeric, category"),
    ],
)
def test_names_families_and_kinds_are_checked(tmp_path: Path, name: str, family: str, kind: str, said: str) -> None:
    own = _bare(tmp_path, "vars:\n  added_features: []\n")
    with pytest.raises(ConfigError, match=said):
        new_feature(own, name, family=family, kind=kind)


def test_a_project_of_an_older_version_is_told_so(tmp_path: Path) -> None:
    own = _bare(tmp_path, "vars:\n  added_features: []\n")
    shutil.rmtree(own / "macros")
    with pytest.raises(ConfigError, match="older version"):
        new_feature(own, "tickets", family="behavioural", kind="flag")
    with pytest.raises(ConfigError, match="export_destination"):
        new_destination(own, "helpdesk")


@pytest.fixture
def own_project(tmp_path: Path) -> Path:
    own = tmp_path / "dbt_project"
    shutil.copytree(SHIPPED, own, ignore=shutil.ignore_patterns("target", "logs"))
    return own


def test_a_new_table_joins_the_contract_and_is_refused_twice(own_project: Path) -> None:
    before = (own_project / contract.SOURCES_PAGE).read_text()
    done = new_source(own_project, "tickets")
    assert (own_project / contract.SOURCES_PAGE).read_text().startswith(before.rstrip())
    table = contract.load(own_project).tables["tickets"]
    assert table.key == ("fact_id",) and table.required_columns == ("fact_id", "occurred_on")
    assert all((own_project.parent / path).is_file() for path in (*done.written, *done.edited))
    with pytest.raises(ConfigError, match="has a table tickets already"):
        new_source(own_project, "tickets")
    with pytest.raises(ConfigError, match="has a table accounts already"):
        new_source(own_project, "accounts")


def test_a_destination_is_three_files_and_is_refused_twice(own_project: Path) -> None:
    done = new_destination(own_project, "helpdesk")
    assert [path.name for path in done.written] == ["sync_helpdesk.sql", "sync_helpdesk.yml", "helpdesk.yml"]
    with pytest.raises(ConfigError, match="exists already; nothing was written"):
        new_destination(own_project, "helpdesk")


def test_a_projects_own_suites_come_first_and_count_as_its_code(own_project: Path) -> None:
    shipped, root = code_hash(own_project), own_project.parent
    assert suite_path("landing/accounts", root) == suite_path("landing/accounts")
    own = root / "expectations/landing/accounts.yml"
    own.parent.mkdir(parents=True)
    own.write_text("name: landing.accounts\nexpectations: []\n")
    assert suite_path("landing/accounts", root) == own
    assert suite_path("landing/revenue", root) == suite_path("landing/revenue")
    assert code_hash(own_project) != shipped


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    own = tmp_path / "dbt_project"
    shutil.copytree(SHIPPED, own, ignore=shutil.ignore_patterns("target", "logs"))
    with pytest.raises(ConfigError, match="employees already"):
        new_feature(own, "employees", family="firmographic", kind="numeric")
    with pytest.raises(ConfigError, match="exists already; nothing was written"):
        new_feature(own, "size", family="firmographic", kind="numeric")
    assert "added_features: []" in (own / "dbt_project.yml").read_text()


def test_an_installed_package_is_not_written_into(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="icp init"):
        new_feature(tmp_path / "_project/dbt_project", "tickets", family="behavioural", kind="flag")


def test_init_lays_down_a_project_that_loads_and_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    scaffold, kept = init(tmp_path)
    assert kept == (".gitignore",) and (tmp_path / ".gitignore").read_text() == "mine\n"
    assert {p.as_posix() for p in scaffold.written} == {
        "icp.yml", "dbt_project", "expectations", "flows", "deployments.yaml", ".github/workflows/icp.yml",
    }  # fmt: skip
    settings = load(tmp_path, {})
    assert settings.dbt_project == tmp_path / "dbt_project"
    feature_pages.check(settings.dbt_project)
    shipped = {
        p.relative_to(SHIPPED) for p in SHIPPED.rglob("*") if p.suffix in (".sql", ".csv") and "target" not in p.parts
    }
    assert shipped <= {p.relative_to(settings.dbt_project) for p in settings.dbt_project.rglob("*")}
    entries = [line for line in (tmp_path / "deployments.yaml").read_text().splitlines() if "entrypoint:" in line]
    assert len(entries) == 4 and all("flows/deployed.py:icp_" in line for line in entries)
    assert "$" not in (tmp_path / ".github/workflows/icp.yml").read_text()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again, everything = init(tmp_path)
    assert again.written == () and len(everything) == 7
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
