"""A small web log and projects that read it over GA4 and PostHog, for the tests of those sources."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from icp.config import Settings, load
from icp.fake_vendors.ga4 import service_account
from icp.fake_vendors.portal import Portal
from icp.fake_vendors.visits import COLUMNS, Visits
from icp.lake import Lake

KEY = "phx-do-not-print-me"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIRST = date(2026, 5, 12)
DAYS = 20
DAY = timedelta(days=1)
ACCOUNTS = """\
  crm:
    kind: files
    tables:
      accounts: {path: accounts.csv, effective_at: 2026-01-01, columns: {account_id: id, website: site}}
"""
RETRY = "retry: {{attempts: 3, first_wait_seconds: 0.01, longest_wait_seconds: 0.05, timeout_seconds: {timeout}}}"
GA4 = """\
  web:
    kind: ga4
    ga4:
      property_id: 4711
      base_url: {url}
      company: customEvent:company_domain
      pages: {{pricing: ["/pricing*"], product: ["/product*"]}}
      since: 2026-05-12
      page_size: {page_size}
      days_per_report: 20
      {retry}
"""
POSTHOG = """\
  web:
    kind: posthog
    posthog:
      project_id: 7
      base_url: {url}
      company: properties.$groups.company
      key_events: [demo_request]
      pages: {{pricing: ["/pricing*"], product: ["/product*"]}}
      since: 2026-05-12
      page_size: {page_size}
      days_per_query: 20
      {retry}
"""
VENDORS = {"ga4": GA4, "posthog": POSTHOG}


def row(day: date, company: str, sessions: int = 2, **more: Any) -> dict[str, Any]:
    told = {"views": sessions * 3, "key_events": 0, "pricing": 0, "product": 0, "content": 0, "channel": "email"}
    return {"day": day, "company": company, "sessions": sessions, **told, **more}


def web_log() -> Visits:
    """Twenty days of a few companies, of somebody without a name and of an internet provider."""
    rows = []
    for number in range(DAYS):
        day = FIRST + DAY * number
        rows += [row(day, f"company{n}.com", 1 + (number + n) % 3, pricing=n % 2, product=1) for n in range(number % 5)]
        rows += [row(day, "(not set)", 4, channel="(none)"), row(day, "comcast.net", 3)]
        rows += [row(day, "www.company1.com", 1, key_events=1, channel="organic")] if number % 4 == 0 else []
    visits = Visits()
    visits.put(pd.DataFrame(rows)[COLUMNS], NOW - timedelta(days=365))
    return visits


def portal() -> Portal:
    return Portal(NOW, visits=web_log())


def project(
    folder: Path, url: str, kind: str, *, timeout: float = 5, page_size: int = 20, swap: tuple[str, str] = ("", "")
) -> Settings:
    """A project whose web activity is pulled."""
    folder.mkdir(parents=True, exist_ok=True)
    source = VENDORS[kind].format(url=url, page_size=20, retry=RETRY.format(timeout=timeout)).replace(*swap)
    return written(folder, source)


def written(folder: Path, source: str) -> Settings:
    """A project with a CRM in a file and the given source."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "accounts.csv").write_text("id,site\n1,company1.com\n", encoding="utf-8")
    head = "config_version: 1\ncompany: Acme\nsources:\n"
    (folder / "icp.yml").write_text(f"{head}{ACCOUNTS}{source}icps:\n  main: {{}}\n", encoding="utf-8")
    return load(folder)


def google_key(folder: Path, url: str) -> str:
    """The path of a key file the server at this address accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "google-key.json"
    file.write_text(json.dumps(service_account(url)), encoding="utf-8")
    return str(file)


def landed(settings: Settings, source: str = "web") -> list[dict[str, Any]]:
    """Every accepted row of the source's web activity, oldest load first."""
    loads = [load for load in Lake(settings.lake).accepted_loads() if load.source == source]
    tables = (load.tables["web_activity"].path for load in loads if "web_activity" in load.tables)
    return [row for path in tables for row in pq.read_table(settings.lake / path, partitioning=None).to_pylist()]


def standing(settings: Settings) -> dict[tuple[str, date], tuple[float, float, float, float, float]]:
    """What counts after a later row has replaced an earlier one of its key: counts by website and day."""
    newest = {(r["website"], r["activity_date"]): r for r in landed(settings)}
    names = ("visits", "page_views", "key_events", "pricing_views", "product_views")
    return {key: tuple(r[name] for name in names) for key, r in newest.items() if r["visits"]}


def served(
    visits: Visits, at: datetime = NOW, *, until: date | None = None
) -> dict[tuple[str, date], tuple[float, ...]]:
    """What the vendor holds, spelled as it should land."""
    rows = visits.at(at).copy()
    rows = rows[rows["day"] <= (until or at.date() - DAY)]
    rows["company"] = rows["company"].str.removeprefix("www.").replace("comcast.net", "(no company domain)")
    names = ["sessions", "views", "key_events", "pricing", "product"]
    sums = rows.groupby(["company", "day"])[names].sum()
    return {key: tuple(float(v) for v in values) for key, values in zip(sums.index, sums.to_numpy(), strict=True)}
