"""scoring.sql gives every account of the demo company the same score in DuckDB, PostgreSQL and Spark, every quarter.

Run by `make campaign-engines` on the finished demo (`make demo`); Spark runs in the peers' environment. What an engine lacks to
run is named in the table.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from benchmarks.campaigns.runner import RESULTS, write_table
from benchmarks.engines import scored_in_duckdb, scored_in_postgres, scored_in_spark, spark_python
from benchmarks.postgres_server import is_installed, postgres_server
from icp.publication import read_accounts

REAL = ("win_probability", "expected_value", "expected_value_low", "expected_value_high")


def campaign(demo: Path, spark: str | None) -> pd.DataFrame:
    """One row per engine: accounts it scored over all quarters and how far it is from what was published."""
    revisions = sorted(path.parent for path in demo.glob("lake/published/*/*/r*/scoring.sql"))
    assert revisions, f"no finished demo in {demo}: run `make demo` first, or name it with --demo"
    rows = [compared("DuckDB", _duckdb_version(), revisions, map(scored_in_duckdb, revisions))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if is_installed():
            with postgres_server() as server:
                scored = [scored_in_postgres(revision, server, folder) for revision in revisions]
                rows.append(
                    compared("PostgreSQL", server.psql("-c", "show server_version").split()[0], revisions, scored)
                )
        if spark is not None:
            asked = [spark, "-c", "import pyspark; print(pyspark.__version__)"]
            version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
            rows.append(compared("Spark", version, revisions, scored_in_spark(revisions, spark, folder)))
    missing = {"PostgreSQL", "Spark"} - {str(row["engine"]) for row in rows}
    return pd.DataFrame(rows + [{"engine": name, "version": "not here"} for name in sorted(missing)])


def compared(engine: str, version: str, revisions: list[Path], scored: Iterable[pd.DataFrame]) -> dict[str, object]:
    """How far an engine's scores are from the published ones; bins and points are compared with DuckDB's."""
    accounts = unlike = 0
    furthest = 0.0
    for revision, ours in zip(revisions, scored, strict=True):
        published = read_accounts(revision).set_index("account_id").sort_index()
        assert ours.index.tolist() == published.index.tolist(), f"{engine} scored other accounts of {revision}"
        plain = scored_in_duckdb(revision)
        whole = [name for name in plain if name not in REAL]
        accounts += len(ours)
        differs = pd.Series(False, index=ours.index)
        for name in whole:
            differs |= _differs(ours[name], plain[name])
        for name in ("fit_score", "intent_score"):
            differs |= _differs(ours[name], published[name])
        unlike += int(differs.sum())
        furthest = max(furthest, *(_furthest(ours[name], published[name]) for name in REAL if name in ours))
    return {
        "engine": engine, "version": version, "quarters": len(revisions), "accounts": accounts,
        "scores_bins_or_points_that_differ": unlike, "furthest_relative_difference": f"{furthest:.1e}",
    }  # fmt: skip


def _differs(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    kind = "float64" if pd.api.types.is_numeric_dtype(theirs) else "string"
    left, right = ours.astype(kind), theirs.astype(kind)
    return ~((left == right).fillna(False) | (left.isna() & right.isna())).astype(bool)


def _furthest(ours: pd.Series, theirs: pd.Series) -> float:
    left, right = ours.astype(float), theirs.astype(float)
    assert (left.isna() == right.isna()).all(), f"{ours.name} is known of other accounts"
    return float(((left - right).abs() / right.abs().clip(lower=1e-12)).max(skipna=True) or 0.0)


def _duckdb_version() -> str:
    import duckdb

    return str(duckdb.__version__)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="a finished demo project (demo)")
    parser.add_argument("--spark", default=spark_python(), help="a Python with pyspark")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    chosen = parser.parse_args()
    write_table("engines", campaign(chosen.demo, chosen.spark), chosen.results)
