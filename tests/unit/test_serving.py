"""One process instead of server-side workers: the same flows, schedules and project as deployments.yaml says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows.deploying import deploy, served
from icp import config
from icp.config import Settings
from icp.errors import ConfigError, TryLater
from icp.scaffold.project import init

ROOT = Path(__file__).parents[2]
PROJECT = """config_version: 1
company: Lumenworks
sources:
  crm: {kind: files, tables: {accounts: {path: a.csv, columns: {account_id: id}}}}
icps: {main: {}}
"""


def project(folder: Path) -> Settings:
    (folder / "icp.yml").write_text(PROJECT)
    return config.load(folder, {})


def test_everything_deployed_is_served_with_its_schedule(tmp_path: Path) -> None:
    settings = project(tmp_path)
    wanted = yaml.safe_load((ROOT / "deployments.yaml").read_text())["deployments"]
    found = {deployment.name: deployment for deployment in served(settings, ROOT)}
    assert set(found) == {entry["name"] for entry in wanted}
    for entry in wanted:
        own = found[entry["name"]]
        assert own.parameters == {**entry["parameters"], "project": str(settings.path)}
        crons = [(s.schedule.cron, s.schedule.timezone) for s in own.schedules]
        assert crons == [(s["cron"], s["timezone"]) for s in entry.get("schedules", ())]


def test_a_project_of_its_own_is_served_from_its_own_flows(tmp_path: Path) -> None:
    init(tmp_path)
    found = served(config.load(tmp_path, {}), tmp_path)
    assert {deployment.name for deployment in found} == {"daily", "quarterly", "weekly", "approval"}


def test_what_is_missing_to_deploy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = project(tmp_path)
    with pytest.raises(ConfigError, match=r"no deployments\.yaml in .*`icp init` lays one down"):
        served(settings, tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(ConfigError, match="PREFECT_API_URL names no server"):
        deploy(settings, ROOT, automations=False)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    with pytest.raises(TryLater, match=r"failed on http://127\.0\.0\.1:9/api"):
        deploy(settings, ROOT, automations=False)
