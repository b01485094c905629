"""scoring.sql gives every account of the demo the same score in PostgreSQL as in the revision; skipped where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import DemoRun

from flows.reading import read_profile
from icp.publication import read_accounts
from icp.scoring import compile_scoring_sql

pytestmark = pytest.mark.slow

SERVER = next((path for path in map(shutil.which, ("pg_ctl", "/usr/lib/postgresql/15/bin/pg_ctl")) if path), None)
USER = "postgres" if os.geteuid() == 0 else None
TYPES = {"f": "double precision", "i": "double precision", "b": "boolean"}


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """A server of its own behind a socket file; answers the psql command that reaches it."""
    if SERVER is None or not shutil.which("psql"):
        pytest.skip("PostgreSQL is not installed")
    home = Path("/tmp") / f"icp-pg-{os.getpid()}"  # a socket's path may be 107 characters long
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    bin_ = str(Path(SERVER).resolve().parent)
    as_user = {"user": USER} if USER else {}
    try:
        subprocess.run(
            [f"{bin_}/initdb", "-D", f"{home}/data", "-A", "trust", "-U", "icp"],
            check=True,
            capture_output=True,
            **as_user,
        )  # type: ignore[call-overload]
        options = f"-c listen_addresses='' -k {home} -c fsync=off"
        start = [f"{bin_}/pg_ctl", "-D", f"{home}/data", "-w", "-l", f"{home}/log", "-o", options, "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, **as_user)  # type: ignore[call-overload]
        try:
            yield ["psql", "-h", str(home), "-U", "icp", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-q"]
        finally:
            stop = [f"{bin_}/pg_ctl", "-D", f"{home}/data", "-m", "immediate", "stop"]
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, **as_user)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(home)


def test_postgres_scores_every_account_alike(demo_run: DemoRun, postgres: list[str], tmp_path: Path) -> None:
    revision = demo_run.revision("2026Q3")
    features = pd.read_parquet(revision / "features.parquet")
    frame = features[features["role"] == "score"].reset_index(drop=True)
    scored = _scores(
        frame, compile_scoring_sql(read_profile(revision), "account_features", "postgres"), postgres, tmp_path
    )
    ours = read_accounts(revision).set_index("account_id").sort_index()
    assert scored.index.tolist() == ours.index.tolist() and len(ours) > 1000
    assert (scored["fit_score"] == ours["fit_score"]).all() and (scored["intent_score"] == ours["intent_score"]).all()
    for column in ("win_probability", "expected_value", "expected_value_low", "expected_value_high"):
        pd.testing.assert_series_equal(
            scored[column], ours[column], check_dtype=False, check_index_type=False, rtol=1e-9
        )


def _scores(frame: pd.DataFrame, statement: str, psql: list[str], folder: Path) -> pd.DataFrame:
    table, out = folder / "features.csv", folder / "scores.csv"
    frame.to_csv(table, index=False)
    declared = ", ".join(f'"{name}" {TYPES.get(_kind(frame[name]), "text")}' for name in frame)
    script = folder / "run.sql"
    query = " ".join(line for line in statement.splitlines() if not line.startswith("--"))
    script.write_text(
        f"create table account_features ({declared});\n"
        f"\\copy account_features from '{table}' with (format csv, header)\n"
        f"\\copy ({query}) to '{out}' with (format csv, header)\n"
    )
    done = subprocess.run([*psql, "-f", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return pd.read_csv(out, dtype={"account_id": str}).set_index("account_id").sort_index()


def _kind(column: pd.Series) -> str:
    values = column.dropna()
    is_flag = column.dtype == bool or (len(values) > 0 and values.map(lambda value: isinstance(value, bool)).all())
    return "b" if is_flag or str(column.dtype) == "boolean" else column.dtype.kind if column.dtype.kind in "fi" else "t"
