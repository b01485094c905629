"""Every call of a pull spoiled once by every fault of the script, for each vendor and way to read: rows lost and doubled."""

from __future__ import annotations

import logging
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from benchmarks.campaigns.runner import arguments, write_table
from benchmarks.portals import TOKEN, made_portal, project, salesforce_project
from icp.config import Settings
from icp.errors import ConfigError, TryLater
from icp.fake_vendors import salesforce as salesforce_protocol
from icp.fake_vendors.portal import Portal
from icp.fake_vendors.server import FAULTS, Script, serving
from icp.lake import Lake
from icp.sources.kinds import module_of

DAY = datetime(2026, 6, 1, tzinfo=UTC)
COMPANIES = 60
OAUTH = "oauth: {client_id_env: HUBSPOT_APP, client_secret_env: HUBSPOT_APP, refresh_token_env: HUBSPOT_APP}"
WAYS = {"hubspot": OAUTH, "salesforce_rest": "bulk_above: 1000", "salesforce_bulk": "bulk_above: 0"}
RETRY = "retry: {attempts: 4, first_wait_seconds: 0.002, longest_wait_seconds: 0.01, timeout_seconds: 0.2}"
VARYING = ["_load_id", "_effective_at", "_extracted_at"]
Rows = Counter[tuple[str, str, str, str]]


def campaign(positions: int, ways: Sequence[str] = tuple(WAYS)) -> pd.DataFrame:
    """One row per way and fault: calls spoiled, pulls that ended in an error (then repeated), rows lost and doubled."""
    rows = []
    for way in ways:
        section = WAYS[way]
        faults = FAULTS if way == "hubspot" else (*FAULTS, *salesforce_protocol.FAULTS)
        for fault in faults:
            if way == "salesforce_rest" and fault.startswith("job_"):
                continue
            outcomes = [_spoiled(way, section, fault, call) for call in range(1, positions + 1)]
            spoiled = [outcome for outcome in outcomes if outcome is not None]
            rows.append({"way": way, "fault": fault, **pd.DataFrame(spoiled).sum().to_dict()})
    return pd.DataFrame(rows)


def _spoiled(way: str, section: str, fault: str, call: int) -> dict[str, int] | None:
    """A pull with that call spoiled, repeated when it stopped, and a pull of what changed meanwhile; None without that call.

    An undisturbed project on the same portal tells what must have landed.
    """
    script = Script(token=TOKEN, calls_per_interval=10**9, slow_seconds=0.3)
    script.salesforce.rest_page = 25
    with tempfile.TemporaryDirectory() as folder, serving(_portal(), script) as server:
        spoiled, clean = (_project(way, section, Path(folder) / name, server.url) for name in ("spoiled", "clean"))
        script.faults = {call: fault}
        stopped = _pulled(spoiled, DAY)
        if server.calls < call:
            return None
        script.faults = {}
        stopped += stopped and _pulled(spoiled, DAY)
        _pulled(clean, DAY)
        server.portal.now = later = DAY + timedelta(days=1)
        for settings in (spoiled, clean):
            _pulled(settings, later)
        ours, theirs = _rows(spoiled), _rows(clean)
    merged, wanted = _merged(ours), _merged(theirs)
    lost = sum(merged.get(key) != row for key, row in wanted.items()) + len(merged.keys() - wanted.keys())
    doubled = ours.total() - len(ours)
    return {"pulls": 1, "stopped": stopped, "rows": len(wanted), "rows_lost": lost, "rows_doubled": doubled}


def _portal() -> Portal:
    """Companies and deals, a tenth of them changed a day later, some of those twice."""
    portal = made_portal(COMPANIES, DAY, others=30)
    for number in range(1, COMPANIES + 1, 7):
        record = portal.versions["companies"][number][0][1]
        for hours in (5, 9) if number % 2 else (5,):
            at = DAY + timedelta(hours=hours)
            stamp = {"hs_lastmodifieddate": at.isoformat(), "numberofemployees": str(hours)}
            portal.put("companies", {**record, "properties": {**record["properties"], **stamp}}, at)
    return portal


def _project(way: str, section: str, folder: Path, url: str) -> Settings:
    if way == "hubspot":
        return project(folder, url, ("accounts", "opportunities"), section=f"page_size: 25, {section}, {RETRY}")
    return salesforce_project(folder, url, section=f"{section}, bulk_page_rows: 25, poll_seconds: 0.001, {RETRY}")


def _pulled(settings: Settings, at: datetime) -> int:
    """Pull and accept; 1 when the pull stopped."""
    lake = Lake(settings.lake)
    try:
        with lake.lock():
            for staged in module_of(settings.source("crm").kind).pull(settings, "crm", lake, extracted_at=at):
                lake.accept(staged, {})
    except (TryLater, ConfigError):
        return 1
    return 0


def _rows(settings: Settings) -> Rows:
    """Every landed row: table, key, stamp, and all its values."""
    found: Rows = Counter()
    for table, files in Lake(settings.lake).landed_files().items():
        for file in files:
            frame = pd.read_parquet(file, partitioning=None).drop(columns=[*VARYING, "_row"])
            for row in frame.to_dict("records"):
                key = row["account_id"] if table == "accounts" else row["opportunity_id"]
                found[table, key, str(row["modified_at"]), str(sorted(row.items()))] += 1
    return found


def _merged(rows: Rows) -> dict[tuple[str, str], tuple[str, str]]:
    """By table and key the newest version, as staging takes it."""
    return {(table, key): (stamp, values) for table, key, stamp, values in sorted(rows)}


def main() -> None:
    """`--runs` calls of a pull are spoiled, from its first on; `--cases` names ways to read."""
    options = arguments(__doc__ or "", 16, tuple(WAYS))
    logging.getLogger("icp.sources").setLevel(logging.ERROR)  # every repeated call would say so
    app = {"SALESFORCE_CLIENT_ID": "fake-client", "SALESFORCE_CLIENT_SECRET": "fake-secret"}
    os.environ.update({"HUBSPOT_APP": TOKEN, **app})
    write_table("vendor_faults", campaign(options.runs, options.cases or tuple(WAYS)), options.results)


if __name__ == "__main__":
    main()
