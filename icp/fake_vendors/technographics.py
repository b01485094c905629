"""BuiltWith's and Wappalyzer's protocols over what was detected on companies' sites, with accounts of credits.

A credit is charged for every domain of a call that is answered, whether or not the answer arrives.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from icp.fake_vendors.portal import ZONE, Portal, day_of

if TYPE_CHECKING:
    from icp.fake_vendors.server import Script

BUILTWITH, USAGE = "/v22/api.json", "/usagev2/api.json"
WAPPALYZER, BALANCE = "/v2/lookup/", "/v2/credits/balance/"
PATHS = frozenset({BUILTWITH, USAGE, WAPPALYZER, BALANCE})
MOST_DOMAINS, MOST_URLS = 16, 10
Answer = tuple[int, Any, dict[str, str]]


@dataclass(frozen=True)
class Sighting:
    """A technology on a host, as the vendor knew it from `shown_from` on."""

    shown_from: datetime
    host: str
    technology: str
    category: str
    first: datetime
    last: datetime


@dataclass
class Technographics:
    """What the vendors know, and their account of this customer.

    Attributes:
        sightings: By root domain.
        refused: Domains that are none.
        unfinished: Domains Wappalyzer still has to look at: in how many calls it says so.
        credits: What is left.
        charged: What was charged so far.
        asked: Domains of every call that was answered, in order.
        calls: Query of every call that reached a vendor, without the key.
        in_seconds: BuiltWith writes times in seconds instead of milliseconds.
    """

    sightings: dict[str, list[Sighting]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unfinished: dict[str, int] = field(default_factory=dict)
    credits: int = 1_000_000
    charged: int = 0
    asked: list[str] = field(default_factory=list)
    calls: list[dict[str, str]] = field(default_factory=list)
    in_seconds: bool = False

    def see(self, sighting: Sighting) -> None:
        """Add what was seen on a host of a domain."""
        root = ".".join(sighting.host.split(".")[-2:])
        self.sightings.setdefault(root, []).append(sighting)

    def known(self, domain: str, now: datetime) -> list[Sighting]:
        """What the vendor knows of a domain now."""
        return [s for s in self.sightings.get(domain, ()) if s.shown_from <= now]

    def charge(self, domains: int) -> bool:
        """Take credits; False when there are not enough."""
        if domains > self.credits:
            return False
        self.credits -= domains
        self.charged += domains
        return True


def technographics_of_demo(directory: Path) -> Technographics:
    """The demo company's technographics, every extract known from the day in its name on."""
    made = Technographics()
    for file in sorted((directory / "extracts/technographics").glob("technologies_*.csv")):
        day = day_of(file)
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                root = row["Root Domain"].removeprefix("www.")
                seen = (_midnight(row["First Detected"]), _midnight(row["Last Found"]))
                sighting = Sighting(day, row["Root Domain"], row["Technology"], row["Category"], *seen)
                made.sightings.setdefault(root, []).append(sighting)
    return made


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=ZONE)


def answer(
    portal: Portal,
    script: Script,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    fault: str | None,
) -> Answer:
    """Status, JSON and headers of one call; `duplicate_page` tells everything twice, `shrinking_list` leaves one out."""
    held = portal.technographics
    key = query.get("KEY") if path in (BUILTWITH, USAGE) else headers.get("x-api-key")
    is_builtwith = path in (BUILTWITH, USAGE)
    if key != script.token or fault == "token_expiry":
        return _builtwith_error(-2, "API key is wrong") if is_builtwith else (403, {"message": "Forbidden"}, {})
    if path == USAGE:
        return 200, {"used": held.charged, "purchased": held.charged + held.credits, "remaining": held.credits}, {}
    if path == BALANCE:
        return 200, {"credits": held.credits}, {}
    held.calls.append({name: value for name, value in query.items() if name != "KEY"})
    domains = _domains(query, is_builtwith)
    if len(domains) > (MOST_DOMAINS if is_builtwith else MOST_URLS):
        return 400, {"message": "too many domains"}, {}
    if fault == "daily_limit" or not held.charge(len(domains)):
        said = "You have no credits left"
        return _builtwith_error(-3, said) if is_builtwith else (403, {"message": said}, {})
    held.asked += domains
    told = domains[1:] if fault == "shrinking_list" else domains * 2 if fault == "duplicate_page" else domains
    if is_builtwith:
        return 200, _builtwith(held, told, query, portal.now), {"X-API-CREDITS-REMAINING": str(held.credits)}
    spent = {"wappalyzer-credits-spent": str(len(domains)), "wappalyzer-credits-remaining": str(held.credits)}
    return 200, [_looked_up(held, domain, portal.now) for domain in told], spent


def _domains(query: Mapping[str, str], is_builtwith: bool) -> list[str]:
    if is_builtwith:
        return [name for name in query.get("LOOKUP", "").split(",") if name]
    return [urlsplit(url).hostname or "" for url in query.get("urls", "").split(",")]


def _builtwith_error(code: int, message: str) -> Answer:
    return 200, {"Results": [], "Errors": [{"Lookup": None, "Message": message, "Code": code}]}, {}


def _builtwith(held: Technographics, domains: list[str], query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    results = [_result(held, domain, query, now) for domain in domains if domain not in held.refused]
    errors = [{"Lookup": d, "Message": "not a root domain", "Code": -8} for d in domains if d in held.refused]
    return {"Results": results, "Errors": errors}


def _result(held: Technographics, domain: str, query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """One domain with a path per host; people are told of unless they were asked not to be."""
    by_host: dict[str, list[Sighting]] = {}
    for sighting in held.known(domain, now):
        by_host.setdefault(sighting.host, []).append(sighting)
    paths = [
        {
            "Domain": domain,
            "Url": "",
            "SubDomain": host.removesuffix(domain).rstrip("."),
            "Technologies": [_technology(held, sighting) for sighting in sightings],
        }
        for host, sightings in by_host.items()
    ]
    person = {"Name": "Jane Doe", "Type": "0", "Email": f"jane.doe@{domain}"}
    people = {} if query.get("NOPII") == "yes" else {"Emails": [person["Email"]], "Names": [person]}
    meta = {} if query.get("NOMETA") == "yes" else {"CompanyName": domain, **people}
    return {"Lookup": domain, "Result": {"IsDB": "True", "Paths": paths}, "Meta": meta, "Attributes": {}}


def _technology(held: Technographics, sighting: Sighting) -> dict[str, Any]:
    unit = 1 if held.in_seconds else 1000
    return {
        "Name": sighting.technology,
        "Description": f"Ask jane.doe@{sighting.host} about {sighting.technology}",
        "Tag": sighting.category.lower(),
        "Categories": [sighting.category],
        "FirstDetected": int(sighting.first.timestamp() * unit),
        "LastDetected": int(sighting.last.timestamp() * unit),
        "IsPremium": "no",
    }


def _looked_up(held: Technographics, domain: str, now: datetime) -> dict[str, Any]:
    url = f"https://{domain}"
    if domain in held.refused:
        return {"url": url, "error": "NO_RESPONSE"}
    if held.unfinished.get(domain, 0) > 0:
        held.unfinished[domain] -= 1
        return {"url": url, "crawl": True}
    newest: dict[str, Sighting] = {}
    for sighting in held.known(domain, now):
        if sighting.technology not in newest or sighting.last >= newest[sighting.technology].last:
            newest[sighting.technology] = sighting
    listed = [
        {
            "slug": name.lower().replace(" ", "-"),
            "name": name,
            "versions": [],
            "categories": [{"id": 1, "slug": s.category.lower(), "name": s.category}],
            "confirmedAt": int(s.last.timestamp()),
        }
        for name, s in sorted(newest.items())
    ]
    return {"url": url, "technologies": listed, "email": [f"jane.doe@{domain}"], "companyName": domain}
