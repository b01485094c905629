"""What is deployed serves every project: no flow on a schedule presumes an ICP called main."""

from __future__ import annotations

import importlib
import inspect
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from prefect.client.schemas.actions import ArtifactCreate

from flows import deploying
from flows.monitor import SomeIcpsNotWatched, artifact_key, monitor_all
from icp.config import load
from icp.errors import ConfigError
from icp.scaffold.project import init

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TWO_ICPS = """config_version: 1
company: Two lines
lake: lake
sources:
  crm:
    kind: files
    tables:
      accounts: {path: a.csv, columns: {account_id: id}}
      opportunities: {path: d.csv, columns: {opportunity_id: id, account_id: a, is_closed: c, is_won: w, created_at: o}}
icps: {north: {}, big_south: {}, new: {}}
"""


def test_scheduled_flows_ask_for_no_single_icp() -> None:
    for deployment in yaml.safe_load((ROOT / "deployments.yaml").read_text())["deployments"]:
        path, name = deployment["entrypoint"].split(":")
        flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
        if deployment.get("schedules"):
            assert "icp" not in inspect.signature(flow.fn).parameters, deployment["name"]


def test_a_scaffolded_project_has_the_flows_its_deployments_name(tmp_path: Path) -> None:
    init(tmp_path)
    deployments = yaml.safe_load((tmp_path / "deployments.yaml").read_text())["deployments"]
    named = {deployment["entrypoint"].split(":")[1] for deployment in deployments}
    own: dict[str, object] = {}
    exec((tmp_path / "flows/deployed.py").read_text(), own)
    assert named <= set(own)


def test_prefect_takes_the_key_of_any_icp() -> None:
    assert ArtifactCreate(key=artifact_key("big_south")).key == "icp-big-south-drift"


def test_every_published_icp_is_watched_though_one_fails(tmp_path: Path) -> None:
    (tmp_path / "icp.yml").write_text(TWO_ICPS)
    settings = load(tmp_path)
    with pytest.raises(ConfigError, match="No ICP has been published yet"):
        monitor_all(settings, as_of=NOW)
    for icp in ("north", "big_south"):  # published, never approved: there is nothing in force to watch
        revision = tmp_path / "lake/published" / icp / "2025Q1/r1"
        revision.mkdir(parents=True)
        (revision / "manifest.json").write_text("{}")
    with pytest.raises(SomeIcpsNotWatched) as failure:
        monitor_all(settings, as_of=NOW)
    assert failure.value.exit_code == 2
    assert "2 of 2 ICPs" in str(failure.value)
    assert "north (exit 2)" in str(failure.value) and "big_south (exit 2)" in str(failure.value)


@pytest.mark.parametrize(("there", "made"), [(["icp-dev", "my-icp"], True), (["icp"], False), ([], True)])
def test_the_work_pool_is_made_unless_one_of_that_very_name_is_there(
    there: list[str], made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def prefect(arguments: list[str], environment: dict[str, str], folder: Path | None = None) -> str:
        asked.append(arguments)
        return json.dumps([{"name": name} for name in there])

    (tmp_path / "icp.yml").write_text(TWO_ICPS)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setattr(deploying, "_prefect", prefect)
    deploying.deploy(load(tmp_path), ROOT, automations=False)
    assert (["work-pool", "create", "icp", "--type", "process"] in asked) == made
