"""What the world does to a run that is due: a server that is down, a run at work already, a warehouse open elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.dbt_project import _checked
from icp.errors import IcpError, TryLater
from icp.lake import Lake

ROOT = Path(__file__).parents[2]
PROJECT = """config_version: 1
company: Lumenworks
sources:
  crm: {kind: files, tables: {accounts: {path: "accounts_*.csv", columns: {account_id: id, account_name: name}}}}
icps: {main: {}}
"""


def project(folder: Path) -> Path:
    (folder / "icp.yml").write_text(PROJECT)
    (folder / "accounts_1.csv").write_text("id,name\n1,Acme\n")
    return folder


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    known = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "ICP_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "icp.cli", *arguments],
        cwd=folder, env={**known, "PYTHONPATH": str(ROOT), **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_a_server_that_is_down_is_said_with_the_way_around_and_nothing_is_begun(tmp_path: Path) -> None:
    closed = {"PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_CLIENT_MAX_RETRIES": "0"}
    run = start(project(tmp_path), "ingest", **closed)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 75, said
    assert "http://127.0.0.1:9/api" in said and "--plain" in said and "Traceback" not in said
    assert not (tmp_path / "lake").exists()


def test_of_two_runs_at_once_one_works_and_the_other_says_who_does(tmp_path: Path) -> None:
    folder = project(tmp_path)
    with Lake(folder / "lake").lock():
        second = start(folder, "ingest", "--plain")
        _, said = second.communicate(timeout=120)
    assert second.returncode == 5, said
    assert f"process {os.getpid()}" in said
    ledger = [json.loads(path.read_text()) for path in sorted((folder / "lake/runs").glob("*.json"))]
    assert [(run["exit_code"], run["ended"] is None) for run in ledger] == [(5, False)]


class Answered:
    """dbt's answer when a file cannot be opened, with the words of a real one."""

    success = False

    def __init__(self, words: str) -> None:
        self.exception = OSError(words)


def test_a_warehouse_open_elsewhere_is_tried_later(tmp_path: Path) -> None:
    held = _opened_elsewhere(tmp_path / "warehouse.duckdb")
    with pytest.raises(TryLater, match="Another program has the warehouse open") as later:
        _checked(tmp_path, Answered(held))
    assert later.value.exit_code == 75 and "PID" in str(later.value)
    with pytest.raises(IcpError, match="dbt could not run: disk full"):
        _checked(tmp_path, Answered("disk full"))


def _opened_elsewhere(path: Path) -> str:
    """DuckDB's own words, from a process that opens a file another one holds."""
    hold = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline().strip() == "open"
        code = "import duckdb, sys; duckdb.connect(sys.argv[1])"
        tried = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
        return tried.stderr.splitlines()[-1]
    finally:
        holder.kill()
        holder.wait()
