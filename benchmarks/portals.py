"""HubSpot portals of any size for the campaigns about pulling, and a project that pulls from one."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from icp.config import Settings, load
from icp.fake_vendors.portal import Portal

TOKEN = "campaign"
COUNTRIES, INDUSTRIES = ("Germany", "France", "United States"), ("SOFTWARE", "RETAIL", "BANKING", None)


def made_portal(companies: int, day: datetime, *, others: int | None = None) -> Portal:
    """Companies, and `others` deals and contacts each (a tenth as many where it is not said)."""
    portal = Portal(day)
    stamp = (day - timedelta(days=2)).isoformat().replace("+00:00", "Z")
    for number in range(1, companies + 1):
        portal.put("companies", _record(number, {**_company(number), "hs_lastmodifieddate": stamp}))
    for number in range(1, (companies // 10 if others is None else others) + 1):
        deal = {"dealname": f"Deal {number}", "dealstage": "closedwon", "hs_is_closed": "true", "amount": str(number)}
        linked = {"associations": {"companies": {"results": [{"id": str(number * 7)}]}}}
        portal.put("deals", {**_record(number, {**deal, **DEAL, "hs_lastmodifieddate": stamp}), **linked})
        contact = {"associatedcompanyid": str(number * 3), "hs_role": "finance", "hs_seniority": "director"}
        portal.put("contacts", _record(number, {**contact, "hs_buying_role": None, "lastmodifieddate": stamp}))
    return portal


DEAL = {"hs_is_closed_won": "true", "dealtype": None, "closedate": "2025-03-01T00:00:00Z", "deal_currency_code": "USD"}


def _company(number: int) -> dict[str, Any]:
    return {
        "name": f"Company {number}",
        "domain": f"company{number}.com",
        "industry": INDUSTRIES[number % 4],
        "numberofemployees": str(number % 5000),
        "annualrevenue": str(number * 1000) if number % 3 else None,
        "country": COUNTRIES[number % 3],
        "state": None,
        "city": f"City {number % 400}",
        "lifecyclestage": "lead",
        "hs_merged_object_ids": None,
    }


def _record(number: int, properties: dict[str, Any]) -> dict[str, Any]:
    own = {"hs_object_id": str(number), "createdate": "2024-01-10T10:36:45Z"}
    return {"id": str(number), "properties": {**own, **properties}, "archived": False}


def project(
    folder: Path,
    url: str,
    tables: tuple[str, ...] = ("accounts", "opportunities", "contacts"),
    *,
    section: str = "",
) -> Settings:
    """A project whose only source is the server at `url`, as HubSpot."""
    return _project(folder, "hubspot", f"base_url: '{url}'{', ' if section else ''}{section}", tables)


def salesforce_project(folder: Path, url: str, *, section: str) -> Settings:
    """The same as a Salesforce org."""
    return _project(folder, "salesforce", f"login_url: '{url}', {section}", ("accounts", "opportunities"))


def _project(folder: Path, kind: str, section: str, tables: tuple[str, ...]) -> Settings:
    folder.mkdir(parents=True, exist_ok=True)
    named = "".join(f"\n      {table}: {{}}" for table in tables)
    text = (
        f"config_version: 1\ncompany: Acme\nsources:\n  crm:\n    kind: {kind}\n    {kind}: {{{section}}}\n"
        f"    tables:{named}\nicps:\n  main: {{}}\n"
    )
    (folder / "icp.yml").write_text(text, encoding="utf-8")
    return load(folder)
