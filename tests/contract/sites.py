"""Companies with sites, what vendors saw on them, and a project that looks them up, for the tests of the lookups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from icp.config import Settings, load
from icp.errors import IcpError
from icp.fake_vendors.portal import Portal
from icp.fake_vendors.technographics import Sighting, Technographics
from icp.lake import Lake
from icp.sources import domain_lookup, files

KEY = "00000000-do-not-print-me"
DAY = datetime(2026, 6, 10, 12, tzinfo=UTC)
COMPANIES = 40
SOURCE = {"builtwith": "BUILTWITH_KEY", "wappalyzer": "WAPPALYZER_KEY"}


def portal(companies: int = COMPANIES) -> Portal:
    """Each company has Kubernetes on two hosts and one technology of its own; every tenth site is unknown."""
    made = Technographics()
    for number in range(companies):
        if number % 10 != 9:
            host = f"company{number}.com"
            made.see(sighting(host, "Kubernetes", first=900, last=40))
            made.see(sighting(f"shop.{host}", "Kubernetes", first=1200, last=90))
            made.see(sighting(host, f"Tool {number}", first=100 + number, last=3))
    return Portal(DAY, technographics=made)


def sighting(host: str, technology: str, *, first: int, last: int, at: datetime = DAY) -> Sighting:
    """A technology seen from so many days before to so many days before."""
    return Sighting(
        datetime(1970, 1, 1, tzinfo=UTC),
        host,
        technology,
        "Tools",
        at - timedelta(days=first),
        at - timedelta(days=last),
    )


def project(folder: Path, kind: str, url: str, *, budget: int = 1000, extra: str = "", timeout: float = 5) -> Settings:
    """Accounts in a file, of which some have deals, and a source that looks up their technologies."""
    folder.mkdir(parents=True, exist_ok=True)
    accounts = [f"{n},Company {n},https://www.company{n}.com/,2026-05-01" for n in range(COMPANIES)]
    (folder / "accounts.csv").write_text("id,name,site,changed\n" + "\n".join(accounts) + "\n", encoding="utf-8")
    deals = [f"d{n},{30 + n},2026-0{n + 1}-05,2026-0{n + 1}-20" for n in range(5)]
    (folder / "deals.csv").write_text("id,account,created,closed\n" + "\n".join(deals) + "\n", encoding="utf-8")
    (folder / "icp.yml").write_text(
        f"""\
config_version: 1
company: Acme
sources:
  technographics:
    kind: {kind}
    {kind}:
      base_url: {url}
      monthly_credits: {budget}
      domains_per_call: 8
      calls_per_second: 0
      retry: {{attempts: 3, first_wait_seconds: 0.01, longest_wait_seconds: 0.05, timeout_seconds: {timeout}}}
{extra}
  crm:
    kind: files
    tables:
      accounts:
        path: accounts.csv
        effective_at: 2026-05-31
        columns: {{account_id: id, account_name: name, website: site, modified_at: changed}}
      opportunities:
        path: deals.csv
        effective_at: 2026-05-31
        columns: {{opportunity_id: id, account_id: account, created_at: created, closed_at: closed, is_won: {{value: true}},
                  is_closed: {{value: true}}}}
""",
        encoding="utf-8",
    )
    return load(folder)


def with_accounts(settings: Settings) -> Settings:
    """The project after its accounts have landed, ungated."""
    lake = Lake(settings.lake)
    with lake.lock():
        for staged in files.pull(settings, "crm", lake, extracted_at=DAY):
            lake.accept(staged, {})
    return settings


def looked_up(settings: Settings, at: datetime = DAY) -> int:
    """One pull without its gate; the rows it landed."""
    lake = Lake(settings.lake)
    with lake.lock():
        try:
            loads = list(domain_lookup.pull(settings, "technographics", lake, extracted_at=at))
        except IcpError as problem:
            for staged in problem.staged:
                lake.accept(staged, {})
            raise
        return sum(table.rows for staged in loads for table in lake.accept(staged, {}).tables.values())


def landed(settings: Settings) -> list[dict[str, Any]]:
    """Every accepted row of the technologies, oldest load first."""
    files = Lake(settings.lake).landed_files().get("technologies", [])
    return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
