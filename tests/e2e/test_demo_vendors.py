"""A small demo company pulled from the server that speaks HubSpot has the same features as from its files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flows.demo_vendors import land_through_hubspot, use_hubspot
from flows.ingest import pull_source
from flows.refresh_steps import Features, build_features, plan_refresh, working_folder
from icp.config import Settings, load
from icp.demo import create
from icp.lake import Lake

QUARTER = "2024Q4"
PROVENANCE = ["source_load_id"]


def test_hubspot_gives_the_features_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, vendors = tmp_path / "files", tmp_path / "vendors"
    for folder in (files, vendors):
        create(folder, accounts=1500)
    use_hubspot(vendors)
    from_files = load(files)
    lake = Lake(from_files.lake)
    now = from_files.calendar.as_of(from_files.calendar.quarter("2026Q3"))
    with lake.lock():
        for source in from_files.sources:
            for staged in pull_source(from_files, source, now):
                lake.accept(staged, {})
    from_vendors = load(vendors)
    land_through_hubspot(from_vendors, now, gated=False)

    ours, theirs = features(from_files), features(from_vendors)
    for name in ("labels", "universe"):
        # Which load a row came from is the one thing that must differ.
        left, right = (getattr(side, name).drop(columns=PROVENANCE) for side in (ours, theirs))
        assert len(left) > 100
        pd.testing.assert_frame_equal(left, right, check_exact=True, obj=name)


def features(settings: Settings) -> Features:
    now = settings.calendar.as_of(settings.calendar.quarter("2026Q3"))
    plan = plan_refresh(settings, "main", QUARTER, now)
    with working_folder(plan) as working:
        return build_features(plan, working)
