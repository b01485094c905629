"""The rules every file of the product keeps, read from the files themselves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sorted(p for folder in ("icp", "flows", "expectations") for p in (ROOT / folder).rglob("*.py"))
SQL = [p for p in sorted((ROOT / "dbt_project").rglob("*.sql")) if "target" not in p.parts]
FOLDERS = ("icp", "flows", "expectations", "dbt_project", "docs", "examples", "tests", "benchmarks", ".ci")
KINDS = {".md", ".yml", ".yaml", ".toml", ".txt", ".py", ".sql", ".in", ".html", ".j2", ".csv", ""}
TEXT = [p for p in ROOT.glob("*") if p.is_file()]
TEXT += [p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.is_file()]
TEXT = [p for p in TEXT if p.suffix in KINDS and not {"target", "__pycache__"}.intersection(p.parts)]

# Where the outside world begins: only these may ask what time it is.
EDGES = {
    "icp/cli.py", "icp/cli_alerts.py", "icp/cli_decisions.py", "icp/cli_quarantine.py", "icp/cli_running.py",
    "icp/cli_sync.py",
    "flows/approval.py", "flows/ingest.py", "flows/refresh.py", "flows/monitor.py", "flows/demo.py",
}  # fmt: skip
CLOCKS = re.compile(r"\b(datetime\.now|datetime\.utcnow|date\.today|time\.time|Timestamp\.now|Timestamp\.today)\(")
SQL_CLOCKS = re.compile(r"\b(current_date|current_timestamp|now\(\)|today\(\)|getdate\(\))", re.IGNORECASE)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_only_the_edge_reads_the_clock(path: Path) -> None:
    if relative(path) in EDGES:
        return
    assert not CLOCKS.search(path.read_text(encoding="utf-8")), f"{relative(path)} reads the clock; pass as_of instead"


@pytest.mark.parametrize("path", SQL, ids=relative)
def test_no_sql_reads_the_clock(path: Path) -> None:
    assert not SQL_CLOCKS.search(path.read_text(encoding="utf-8")), f"{relative(path)} reads the clock; use as_of()"


def test_only_dbt_opens_the_warehouse() -> None:
    users = [relative(p) for p in PYTHON if re.search(r"^\s*(import|from) duckdb", p.read_text(), re.MULTILINE)]
    assert users == ["icp/fake_vendors/posthog.py"]  # runs the queries of a vendor that is a database; opens no file


def test_no_grab_bag_modules() -> None:
    assert [relative(p) for p in PYTHON if p.stem in {"utils", "helpers", "common", "misc"}] == []


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_no_exception_is_swallowed(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{relative(path)}:{node.lineno} catches everything"
            assert not all(isinstance(s, ast.Pass) for s in node.body), f"{relative(path)}:{node.lineno} says nothing"


def test_nothing_committed_names_a_host_or_a_machine() -> None:
    forbidden = re.compile(
        r"(--index-url|--extra-index|pypi\.org|files\.pythonhosted|registry\.npmjs|/root/|/home/\w+/)"
    )
    texts = {p: p.read_text(encoding="utf-8", errors="ignore") for p in TEXT if p != Path(__file__).resolve()}
    offenders = [relative(p) for p, text in texts.items() if forbidden.search(text)]
    assert offenders == []


def test_imports_point_one_way() -> None:
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_help_answers_without_heavy_imports() -> None:
    code = (
        "import sys; from icp.cli import app; from typer.testing import CliRunner; r = CliRunner().invoke(app, ['--help']);"
        "assert r.exit_code == 0 and 'refresh' in r.output, r.output;"
        "heavy = {'pandas', 'numpy', 'prefect', 'dbt', 'great_expectations', 'altair', 'scipy', 'pyarrow'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_prefect_is_told_to_be_silent_before_it_is_imported(tmp_path: Path) -> None:
    """It reads its settings when it is imported: logs, tracebacks and a home in the user's folder come from too late."""
    (tmp_path / "icp.yml").write_text(
        "config_version: 1\ncompany: A\nsources: {crm: {kind: hubspot}}\nicps: {main: {}}\n", encoding="utf-8"
    )
    code = """
import sys
import flows.environment
from typer.testing import CliRunner
from icp.cli import app
def told(root):
    early.append("prefect" in sys.modules)
    raise SystemExit(7)
flows.environment.prepare = told
for verb in ("ingest", "refresh", "monitor", "backfill", "approve 2026Q3 --reason r", "rollback --reason r"):
    early = []
    CliRunner().invoke(app, [*verb.split(), "-p", sys.argv[1]])
    print(verb, early, "prefect" in sys.modules)
"""
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, cwd=ROOT, capture_output=True, text=True
    )
    lines = told.stdout.splitlines()
    assert all(line.endswith("] False") for line in lines), lines
    assert {"ingest [False] False", "refresh [False] False", "monitor [False] False"} <= set(lines)


def test_every_command_is_documented() -> None:
    from typer.main import get_command

    from icp.cli import app

    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    missing = [name for name in get_command(app).commands if f"`icp {name}" not in page]
    assert missing == []
