"""Every call of a look-up spoiled once by every fault of the script, at BuiltWith and Wappalyzer: rows and credits lost."""

from __future__ import annotations

import logging
import os
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from benchmarks.campaigns.runner import arguments, write_table
from icp.config import Settings, load
from icp.errors import ConfigError, TryLater
from icp.fake_vendors.portal import Portal
from icp.fake_vendors.server import FAULTS, FakeVendors, Script, serving
from icp.fake_vendors.technographics import Sighting, Technographics
from icp.lake import Lake
from icp.sources import domain_lookup, files
from icp.sources.lookup_ledger import spent_by_month

DAY = datetime(2026, 6, 1, tzinfo=UTC)
COMPANIES, A_CALL = 40, 8
KEYS = {"builtwith": "BUILTWITH_KEY", "wappalyzer": "WAPPALYZER_KEY"}
KEY = "campaign"


def campaign(positions: int, kinds: tuple[str, ...]) -> pd.DataFrame:
    """One row per vendor and fault, summed over the calls it spoiled."""
    rows = []
    for kind in kinds:
        for fault in FAULTS:
            told = [_spoiled(kind, fault, call) for call in range(1, positions + 1)]
            rows.append({"vendor": kind, "fault": fault, **pd.DataFrame(told).sum().to_dict()})
    return pd.DataFrame(rows)


def _spoiled(kind: str, fault: str, call: int) -> dict[str, int]:
    """A pull with that call spoiled, and one a day later with a key that is good again."""
    held = _portal()
    script = Script(token=KEY, faults={call: fault}, slow_seconds=0.3)
    with tempfile.TemporaryDirectory() as folder, serving(held, script) as server:
        settings = _project(Path(folder), kind, server.url)
        _land(settings, "crm", DAY)
        stopped = _land(settings, "technographics", DAY)
        _mend(server)
        _land(settings, "technographics", DAY + timedelta(days=1))
        landed = _rows(settings)
        credits = sum(spent_by_month(settings.lake / "source_state/technographics").values())
    wanted = {(s.host, s.technology) for seen in held.technographics.sightings.values() for s in seen}
    asked = Counter(held.technographics.asked)
    return {
        "pulls": 1,
        "stopped": stopped,
        "rows": len(wanted),
        "rows_lost": len(wanted - landed.keys()),
        "rows_doubled": landed.total() - len(landed),
        "credits_charged": held.technographics.charged,
        "credits_not_counted": held.technographics.charged - credits,
        "domains_asked_twice": sum(times > 1 for times in asked.values()),
    }


def _portal() -> Portal:
    seen = Technographics()
    for number in range(COMPANIES):
        host = f"company{number}.com"
        for technology in ("Kubernetes", f"Tool {number}"):
            last = DAY - timedelta(days=3)
            seen.see(Sighting(datetime(1970, 1, 1, tzinfo=UTC), host, technology, "Tools", last - timedelta(90), last))
    return Portal(DAY, technographics=seen)


def _project(folder: Path, kind: str, url: str) -> Settings:
    rows = "".join(f"{n},company{n}.com\n" for n in range(COMPANIES))
    (folder / "accounts.csv").write_text(f"id,site\n{rows}", encoding="utf-8")
    retry = "{attempts: 3, first_wait_seconds: 0.01, longest_wait_seconds: 0.05, timeout_seconds: 0.2}"
    own = f"base_url: '{url}', monthly_credits: 1000, domains_per_call: {A_CALL}, calls_per_second: 0, retry: {retry}"
    table = "{path: accounts.csv, effective_at: 2026-05-31, columns: {account_id: id, website: site}}"
    (folder / "icp.yml").write_text(
        f"config_version: 1\ncompany: Acme\nsources:\n  technographics: {{kind: {kind}, {kind}: {{{own}}}}}\n"
        f"  crm: {{kind: files, tables: {{accounts: {table}}}}}\nicps: {{main: {{}}}}\n",
        encoding="utf-8",
    )
    return load(folder)


def _land(settings: Settings, source: str, at: datetime) -> int:
    """Pull and accept, what was paid for before a stop too; 1 when the pull stopped."""
    lake, module = Lake(settings.lake), files if source == "crm" else domain_lookup
    with lake.lock():
        staged, stopped = [], 0
        try:
            staged = list(module.pull(settings, source, lake, extracted_at=at))
        except (ConfigError, TryLater) as problem:
            staged, stopped = list(problem.staged), 1
        for each in staged:
            lake.accept(each, {})
    return stopped


def _mend(server: FakeVendors) -> None:
    server.script.faults, server.token = {}, KEY


def _rows(settings: Settings) -> Counter[tuple[str, str]]:
    """Landed rows by company and technology."""
    paths = Lake(settings.lake).landed_files().get("technologies", [])
    frames = [pd.read_parquet(path, columns=["website", "technology"], partitioning=None) for path in paths]
    return Counter(row for frame in frames for row in frame.itertuples(index=False, name=None))


def main() -> None:
    """`--runs` calls of a pull are spoiled, from its first on; `--cases` names vendors."""
    options = arguments(__doc__ or "", COMPANIES // A_CALL, tuple(KEYS))
    logging.getLogger("icp.sources").setLevel(logging.ERROR)  # every repeated call would say so
    os.environ.update(dict.fromkeys(KEYS.values(), KEY))
    write_table("lookup_faults", campaign(options.runs, tuple(options.cases)), options.results)


if __name__ == "__main__":
    main()
