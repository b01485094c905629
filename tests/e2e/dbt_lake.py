"""Landed Parquet written by hand and the dbt project run on it, for the tests of the dbt project."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from icp import contract

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
FEATURES = ("+fct_account_features", "+fct_account_declared_attributes")
SERVING = ("path:models/serving",)
TYPES = {
    "varchar": pa.string(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}
Rows = Sequence[Mapping[str, Any]]


class Landing:
    """Loads as the files source lands them: canonical columns, typed, with their bookkeeping."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loads: list[tuple[datetime, str, Path]] = []

    def land(self, table: str, effective_at: str, rows: Rows, attributes: Mapping[str, str] | None = None) -> None:
        """One load of one table; `attributes` are the declared columns with their types."""
        columns = {c.name: c.data_type for c in contract.load(PROJECT).tables[table].columns} | dict(attributes or {})
        unknown = {name for row in rows for name in row} - set(columns)
        assert not unknown, unknown
        effective = datetime.fromisoformat(effective_at)
        arrays = {
            name: pa.array([_value(row.get(name), kind) for row in rows], TYPES[kind]) for name, kind in columns.items()
        }
        path = self.folder / f"{table}-{len(self.loads)}.parquet"
        pq.write_table(pa.table(arrays | _bookkeeping(len(rows), f"load-{len(self.loads)}", effective, table)), path)
        self.loads.append((effective, table, path))

    def files(self, as_of: str) -> dict[str, list[str]]:
        """The files a run sees, by table: loads that were true by then."""
        limit = datetime.fromisoformat(as_of)
        known = [(table, str(path)) for effective, table, path in self.loads if effective <= limit]
        return {table: [path for t, path in known if t == table] for table, _ in known}


def _value(value: Any, kind: str) -> Any:
    if value is None or not isinstance(value, str):
        return value
    return {"timestamp": datetime.fromisoformat, "date": date.fromisoformat}.get(kind, str)(value)


def _bookkeeping(rows: int, load_id: str, effective: datetime, table: str) -> dict[str, pa.Array]:
    return {
        "_load_id": pa.array([load_id] * rows, pa.string()),
        "_effective_at": pa.array([effective] * rows, pa.timestamp("us")),
        "_extracted_at": pa.array([effective] * rows, pa.timestamp("us")),
        "_source_file": pa.array([f"extracts/{table}.csv"] * rows, pa.string()),
        "_row": pa.array(range(1, rows + 1), pa.int64()),
        "_parse_errors": pa.nulls(rows, pa.string()),
    }


def quarter_variables(*labels: str) -> list[dict[str, str]]:
    """Calendar quarters in UTC, as the refresh passes them."""
    quarters = []
    for label in labels:
        year, number = int(label[:4]), int(label[-1])
        following = (year, number * 3 + 1) if number < 4 else (year + 1, 1)
        start, end = datetime(year, number * 3 - 2, 1), datetime(*following, 1)
        quarters.append({"label": label, "start": f"{start:%Y-%m-%d %H:%M:%S}", "end": f"{end:%Y-%m-%d %H:%M:%S}"})
    return quarters


@cache
def manifest() -> Any:
    """The project, parsed once; every run of a session is made from it, as the refresh does."""
    with TemporaryDirectory() as scratch:
        return _invoke(None, Path(scratch), Path(scratch) / "warehouse.duckdb", {}, ["parse"]).result


def run(scratch: Path, warehouse: Path, variables: Mapping[str, Any], *arguments: str) -> Any:
    """One dbt command on the parsed project; fails the test with what dbt says."""
    result = _invoke(manifest(), scratch, warehouse, variables, list(arguments))
    failed = [f"{r.node.name}: {r.message}" for r in getattr(result.result, "results", []) if r.status in FAILED]
    assert result.success, failed or result.exception
    return result.result


FAILED = ("error", "fail", "runtime error")


def _invoke(parsed: Any, scratch: Path, warehouse: Path, variables: Mapping[str, Any], arguments: list[str]) -> Any:
    from dbt.cli.main import dbtRunner

    warehouse.parent.mkdir(parents=True, exist_ok=True)
    os.environ["ICP_WAREHOUSE"] = str(warehouse)
    places = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(scratch / "target")]
    silent = ["--quiet", "--no-write-json", "--log-level-file", "none", "--log-path", str(scratch / "logs")]
    return dbtRunner(manifest=parsed).invoke([*silent, *arguments, *places, "--vars", json.dumps(dict(variables))])


def rows_by(path: Path, key: str) -> dict[str, dict[str, Any]]:
    """A Parquet file as one dictionary per row."""
    return {row[key]: row for row in pq.read_table(path).to_pylist()}


def digest(*paths: Path) -> list[str]:
    """The files' bytes, in short."""
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
