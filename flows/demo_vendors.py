"""The demo company pulled over vendors' protocols instead of read from files: the same ICP must come out."""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icp.config import Settings

TOKEN_VARIABLES = ("HUBSPOT_TOKEN", "BUILTWITH_KEY")
LINES_OF_FILES = ("path", "effective_at", "date_format")


def use_hubspot(directory: Path) -> None:
    """Make the demo's `crm` source one that is pulled: the mapping stays, the files go; contacts come from there too.

    Entries of the made-up past are dated up to 14 hours before the day their extract was taken, so pulls overlap by a day.
    """
    file = directory / "icp.yml"
    text = file.read_text(encoding="utf-8")
    head, crm, rest = re.split(r"(?ms)^(  crm:\n.*?)(?=^  # Invoices)", text, maxsplit=1)
    if "kind: hubspot" in crm:
        return
    lines = [line for line in crm.splitlines() if line.strip().partition(":")[0] not in LINES_OF_FILES]
    pulled = "    kind: hubspot\n    hubspot: {overlap_minutes: 1440}"
    crm = "\n".join(lines).replace("    kind: files", pulled) + "\n      contacts: {}\n\n"
    rest = re.sub(r"(?ms)^  # Contacts, cut down.*?(?=^  # )", "", rest)
    file.write_text(head + crm + rest, encoding="utf-8")


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
    for name in TOKEN_VARIABLES:
        os.environ.setdefault(name, script.token)
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
            sources[name] = source.model_copy(update={source.kind: section.model_copy(update={"base_url": url})})
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
