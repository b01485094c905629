"""A small demo company pulled from a server that speaks HubSpot and BuiltWith, or Salesforce, gives the ICP of its files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from flows.demo_vendors import land_through_vendors, use_builtwith, use_hubspot, use_salesforce
from flows.ingest import pull_source
from flows.refresh import refresh
from flows.refresh_steps import build_features, derive_profile, plan_refresh, read_features
from icp.config import Settings, load
from icp.demo import create
from icp.derive import points_table
from icp.errors import TryLater
from icp.lake import Lake
from icp.publication import write_candidate
from icp.scoring import compile_scoring_sql
from icp.sources.failures import keep_failure

QUARTER = "2026Q3"
SAME_BYTES = ("points.parquet", "profile.yml", "scoring.sql")
PROVENANCE = ["source_load_id", "source_row"]  # where a row came from is the one thing that must differ


@pytest.fixture(scope="module")
def from_files(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("demo") / "files"
    create(folder, accounts=2000)
    settings = load(folder)
    lake = Lake(settings.lake)
    with lake.lock():
        for source in settings.sources:
            for staged in pull_source(settings, source, _now(settings)):
                lake.accept(staged, {})
    return settings


@pytest.fixture(scope="module")
def ours(from_files: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ours")
    derived_from(from_files, folder)
    return folder


def test_vendors_publish_the_icp_of_the_files(ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HUBSPOT_TOKEN", "BUILTWITH_KEY"):
        monkeypatch.delenv(name, raising=False)
    vendors = tmp_path / "vendors"
    create(vendors, accounts=2000)
    use_hubspot(vendors)
    use_builtwith(vendors)
    from_vendors = load(vendors)
    assert "people" not in from_vendors.sources
    now = _now(from_vendors)
    land_through_vendors(from_vendors, now, gated=False, lookups=2)
    assert from_vendors.sources["technographics"].kind == "builtwith"

    # the CRM fails after its last day: whether that may be is the company's to say, and the reader is told
    keep_failure(from_vendors.lake, "crm", "HubSpot is down.", now)
    crm = from_vendors.sources["crm"]
    strict = replace(
        from_vendors, sources={**from_vendors.sources, "crm": crm.model_copy(update={"may_be_stale_days": 0})}
    )
    with pytest.raises(TryLater, match=r"source crm was last read whole on .*may_be_stale_days"):
        published(strict)

    theirs = published(from_vendors)
    [line] = json.loads((theirs / "manifest.json").read_text())["stale"]
    assert line.startswith("stale: accounts, opportunities, contacts.")
    assert "The source crm was last read whole on" in (theirs / "report.html").read_text()

    assert len(pd.read_parquet(ours / "points.parquet")) > 3
    assert [name for name in SAME_BYTES if (ours / name).read_bytes() != (theirs / name).read_bytes()] == []
    assert_same_features(ours, theirs)


def test_salesforce_gives_the_features_of_the_files(
    ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    create(tmp_path / "org", accounts=2000)
    use_salesforce(tmp_path / "org")
    settings = load(tmp_path / "org")
    land_through_vendors(settings, _now(settings), gated=False)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    plan = plan_refresh(settings, "main", QUARTER, _now(settings))
    read_features(plan, theirs, build_features(plan))
    # the profile is a function of these and of what icp.yml says about ICPs, which is the same
    assert_same_features(ours, theirs)


def assert_same_features(ours: Path, theirs: Path) -> None:
    left, right = (pd.read_parquet(side / "features.parquet").drop(columns=PROVENANCE) for side in (ours, theirs))
    assert len(left) > 1000
    pd.testing.assert_frame_equal(left, right, check_exact=True)


def _now(settings: Settings) -> datetime:
    return settings.calendar.as_of(settings.calendar.quarter(QUARTER))


def derived_from(settings: Settings, folder: Path) -> None:
    """What the scores are made from, without making them: equal points on equal features score equally."""
    plan = plan_refresh(settings, "main", QUARTER, settings.calendar.as_of(settings.calendar.quarter(QUARTER)))
    assert plan.stale == ()
    features = read_features(plan, folder, build_features(plan))
    profile = derive_profile(plan, features).profile
    sql = compile_scoring_sql(profile, relation="account_features")
    write_candidate(folder, profile=profile, points=points_table(profile), scoring_sql=sql)


def published(settings: Settings) -> Path:
    now = settings.calendar.as_of(settings.calendar.quarter(QUARTER))
    revision = refresh(settings, icp="main", quarter=QUARTER, now=now).revision
    assert revision is not None
    return revision
