"""scoring.sql gives every account of the demo the same score in PostgreSQL and in Spark as in the revision.

Each is skipped where it is not installed; Spark is found by ICP_SPARK_PYTHON, a Python that has pyspark. All quarters: the
campaign `engines`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import DemoRun

from benchmarks.campaigns.engines import compared
from benchmarks.engines import scored_in_postgres, scored_in_spark, spark_python
from benchmarks.postgres_server import is_installed, postgres_server

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not is_installed(), reason="PostgreSQL is not installed")
def test_postgres_scores_every_account_alike(demo_run: DemoRun, tmp_path: Path) -> None:
    revision = demo_run.revision("2026Q3")
    with postgres_server() as server:
        _require_alike(compared("PostgreSQL", "", [revision], [scored_in_postgres(revision, server, tmp_path)]))


@pytest.mark.skipif(spark_python() is None, reason="pyspark is not installed")
def test_spark_scores_every_account_alike(demo_run: DemoRun, tmp_path: Path) -> None:
    revision = demo_run.revision("2026Q3")
    _require_alike(compared("Spark", "", [revision], scored_in_spark([revision], spark_python() or "", tmp_path)))


def _require_alike(found: dict[str, object]) -> None:
    assert int(str(found["accounts"])) > 1000
    assert found["scores_bins_or_points_that_differ"] == 0
    assert float(str(found["furthest_relative_difference"])) < 1e-9
