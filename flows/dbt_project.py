"""Builds a part of the dbt project inside this process and turns dbt's verdict into ours.

dbt is called directly rather than through an orchestrator's wrapper, because wrappers have reported success for
runs with failed or skipped nodes; here every node's status is read. (This module is not called `dbt`: a worker puts this
folder first on the import path.)
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.dbt_failures import described
from icp.errors import GateFailed, IcpError, TryLater

# Parsing takes longer than building; one process builds several quarters from the same parsed project.
_parsed: dict[Path, Any] = {}
_seeded: set[Path] = set()


def build(
    project: Path, *, select: Sequence[str], variables: Mapping[str, Any], warehouse: Path, scratch: Path
) -> dict[str, Any]:
    """Build and test the selected models; answers each model's columns with their meta.

    Raises:
        ConfigError: a feature is not declared as it must be; nothing was built.
        GateFailed: a data test of the project failed; the message names the tests and the number of bad rows.
        IcpError: a model did not compile or run.
        TryLater: another program has the warehouse open.
    """
    from dbt.cli.main import dbtRunner

    from icp.feature_pages import check

    warehouse.parent.mkdir(parents=True, exist_ok=True)
    os.environ["ICP_WAREHOUSE"] = str(warehouse)
    common = [
        *("--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(scratch / "target"), "--log-path", str(scratch / "logs")),
        *("--log-level-file", "none", "--no-write-json"),
    ]
    if project not in _parsed:
        check(project)
        parse = ["--quiet", "parse", *common, "--vars", _as_json(_parsed_with(variables))]
        _parsed[project] = _checked(project, dbtRunner().invoke(parse)).result
    manifest = _parsed[project]
    # Unit tests belong to the test suite. Seeds are constants of the project: once in a process is enough.
    left_out = ["unit_test", *(["seed"] if warehouse in _seeded else [])]
    excluded = [word for kind in left_out for word in ("--exclude-resource-type", kind)]
    command = ["--quiet", "build", "--select", *select, *excluded, *common, "--vars", _as_json(variables)]
    _checked(project, dbtRunner(manifest=manifest).invoke(command))
    _seeded.add(warehouse)
    return _columns_by_model(manifest)


def _parsed_with(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables without what differs from quarter to quarter, which no parsed file depends on.

    dbt keeps what it parsed beside the target, and throws all of it away when a variable differs.
    """
    same = {name: value for name, value in variables.items() if not name.endswith("_path")}
    return same | {"as_of": "", "quarter_end": "", "quarters": [], "landed": {}}


def _as_json(variables: Mapping[str, Any]) -> str:
    return json.dumps(dict(variables), sort_keys=True)


def _columns_by_model(manifest: Any) -> dict[str, Any]:
    """The part of the manifest the domain reads: per model its columns with their meta."""
    return {
        node.name: {name: {"description": c.description, "meta": dict(c.meta)} for name, c in node.columns.items()}
        for node in manifest.nodes.values()
        if node.resource_type == "model"
    }


def _checked(project: Path, result: Any) -> Any:
    if result.success:
        return result
    if "Could not set lock on file" in str(result.exception):
        raise TryLater(
            f"Another program has the warehouse open, so nothing was built or published: {result.exception} "
            "Close it there, or wait until it ends, and run again. Reading is safe from lake/published/ at any time."
        )
    if result.exception is not None:
        raise IcpError(f"dbt could not run: {result.exception}")
    failed = [r for r in result.result.results if r.status in ("error", "fail", "runtime error")]
    lines = described(project, failed)
    if all(str(r.node.resource_type) == "test" for r in failed):
        raise GateFailed(f"{len(failed)} data test(s) of the dbt project failed; nothing was published.\n{lines}")
    raise IcpError(f"{len(failed)} dbt model(s) failed; nothing was published.\n{lines}")
