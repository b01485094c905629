"""The demo company's web activity pulled from the fake GA4 and PostHog instead of read from files.

Every fault of the script at several calls: is a company's day lost or doubled? And undisturbed: are the features the same?
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from benchmarks.campaigns.runner import arguments, write_table
from flows.ingest import pull_source
from flows.refresh_steps import build_features, plan_refresh
from icp.config import Settings, load
from icp.demo import create
from icp.errors import ConfigError, TryLater
from icp.fake_vendors.ga4 import service_account
from icp.fake_vendors.portal import portal_of_demo
from icp.fake_vendors.server import FAULTS, FakeVendors, Script, serving
from icp.fake_vendors.visits import Visits
from icp.lake import Lake

QUARTER = "2026Q3"
ACCOUNTS = 2000
CALLS = (1, 2, 3, 5, 8)
FAULTY_DAYS = 40
PROVENANCE = ["source_load_id", "source_row"]
SHARED = "pages: {pricing: ['/pricing*'], product: ['/product*'], content: ['/guides*']}"
SECTIONS = {
    "ga4": "property_id: 4711, company: customEvent:company_domain",
    "posthog": "project_id: 7, company: properties.$groups.company, key_events: [demo_request]",
}
COUNTS = ["visits", "page_views", "key_events", "pricing_views", "product_views", "content_views"]
NOBODY = "(no company)"


def pulled_project(
    folder: Path, kind: str, server: FakeVendors, since: str, *, page_size: int = 10_000, timeout: float = 60
) -> Settings:
    """The demo's project with its source `analytics` pulled from the server."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "icp.yml"
    retry = f"retry: {{first_wait_seconds: 0.01, longest_wait_seconds: 0.05, timeout_seconds: {timeout}}}"
    own = f"{SECTIONS[kind]}, base_url: '{server.url}', since: {since}, page_size: {page_size}, {SHARED}, {retry}"
    source = f"  analytics:\n    kind: {kind}\n    {kind}: {{{own}}}\n\n"
    text = re.sub(r"(?ms)^  analytics:\n.*?(?=^  # )", lambda _: source, file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")
    os.environ["POSTHOG_PERSONAL_API_KEY"] = server.script.token
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = json.dumps(service_account(server.url))
    return load(folder)


def land(settings: Settings, now: datetime, *, only: str | None = None, without: str | None = None) -> None:
    """Land sources without a gate; it has tests of its own."""
    lake = Lake(settings.lake)
    with lake.lock():
        for name in [only] if only else [name for name in settings.sources if name != without]:
            for staged in pull_source(settings, name, now):
                lake.accept(staged, {"results": []})


def features(files: Settings, demo: Path, folder: Path, now: datetime) -> pd.DataFrame:
    """One row per vendor: how many cells of the features differ from those made of the files."""
    ours, rows = _features(files, now), []
    portal = portal_of_demo(demo, now)
    for kind in SECTIONS:
        place = folder / kind
        shutil.copytree(files.root, place, ignore=shutil.ignore_patterns("extracts", "cache"))
        shutil.rmtree(place / "lake/landing/analytics")
        shutil.rmtree(place / "lake/landing/_loads/analytics")
        (place / "extracts").symlink_to(demo / "extracts")
        with serving(portal, Script()) as server:
            settings = pulled_project(place, kind, server, "2023-04-01")
            land(settings, now, only="analytics")
            calls = server.calls
        theirs = _features(settings, now)
        differ = ~((ours == theirs) | (ours.isna() & theirs.isna())) if ours.shape == theirs.shape else None
        web = [name for name in ours if re.search(r"visit|key_events|_views|channel", name)]
        known = int(ours[web].notna().sum().sum())
        different = ours.size if differ is None else int(differ.sum().sum())
        rows.append({"vendor": kind, "calls": calls, "rows": len(ours), "columns": ours.shape[1]}
                    | {"web_columns": len(web), "web_values": known, "cells_that_differ": different})  # fmt: skip
    return pd.DataFrame(rows)


def faults(demo: Path, folder: Path, now: datetime) -> pd.DataFrame:
    """One row per vendor and fault, over the calls it spoiled: pulls that ended, company days lost and doubled."""
    rows = []
    for kind in SECTIONS:
        for fault in FAULTS:
            told = [_spoiled(demo, folder / f"{kind}-{fault}-{call}", kind, fault, call, now) for call in CALLS]
            sums = pd.DataFrame(told).sum().astype(int).to_dict()
            rows.append({"vendor": kind, "fault": fault, **sums})
    return pd.DataFrame(rows)


def _spoiled(demo: Path, place: Path, kind: str, fault: str, call: int, now: datetime) -> dict[str, Any]:
    """A pull with one fault, then a clean one: what stands against what is served."""
    place.mkdir(parents=True)
    for file in demo.iterdir():
        if file.is_file():  # icp.yml and what it names beside the extracts
            shutil.copy(file, place)
    portal = portal_of_demo(demo, now)
    first = now.date() - timedelta(days=FAULTY_DAYS)
    recent = portal.visits.at(now)
    portal.visits = Visits(portal.visits.zone)
    portal.visits.put(recent[[day >= first for day in recent["day"]]], now - timedelta(days=1))
    with serving(portal, Script(faults={call: fault}, slow_seconds=3)) as server:
        settings = pulled_project(place, kind, server, str(first), page_size=500, timeout=2)
        ended, stopped = 1, 0
        try:
            land(settings, now, only="analytics")
        except (ConfigError, TryLater):
            ended, stopped = 0, 1
            landed_of_it = len(Lake(settings.lake).accepted_loads())
        else:
            landed_of_it = 0
        server.script.faults, server.token = {}, server.script.token
        land(settings, now + timedelta(minutes=5), only="analytics")
    served, standing = _served(portal.visits, now), _standing(settings)
    lost = sum(standing.get(key) != counts for key, counts in served.items())
    doubled = sum(key not in served for key in standing)
    return {"spoiled_pulls": 1, "ended": ended, "stopped_with_a_message": stopped, "landed_of_stopped": landed_of_it}| {
        "company_days": len(served), "lost": lost, "doubled": doubled}  # fmt: skip


def _served(visits: Visits, now: datetime) -> dict[tuple[str, Any], tuple[float, ...]]:
    names = dict(zip(("sessions", "views", "pricing", "product", "content"), COUNTS[:2] + COUNTS[3:], strict=True))
    rows = visits.at(now).rename(columns=names)
    rows = rows.assign(site=[_site(name) for name in rows["company"]])
    sums = rows.groupby(["site", "day"])[COUNTS].sum()
    return {key: tuple(map(float, values)) for key, values in zip(sums.index, sums.to_numpy(), strict=True)}


def _standing(settings: Settings) -> dict[tuple[str, Any], tuple[float, ...]]:
    newest: dict[tuple[str, Any], dict[str, Any]] = {}
    for path in Lake(settings.lake).landed_files().get("web_activity", []):
        for row in pq.read_table(path, partitioning=None).to_pylist():
            newest[row["website"], row["activity_date"]] = row
    sums: dict[tuple[str, Any], tuple[float, ...]] = {}
    for (website, day), row in newest.items():
        if row["visits"]:
            key = (NOBODY if website.startswith("(") else website, day)
            counts = tuple(row[name] for name in COUNTS)
            sums[key] = tuple(map(sum, zip(sums[key], counts, strict=True))) if key in sums else counts
    return sums


def _site(name: str) -> str:
    from icp.domains import registrable_domain

    return registrable_domain(name) or NOBODY


def _features(settings: Settings, now: datetime) -> pd.DataFrame:
    plan = plan_refresh(settings, "main", QUARTER, now)
    frame = pd.read_parquet(build_features(plan).features)
    return frame.drop(columns=[name for name in PROVENANCE if name in frame]).sort_values(
        "observation_id", ignore_index=True
    )


def main() -> None:
    """Takes no cases."""
    options = arguments(__doc__ or "", 1, ())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        create(folder / "demo", accounts=ACCOUNTS)
        settings = load(folder / "demo")
        now = settings.calendar.as_of(settings.calendar.quarter(QUARTER))
        write_table("web_faults", faults(folder / "demo", folder, now), options.results)
        land(settings, now)
        write_table("web_features", features(settings, folder / "demo", folder, now), options.results)


if __name__ == "__main__":
    main()
