"""A CRM of made-up companies and what it takes to write to it, without a lake."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.sync import Desk
from icp.config_destinations import HubSpotDestination, SalesforceDestination
from icp.config_vendors import RetrySection
from icp.destinations.destination import Room, Values, as_text
from icp.destinations.kinds import module_of
from icp.destinations.ledger import Ledger
from icp.destinations.planning import plan_changes
from icp.destinations.shelf import Shelf
from icp.fake_vendors.crm_writes import WritableCrm

COLUMNS = {
    "hubspot": ("hs_ideal_customer_profile", "icp_fit_score", "icp_version"),
    "salesforce": ("icp_tier__c", "icp_fit_score__c", "icp_version__c"),
}
RIDERS = {"hubspot": frozenset({"icp_version"}), "salesforce": frozenset({"icp_version__c"})}
NOW = datetime(2026, 10, 6, tzinfo=UTC)


def crm_of(kind: str, accounts: int, **manners: Any) -> WritableCrm:
    """Every fifth company has a tier a person gave it, every third an older score, all a name that is nobody's business."""
    tier, score, version = COLUMNS[kind]
    records = {
        str(1000 + n): {
            "name": f"Company {n}",
            tier: "tier_3" if n % 5 == 0 else None,
            score: 7.0 if n % 3 == 0 and kind == "salesforce" else "7" if n % 3 == 0 else None,
            version: None,
        }
        for n in range(accounts)
    }
    return WritableCrm(records, {*COLUMNS[kind], "name"}, **manners)


def section_of(url: str, kind: str = "hubspot", **retry: Any) -> HubSpotDestination | SalesforceDestination:
    """How the CRM at an address is configured."""
    usual = {"attempts": 8, "first_wait_seconds": 0.01, "longest_wait_seconds": 0.02, "timeout_seconds": 0.2}
    shared: dict[str, Any] = {
        "kind": kind,
        "existing": "replace",
        "retry": RetrySection(**{**usual, **retry}),
        "calls_per_10_seconds": 100_000,
    }
    if kind == "hubspot":
        return HubSpotDestination(base_url=url, token_env="FAKE_TOKEN", **shared)
    return SalesforceDestination(login_url=url, client_id_env="FAKE_ID", client_secret_env="FAKE_SECRET", **shared)


def desk_of(folder: Path, url: str, kind: str = "hubspot", **retry: Any) -> Desk:
    """The desk of a destination; `settings` is none, which only planning from the lake would need."""
    os.environ |= {"FAKE_TOKEN": "fake-token", "FAKE_ID": "fake-id", "FAKE_SECRET": "fake-secret"}
    section, ledger, shelf = section_of(url, kind, **retry), Ledger(folder), Shelf(folder / "lists")
    there = module_of(kind).opened(section, Room(ledger, shelf, lambda: NOW))
    return Desk(None, kind, section, ledger, there, shelf)  # type: ignore[arg-type]


def wanted_of(kind: str, accounts: int) -> dict[str, Values]:
    tier, score, version = COLUMNS[kind]
    return {
        str(1000 + n): {tier: f"tier_{1 + n % 3}", score: str(20 + n % 60), version: "2026Q3 r1"}
        for n in range(accounts)
    }


def planned(
    desk: Desk, name: str, wanted: dict[str, Values], crm: WritableCrm, told: dict[str, Any] | None = None
) -> dict[str, Values]:
    """Put a plan into the ledger; answers what it writes, by account."""
    kind = desk.section.kind
    holds = {a: {n: as_text(r.get(n)) for n in COLUMNS[kind]} for a, r in crm.records.items()}
    found = plan_changes(wanted, holds, desk.ledger.held(), riders=RIDERS[kind], replace=True)
    desk.ledger.add_plan(name, told or content(kind), found.rows)
    return {row.account: row.new for row in found.rows}


def content(kind: str) -> dict[str, Any]:
    return {
        "kind": "write",
        "revision": "2026Q3 r1",
        "columns": list(COLUMNS[kind]),
        "riders": list(RIDERS[kind]),
        "kept": [],
        "missing": [],
        "lacking": [],
        "remedy": "",
    }
