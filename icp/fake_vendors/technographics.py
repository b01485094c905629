"""BuiltWith's and Wappalyzer's protocols over what was detected on companies' sites, with accounts of credits.

A credit is charged for every domain of a call that is answered, whether or not the answer arrives.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any
from urllib.parse import urlsplit

from icp.fake_vendors.portal import ZONE, day_of
from icp.fake_vendors.protocol import Call, Reply, Served


@dataclass(frozen=True, slots=True)
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
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def see(self, sighting: Sighting) -> None:
        """Add what was seen on a host of a domain."""
        root = ".".join(sighting.host.split(".")[-2:])
        self.sightings.setdefault(root, []).append(sighting)

    def known(self, domain: str, now: datetime) -> list[Sighting]:
        """What the vendor knows of a domain now: each technology of a host once, as last told of, since first told of."""
        found: dict[tuple[str, str], Sighting] = {}
        for sighting in self.sightings.get(domain, ()):
            if sighting.shown_from <= now:
                before = found.get((sighting.host, sighting.technology), sighting)
                first, last = min(before.first, sighting.first), max(before.last, sighting.last)
                found[sighting.host, sighting.technology] = replace(sighting, first=first, last=last)
        return list(found.values())

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
            lines = csv.reader(rows)
            next(lines)
            for row in lines:
                host, technology, category = map(intern, row[:3])  # few texts, told many times over
                sighting = Sighting(day, host, technology, category, _midnight(row[3]), _midnight(row[4]))
                made.sightings.setdefault(host.removeprefix("www."), []).append(sighting)
    return made


@cache
def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=ZONE)


_HTTP = {
    "429": Reply(429, {"message": "too many requests"}, {"Retry-After": "0"}),
    "429_no_retry_after": Reply(429, {"message": "too many requests"}),
    "missing_scope": Reply(403, {"message": "your plan has no API"}),
}


def _coded(code: int, message: str) -> Reply:
    return Reply(200, {"Results": [], "Errors": [{"Lookup": None, "Message": message, "Code": code}]})


class _Vendor:
    """What both protocols do alike."""

    paths: tuple[str, str]
    most: int
    worded: Mapping[str, Reply]

    def speaks(self, path: str) -> bool:
        return path in self.paths

    def login(self, server: Served, call: Call) -> Reply | None:
        return None

    def limits(self, most: int, left: int, seconds: float) -> dict[str, str]:
        return {}

    def answer(self, server: Served, call: Call, fault: str | None) -> Reply:
        held: Technographics = server.portal.technographics
        if call.path == self.paths[1]:
            return Reply(200, self.account(held))
        with held.lock:
            return self._sold(held, call, fault, server.portal.now)

    def _sold(self, held: Technographics, call: Call, fault: str | None, now: datetime) -> Reply:
        held.calls.append({name: value for name, value in call.query.items() if name != "KEY"})
        domains = self.domains(call.query)
        if len(domains) > self.most:
            return Reply(400, {"message": "too many domains"})
        if not held.charge(len(domains)):
            return self.worded["daily_limit"]
        held.asked += domains
        told = domains[1:] if fault == "shrinking_list" else domains * 2 if fault == "duplicate_page" else domains
        content, headers = self.told(held, told, call.query, now, len(domains))
        if fault == "schema_change":
            content = {"items": content["Results"]} if isinstance(content, dict) else [{"items": content}]
        return Reply(200, content, headers)

    def account(self, held: Technographics) -> dict[str, int]:
        raise NotImplementedError

    def domains(self, query: Mapping[str, str]) -> list[str]:
        raise NotImplementedError

    def refusal(self, fault: str) -> Reply:
        return {**_HTTP, **self.worded}[fault]

    def told(
        self, held: Technographics, domains: list[str], query: Mapping[str, str], now: datetime, charged: int
    ) -> tuple[Any, dict[str, str]]:
        raise NotImplementedError


class BuiltWith(_Vendor):
    """BuiltWith's Domain API as the server speaks it; its refusals have status 200."""

    paths = ("/v22/api.json", "/usagev2/api.json")
    most = 16
    worded: Mapping[str, Reply] = {
        "token_expiry": _coded(-2, "wrong key"),
        "daily_limit": _coded(-3, "no credits left"),
        "500": _coded(-99, "internal"),
    }

    def credentials(self, call: Call) -> str:
        return call.query.get("KEY", "")

    def account(self, held: Technographics) -> dict[str, int]:
        return {"used": held.charged, "purchased": held.charged + held.credits, "remaining": held.credits}

    def domains(self, query: Mapping[str, str]) -> list[str]:
        return [name for name in query.get("LOOKUP", "").split(",") if name]

    def told(
        self, held: Technographics, domains: list[str], query: Mapping[str, str], now: datetime, charged: int
    ) -> tuple[Any, dict[str, str]]:
        results = [_result(held, domain, query, now) for domain in domains if domain not in held.refused]
        errors = [{"Lookup": d, "Message": "not a root domain", "Code": -8} for d in domains if d in held.refused]
        return {"Results": results, "Errors": errors}, {"X-API-CREDITS-REMAINING": str(held.credits)}


class Wappalyzer(_Vendor):
    """Wappalyzer's lookup as the server speaks it; 403 is a wrong key or an empty account."""

    paths = ("/v2/lookup/", "/v2/credits/balance/")
    most = 10
    worded: Mapping[str, Reply] = {
        "token_expiry": Reply(403, {"message": "Forbidden"}),
        "daily_limit": Reply(403, {"message": "You have no credits left"}),
        "500": Reply(500, {"message": "internal error"}),
    }

    def credentials(self, call: Call) -> str:
        return {name.lower(): value for name, value in call.headers.items()}.get("x-api-key", "")

    def account(self, held: Technographics) -> dict[str, int]:
        return {"credits": held.credits}

    def domains(self, query: Mapping[str, str]) -> list[str]:
        return [urlsplit(url).hostname or "" for url in query.get("urls", "").split(",")]

    def told(
        self, held: Technographics, domains: list[str], query: Mapping[str, str], now: datetime, charged: int
    ) -> tuple[Any, dict[str, str]]:
        spent = {"wappalyzer-credits-spent": str(charged), "wappalyzer-credits-remaining": str(held.credits)}
        return [_looked_up(held, domain, now) for domain in domains], spent


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
