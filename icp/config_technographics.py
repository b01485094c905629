"""How BuiltWith and Wappalyzer are configured, and what is mapped when icp.yml says nothing.

Both sell lookups by domain: the section says how many credits a month may cost and for how long an answer is good.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from icp.config_vendors import EnvironmentName, RetrySection, SafeUrl, VendorKind, VendorSection

LONGEST_REFRESH = 110
"""Days; technologies count for 120 days after they were last seen (`technology_grace_days`), so none may wait longer."""

LOOKUP_TABLES: dict[str, dict[str, str]] = {
    "technologies": {
        "website": "domain",
        "technology": "name",
        "category": "category",
        "first_detected_at": "first_detected",
        "last_detected_at": "last_detected",
    }
}
"""Columns of a record as the lookup hands it over: the same for both vendors."""
BUILTWITH = VendorKind("BuiltWith", LOOKUP_TABLES, tuple(LOOKUP_TABLES))
WAPPALYZER = VendorKind("Wappalyzer", LOOKUP_TABLES, tuple(LOOKUP_TABLES))


class LookupSection(VendorSection):
    """A vendor asked domain by domain. The key is named here and kept in the environment, never in icp.yml."""

    base_url: SafeUrl
    key_env: EnvironmentName
    monthly_credits: Annotated[int, Field(ge=0)]
    credits_per_domain: Annotated[int, Field(ge=1, le=100)] = 1
    refresh_days: Annotated[int, Field(ge=1, le=LONGEST_REFRESH)] = 90
    domains_per_call: Annotated[int, Field(ge=1)]
    calls_per_second: Annotated[float, Field(ge=0)]
    retry: RetrySection = RetrySection()


class BuiltWithSettings(LookupSection):
    """BuiltWith's Domain API: up to 16 domains a call, one credit a domain, with first and last sight of each technology."""

    base_url: SafeUrl = "https://api.builtwith.com"
    key_env: EnvironmentName = "BUILTWITH_KEY"
    domains_per_call: Annotated[int, Field(ge=1, le=16)] = 16
    calls_per_second: Annotated[float, Field(ge=0)] = 8


class WappalyzerSettings(LookupSection):
    """Wappalyzer's lookup: up to 10 domains a call, what is there now; every pull is a snapshot of its own."""

    base_url: SafeUrl = "https://api.wappalyzer.com"
    key_env: EnvironmentName = "WAPPALYZER_KEY"
    domains_per_call: Annotated[int, Field(ge=1, le=10)] = 10
    calls_per_second: Annotated[float, Field(ge=0)] = 5
