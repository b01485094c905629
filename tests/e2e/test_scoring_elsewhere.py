"""scoring.sql gives every account of the demo the same score in PostgreSQL as in the revision; skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from command_line import DemoRun
from postgres_server import PostgresServer, postgres_server

from flows.reading import read_profile
from icp.publication import read_accounts
from icp.scoring import compile_scoring_sql

pytestmark = pytest.mark.slow

TYPES = {"f": "double precision", "i": "double precision", "b": "boolean"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def test_postgres_scores_every_account_alike(demo_run: DemoRun, postgres: PostgresServer, tmp_path: Path) -> None:
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


def _scores(frame: pd.DataFrame, statement: str, server: PostgresServer, folder: Path) -> pd.DataFrame:
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
    server.psql("-f", str(script))
    return pd.read_csv(out, dtype={"account_id": str}).set_index("account_id").sort_index()


def _kind(column: pd.Series) -> str:
    values = column.dropna()
    is_flag = column.dtype == bool or (len(values) > 0 and values.map(lambda value: isinstance(value, bool)).all())
    return "b" if is_flag or str(column.dtype) == "boolean" else column.dtype.kind if column.dtype.kind in "fi" else "t"
