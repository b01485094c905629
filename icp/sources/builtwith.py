"""BuiltWith's Domain API: which URL, what an answer means, and what of it is kept.

The key is part of the URL, because BuiltWith takes it nowhere else: no message, log or manifest holds a URL. People
(NOPII), companies' data (NOMETA) and attributes (NOATTR) are never asked for, and only named fields of a technology
are kept of what comes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from icp.config import secret
from icp.config_technographics import BuiltWithSettings, WappalyzerSettings
from icp.errors import ConfigError, TryLater
from icp.sources.addresses import ADDRESS
from icp.sources.again import Again, as_json
from icp.sources.http_client import Meter, VendorClient
from icp.sources.lookup_ledger import Record
from icp.sources.manners import Manners, Refusal

VENDOR = "BuiltWith"
DOMAINS, USAGE = "/v22/api.json", "/usagev2/api.json"
NOBODY = {"NOPII": "yes", "NOMETA": "yes", "NOATTR": "yes"}
WRONG_KEY, NO_CREDITS, INTERNAL = -2, -3, -99
MILLISECONDS_ABOVE = 100_000_000_000
"""Seconds of the year 5138: a larger number counts milliseconds."""
KEY_IN_URL = re.compile(r"(KEY=)[^&\s\"']+")


class _Redact(logging.Filter):
    """Takes the key out of the URLs an HTTP library logs when somebody asks it to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = KEY_IN_URL.sub(r"\1***", record.getMessage()), ()
        return True


_REDACT = _Redact()


class Lookups(Manners):
    """What vendors that sell lookups have in common: answers are kept, and 402 means that the account is empty."""

    kept = "What was answered before is kept; the next `icp ingest` goes on behind it."

    def __init__(self, vendor: str, calls_per_second: float) -> None:
        self.vendor, self.calls_per_second = vendor, calls_per_second

    def verdict(self, status: int, refusal: Refusal) -> Exception | None:
        if status == 402 or (status == 403 and "credit" in refusal.message.lower()):
            return used_up(self.vendor)
        return wrong_key(self.vendor) if status in (401, 403) else None


def lookup_client(settings: BuiltWithSettings | WappalyzerSettings, manners: Lookups) -> VendorClient:
    """A client with the key icp.yml names; it cannot be renewed by us."""
    return VendorClient(
        manners.vendor, settings.base_url, settings.retry, lambda fresh: secret(settings.key_env), manners=manners
    )


class _Manners(Lookups):
    def credentials(self, token: str) -> dict[str, str]:
        return {}

    def parameters(self, token: str) -> dict[str, str]:
        return {"KEY": token}


class BuiltWith:
    """The calls a pull needs."""

    def __init__(self, settings: BuiltWithSettings) -> None:
        for name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.connection"):
            logging.getLogger(name).addFilter(_REDACT)
        self.client = lookup_client(settings, _Manners(VENDOR, settings.calls_per_second))

    def ask(self, domains: Sequence[str], meter: Meter, now: datetime) -> dict[str, Sequence[Record] | None]:
        """Technologies by domain; None where the answer leaves a domain out.

        Raises:
            TryLater: Out of credits, down, or another shape than documented.
            ConfigError: The key is wrong.
        """
        answer = self.client.call(
            "GET", DOMAINS, params={"LOOKUP": ",".join(domains), **NOBODY}, read=_read, meter=meter
        )
        results, errors = answer.get("Results"), answer.get("Errors") or []
        if not isinstance(results, list) or not isinstance(errors, list):
            keys = ", ".join(sorted(answer)) or "nothing"
            raise TryLater(f"BuiltWith answered in another shape than documented (it has {keys}).")
        unknown = {str(entry.get("Lookup")).lower() for entry in errors if isinstance(entry, dict)}
        found: dict[str, Sequence[Record] | None] = {domain: [] if domain in unknown else None for domain in domains}
        try:
            for result in results:
                domain = str(result.get("Lookup") or "").lower()
                if domain in found:
                    found[domain] = technologies(domain, result, now)
        except (AttributeError, TypeError):
            raise TryLater("BuiltWith answered in another shape than documented (inside a result).") from None
        return found

    def spent(self) -> int | None:
        """Credits the last call cost by the vendor's own word; BuiltWith names only totals."""
        return None

    def credits(self) -> int | None:
        """Credits left at the vendor; costs none."""
        remaining = self.client.call("GET", USAGE, read=_read).get("remaining")
        digits = str(remaining).replace(",", "")
        return int(digits) if digits.isdecimal() else None


def technologies(domain: str, result: dict[str, Any], now: datetime) -> list[Record]:
    """The technologies of one domain, each once from its first to its last sight on any of its hosts."""
    merged: dict[str, Record] = {}
    for path in (result.get("Result") or {}).get("Paths") or []:
        for entry in path.get("Technologies") or []:
            seen = sorted(s for s in (instant(entry.get("FirstDetected")), instant(entry.get("LastDetected"))) if s)
            name = ADDRESS.sub("", str(entry.get("Name") or "")).strip()
            if not name or not seen:
                continue  # what has no date cannot be placed in time
            record = merged.setdefault(name, _record(domain, name, entry, seen[0], seen[-1]))
            record["first_detected"] = min(record["first_detected"], seen[0])
            record["last_detected"] = max(record["last_detected"], seen[-1])
    return [_told(record, now) for _, record in sorted(merged.items())]


def _record(domain: str, name: str, entry: dict[str, Any], first: datetime, last: datetime) -> Record:
    categories = entry.get("Categories") or []
    tag = ADDRESS.sub("", str(entry.get("Tag") or "")) or None
    category = ADDRESS.sub("", str(categories[0])) if categories else tag
    return {"domain": domain, "name": name, "category": category, "first_detected": first, "last_detected": last}


def _told(record: Record, now: datetime) -> Record:
    """Times as text; nothing was seen after it was asked for, whatever the vendor's clock says."""
    times = {name: min(record[name], now).isoformat() for name in ("first_detected", "last_detected")}
    return {**record, **times}


def instant(value: Any) -> datetime | None:
    """A moment in seconds or milliseconds since 1970; None for nothing (null, "", 0, -1)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if number <= 0:
        return None
    try:
        return datetime.fromtimestamp(number / 1000 if number > MILLISECONDS_ABOVE else number, UTC)
    except (OverflowError, ValueError):
        return None


def _read(answer: httpx.Response) -> Any:
    """The JSON of an answer; BuiltWith sends its own codes with status 200.

    Raises:
        TryLater: Its credits are used up.
        ConfigError: The key is wrong.
        Again: The answer is not whole, or BuiltWith failed.
    """
    content = as_json(answer)
    errors = content.get("Errors")
    codes = {entry.get("Code") for entry in errors if isinstance(entry, dict)} if isinstance(errors, list) else set()
    if WRONG_KEY in codes:
        raise wrong_key(VENDOR)
    if NO_CREDITS in codes:
        raise used_up(VENDOR)
    if INTERNAL in codes:
        raise Again("it answered with its internal error (-99)", unpaid=True)
    return content


def wrong_key(vendor: str) -> ConfigError:
    """The key does not open anything."""
    return ConfigError(f"{vendor} refused the key. Check the environment variable named in `key_env`, and the plan.")


def used_up(vendor: str) -> TryLater:
    """The account holds no credit any more."""
    return TryLater(
        f"{vendor}: the credits of this account are used up. {Lookups.kept} Buy more, or wait until they are renewed."
    )
