"""scoring.sql run by other engines than the one that published the scores: PostgreSQL, and Spark in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from benchmarks.postgres_server import PostgresServer
from flows.reading import read_profile
from icp.scoring import compile_scoring_sql

TABLE = "account_features"
TYPES = {"f": "double precision", "i": "double precision", "b": "boolean"}
SPARK_SCRIPT = Path(__file__).parent / "engine_spark.py"


def features_of(revision: Path) -> pd.DataFrame:
    """The accounts a revision scored, with what was known of them."""
    features = pd.read_parquet(revision / "features.parquet")
    return features[features["role"] == "score"].reset_index(drop=True)


def statement(revision: Path, dialect: str) -> str:
    """The scoring statement of a revision in an engine's words."""
    return compile_scoring_sql(read_profile(revision), TABLE, dialect)


def scored_in_duckdb(revision: Path) -> pd.DataFrame:
    """Scores by the published `scoring.sql` as it lies there."""
    import duckdb

    connection = duckdb.connect()
    connection.register(TABLE, features_of(revision))
    return _by_account(connection.sql((revision / "scoring.sql").read_text(encoding="utf-8")).df())


def scored_in_postgres(revision: Path, server: PostgresServer, folder: Path) -> pd.DataFrame:
    """Scores by PostgreSQL; the features are copied into a temporary table."""
    frame, table, out = features_of(revision), folder / "features.csv", folder / "scores.csv"
    frame.to_csv(table, index=False)
    declared = ", ".join(f'"{name}" {TYPES.get(_kind(frame[name]), "text")}' for name in frame)
    query = " ".join(line for line in statement(revision, "postgres").splitlines() if not line.startswith("--"))
    script = folder / "run.sql"
    script.write_text(
        f"create temporary table {TABLE} ({declared});\n"
        f"\\copy {TABLE} from '{table}' with (format csv, header)\n"
        f"\\copy ({query}) to '{out}' with (format csv, header)\n"
    )
    server.psql("-f", str(script))
    return _by_account(pd.read_csv(out, dtype={"account_id": str}))


def spark_python() -> str | None:
    """A Python with pyspark: the one ICP_SPARK_PYTHON names, or this one; None where there is none."""
    return os.environ.get("ICP_SPARK_PYTHON") or (sys.executable if find_spec("pyspark") else None)


def scored_in_spark(revisions: list[Path], python: str, folder: Path) -> list[pd.DataFrame]:
    """Scores of several revisions by one Spark session on this machine."""
    jobs = []
    for number, revision in enumerate(revisions):
        table, query, out = (folder / f"{number}.{kind}" for kind in ("parquet", "sql", "scores"))
        frame = features_of(revision)
        for name in frame.select_dtypes("object"):
            if _kind(frame[name]) == "b":
                frame[name] = frame[name].astype("boolean")
        frame.to_parquet(table, index=False)
        query.write_text(statement(revision, "spark"), encoding="utf-8")
        jobs += [str(table), str(query), str(out)]
    home = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "SPARK_HOME")}
    done = subprocess.run(
        [python, str(SPARK_SCRIPT), *jobs], capture_output=True, text=True, check=False, cwd=folder,
        env={**home, "SPARK_LOCAL_IP": "127.0.0.1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [_by_account(pd.read_parquet(out)) for out in jobs[2::3]]


def _by_account(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.assign(account_id=scores["account_id"].astype(str)).set_index("account_id").sort_index()


def _kind(column: pd.Series) -> str:
    values = column.dropna()
    is_flag = column.dtype == bool or (len(values) > 0 and values.map(lambda value: isinstance(value, bool)).all())
    return "b" if is_flag or str(column.dtype) == "boolean" else column.dtype.kind if column.dtype.kind in "fi" else "t"
