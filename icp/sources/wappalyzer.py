"""Wappalyzer's lookup: which URL, what an answer means, and what of it is kept.

It says what is there now and when that was confirmed, not since when. Every pull therefore lands as a snapshot of its
own, and the first and last sight of a technology are those of the snapshots that saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from icp.config_technographics import WappalyzerSettings
from icp.errors import TryLater
from icp.sources.addresses import ADDRESS
from icp.sources.again import as_json
from icp.sources.builtwith import Lookups, instant, lookup_client
from icp.sources.http_client import Meter
from icp.sources.lookup_ledger import Record

VENDOR = "Wappalyzer"
LOOKUP, BALANCE = "/v2/lookup/", "/v2/credits/balance/"


class _Manners(Lookups):
    def credentials(self, token: str) -> dict[str, str]:
        return {"x-api-key": token}


def _listed(answer: httpx.Response) -> Any:
    return as_json(answer, list)


class Wappalyzer:
    """The calls a pull needs."""

    def __init__(self, settings: WappalyzerSettings) -> None:
        self.client = lookup_client(settings, _Manners(VENDOR, settings.calls_per_second))

    def ask(self, domains: Sequence[str], meter: Meter, now: datetime) -> dict[str, Sequence[Record] | None]:
        """Technologies by domain; None where the site is still being looked at, or the answer leaves it out.

        Raises:
            TryLater: Out of credits, down, or another shape than documented.
            ConfigError: The key is wrong.
        """
        urls = ",".join(f"https://{domain}" for domain in domains)
        answer = self.client.call("GET", LOOKUP, params={"urls": urls}, read=_listed, meter=meter)
        found: dict[str, Sequence[Record] | None] = dict.fromkeys(domains)
        for result in answer:
            if not isinstance(result, dict) or "url" not in result:
                raise TryLater("Wappalyzer answered in another shape than documented (a result without `url`).")
            domain = (urlsplit(str(result["url"])).hostname or "").removeprefix("www.")
            if domain in found:
                try:
                    found[domain] = _technologies(domain, result, now)
                except (AttributeError, TypeError):
                    raise TryLater("Wappalyzer answered in another shape than documented (inside a result).") from None
        return found

    def spent(self) -> int | None:
        """Credits the last call cost by the vendor's own word; None where it does not say."""
        return _number(self.client.headers.get("wappalyzer-credits-spent"))

    def credits(self) -> int | None:
        """Credits left at the vendor; costs none."""
        return _number(self.client.call("GET", BALANCE).get("credits"))


def _technologies(domain: str, result: dict[str, Any], now: datetime) -> list[Record] | None:
    listed = result.get("technologies")
    if "error" in result or "errors" in result:
        return []
    if result.get("crawl") or not isinstance(listed, list):
        return None
    merged: dict[str, Record] = {}
    for entry in listed:
        name = ADDRESS.sub("", str(entry.get("name") or "")).strip()
        if name:
            confirmed = min(instant(entry.get("confirmedAt")) or now, now).isoformat()
            names = [str(c.get("name")) for c in entry.get("categories") or [] if isinstance(c, dict)]
            category = ADDRESS.sub("", names[0]) if names else None
            sight = {"first_detected": confirmed, "last_detected": confirmed}
            merged[name] = {"domain": domain, "name": name, "category": category, **sight}
    return [record for _, record in sorted(merged.items())]


def _number(value: Any) -> int | None:
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return None
