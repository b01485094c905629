"""A small HubSpot portal and a project that pulls it, for the tests of the source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from icp.config import Settings, load
from icp.fake_vendors.portal import Portal
from icp.lake import Lake

TOKEN = "pat-na1-do-not-print-me"
PERSON = "jane.doe"
DAY = datetime(2026, 6, 1, 12, tzinfo=UTC)
COMPANIES, DEALS = 25, 12


def portal() -> Portal:
    """25 companies (one archived, one the survivor of a merge) and 12 deals, some without a company."""
    made = Portal(DAY)
    for number in range(COMPANIES):
        made.put("companies", company(1000 + number, archived=number == 3, merged="77;78" if number == 5 else None))
    for number in range(DEALS):
        made.put("deals", deal(500 + number, company_id=None if number % 4 == 0 else 1000 + number))
    return made


def company(number: int, *, archived: bool = False, merged: str | None = None, at: datetime = DAY) -> dict[str, Any]:
    stamp = (at - timedelta(days=2)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    properties = {
        "hs_object_id": str(number),
        "name": f"Company {number} ({PERSON}@company{number}.com)",
        "domain": f"company{number}.com",
        "industry": "SOFTWARE",
        "numberofemployees": str(number),
        "annualrevenue": None,
        "country": "Germany",
        "state": None,
        "city": "Berlin",
        "lifecyclestage": "lead",
        "hs_merged_object_ids": merged,
        "private_note": "never asked for",
        "createdate": "2024-01-10T10:36:45Z",
        "hs_lastmodifieddate": stamp,
    }
    gone = {"archivedAt": stamp} if archived else {}
    return {"id": str(number), "properties": properties, "archived": archived, **gone}


def deal(number: int, *, company_id: int | None, amount: str = "1200.50", at: datetime = DAY) -> dict[str, Any]:
    stamp = (at - timedelta(days=2)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    linked = [{"id": str(company_id), "type": "deal_to_company"}] if company_id else []
    properties = {
        "hs_object_id": str(number),
        "dealname": f"Deal {number}",
        "dealstage": "closedwon",
        "dealtype": "newbusiness",
        "hs_is_closed": "true",
        "hs_is_closed_won": "true" if number % 2 else "false",
        "amount": amount,
        "deal_currency_code": "USD",
        "createdate": "2025-01-10T10:36:45.000Z",
        "closedate": "2025-03-10T10:36:45.000Z",
        "hs_lastmodifieddate": stamp,
    }
    return {
        "id": str(number),
        "properties": properties,
        "archived": False,
        "associations": {"companies": {"results": linked}},
    }


def project(folder: Path, url: str, *, extra: str = "", api_version: str = "2026-03", timeout: float = 5) -> Settings:
    """A project with one HubSpot source under its usual mapping."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "icp.yml").write_text(
        f"""\
config_version: 1
company: Acme
sources:
  crm:
    kind: hubspot
    hubspot:
      base_url: {url}
      api_version: "{api_version}"
      page_size: 10
      retry: {{attempts: 3, first_wait_seconds: 0.01, longest_wait_seconds: 0.05, timeout_seconds: {timeout}}}
{extra}
icps:
  main: {{}}
""",
        encoding="utf-8",
    )
    return load(folder)


def landed(settings: Settings, table: str) -> list[dict[str, Any]]:
    """Every accepted row of a table, oldest load first, without what differs from pull to pull."""
    files = Lake(settings.lake).landed_files().get(table, [])
    rows = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
    varying = {"_load_id", "_effective_at", "_extracted_at"}
    return [{name: value for name, value in row.items() if name not in varying} for row in rows]
