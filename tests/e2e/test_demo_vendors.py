"""A small demo company pulled from the server that speaks HubSpot and BuiltWith publishes the ICP of its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from flows.demo_vendors import land_through_vendors, use_builtwith, use_hubspot
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


def test_vendors_publish_the_icp_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HUBSPOT_TOKEN", "BUILTWITH_KEY"):
        monkeypatch.delenv(name, raising=False)
    files, vendors = tmp_path / "files", tmp_path / "vendors"
    for folder in (files, vendors):
        create(folder, accounts=2000)
    use_hubspot(vendors)
    use_builtwith(vendors)
    from_files = load(files)
    lake = Lake(from_files.lake)
    now = from_files.calendar.as_of(from_files.calendar.quarter(QUARTER))
    with lake.lock():
        for source in from_files.sources:
            for staged in pull_source(from_files, source, now):
                lake.accept(staged, {})
    from_vendors = load(vendors)
    assert "people" not in from_vendors.sources
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

    ours = tmp_path / "ours"
    ours.mkdir()
    derived_from(from_files, ours)
    assert len(pd.read_parquet(ours / "points.parquet")) > 3
    assert [name for name in SAME_BYTES if (ours / name).read_bytes() != (theirs / name).read_bytes()] == []
    left, right = (pd.read_parquet(side / "features.parquet").drop(columns=PROVENANCE) for side in (ours, theirs))
    assert len(left) > 1000
    pd.testing.assert_frame_equal(left, right, check_exact=True)


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
