"""The demo company pulled over vendors' protocols instead of read from files: the same ICP must come out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icp.config import Settings

PROPERTY = re.compile(r"properties\.(\w+)")
LINES_OF_FILES = ("path", "effective_at", "date_format")
OVERLAP = 1440
"""Minutes two pulls overlap: entries of the made-up past are dated up to 14 hours before their extract was taken."""
PEOPLE = "\n      contacts: {}"
SALESFORCE_PEOPLE = """
      contacts:
        columns:
          contact_id: External_Id__c
          account_id: Account.External_Id__c
          buying_role: Hs_Buying_Role__c
          seniority: Hs_Seniority__c"""
LINKED = {
    "associations.companies.results[0].id": "Account.External_Id__c",
    "properties.parent_company_id": "Parent.External_Id__c",
    "properties.merged_into_id": "MasterRecord.External_Id__c",
}
"""Invoices, visits and answers of the demo name companies by their id in the CRM, which a Salesforce org keeps in a field of
its own: so do its accounts then, and what leads to them."""


def use_hubspot(directory: Path) -> None:
    """Make the demo's `crm` source one that is pulled: the mapping stays, the files go; contacts come from there too."""
    _use(directory, f"hubspot\n    hubspot: {{overlap_minutes: {OVERLAP}}}", lambda crm: crm + PEOPLE)


def use_salesforce(directory: Path) -> None:
    """Make the demo's `crm` source a Salesforce org that has a field for everything the demo's CRM has."""
    section = (
        f"salesforce\n    salesforce: {{login_url: 'http://127.0.0.1', overlap_minutes: {OVERLAP}, bulk_above: 500}}"
    )
    _use(directory, section, lambda crm: _as_salesforce(crm) + SALESFORCE_PEOPLE)


def _use(directory: Path, kind: str, mapped: Callable[[str], str]) -> None:
    file = directory / "icp.yml"
    text = file.read_text(encoding="utf-8")
    head, crm, rest = re.split(r"(?ms)^(  crm:\n.*?)(?=^  # Invoices)", text, maxsplit=1)
    if "kind: files" not in crm:
        return
    lines = [line for line in crm.splitlines() if line.strip().partition(":")[0] not in LINES_OF_FILES]
    crm = mapped("\n".join(lines)).replace("    kind: files", f"    kind: {kind}") + "\n\n"
    rest = re.sub(r"(?ms)^  # Contacts, cut down.*?(?=^  # )", "", rest)
    file.write_text(head + crm + rest, encoding="utf-8")


def _as_salesforce(crm: str) -> str:
    """The mapping with the fields of a Salesforce org instead of HubSpot's properties."""
    from icp.fake_vendors.org import STANDARD

    parts = re.split(r"(?m)^(?=      (?:accounts|opportunities):)", crm)
    for part, sobject in ((1, "Account"), (2, "Opportunity")):
        fields = {prop: name for name, (prop, _) in STANDARD[sobject].items() if prop}
        text = parts[part]
        for path, linked in LINKED.items():
            text = text.replace(f"'{path}'", linked).replace(path, linked)
        text = re.sub(r"(?m)(_id: )id$", r"\1External_Id__c", text)
        text = re.sub(r"(?m): archived$", ": IsDeleted", text)
        text = text.replace("properties.hs_lastmodifieddate", "SystemModstamp")
        parts[part] = PROPERTY.sub(partial(_field, fields), text)
    return "".join(parts)


def _field(fields: Mapping[str, str], found: re.Match[str]) -> str:
    """The field of a HubSpot property: the standard one, or one of the org's own."""
    from icp.fake_vendors.org import custom_name

    return fields.get(found[1]) or custom_name(found[1])


def use_builtwith(directory: Path) -> None:
    """Make the demo's `technographics` source one that looks companies up; answers are good for less than a quarter."""
    file = directory / "icp.yml"
    text = file.read_text(encoding="utf-8")
    pulled = (
        "  technographics:\n    kind: builtwith\n"
        "    builtwith: {monthly_credits: 1000000, refresh_days: 60, calls_per_second: 0}\n\n"
    )
    file.write_text(re.sub(r"(?ms)^  technographics:\n.*?(?=^  # )", pulled, text), encoding="utf-8")


def land_through_vendors(settings: Settings, now: datetime, *, gated: bool = True, lookups: int | None = None) -> None:
    """Pull the portal once on every day it was extracted on, then land the other sources from their files.

    `lookups` looks companies up on the last so many of those days only.

    Raises:
        GateFailed: A gate refused a load.
    """
    from icp.fake_vendors.portal import portal_of_demo
    from icp.fake_vendors.server import Script, serving

    portal = portal_of_demo(settings.root, now)
    script = Script(calls_per_interval=100_000)
    os.environ.setdefault("HUBSPOT_TOKEN", script.token)
    os.environ.setdefault("BUILTWITH_KEY", script.token)
    os.environ.setdefault("SALESFORCE_CLIENT_ID", script.salesforce.client_id)
    os.environ.setdefault("SALESFORCE_CLIENT_SECRET", script.salesforce.client_secret)
    pulled = [name for name, source in settings.sources.items() if source.kind != "files"]
    with serving(portal, script) as server:
        settings = _at(settings, server.url)
        days = portal.days
        for number, day in enumerate(days):
            portal.now = day
            for name in pulled:
                if name == "crm" or lookups is None or number >= len(days) - lookups:
                    _land(settings, name, day, gated)
    for name in settings.sources:
        if name not in pulled:
            _land(settings, name, now, gated)


def _at(settings: Settings, url: str) -> Settings:
    """The settings with the server's address, which is another one in every run and so no part of the configuration."""
    from dataclasses import replace

    sources = dict(settings.sources)
    for name, source in settings.sources.items():
        section = getattr(source, source.kind, None)
        if section is not None:
            is_salesforce = source.kind == "salesforce"
            address: dict[str, Any] = {"login_url": url, "poll_seconds": 0.001} if is_salesforce else {"base_url": url}
            sources[name] = source.model_copy(update={source.kind: section.model_copy(update=address)})
    return replace(settings, sources=sources)


def _land(settings: Settings, source: str, at: datetime, gated: bool) -> None:
    from flows.ingest import ingest, pull_source, raise_if_refused
    from icp.lake import Lake

    if gated:
        raise_if_refused(ingest(settings, source=source, extracted_at=at))
        return
    lake = Lake(settings.lake)
    with lake.lock():
        for staged in pull_source(settings, source, at):
            lake.accept(staged, {"results": []})
