"""Which module reads which kind of source; each has `pull`, `missing` and `CHECKED`, what `missing` looks at.

One that can say more when nothing is missing has `standing` (credits left at a vendor).
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MODULES = {
    "files": "icp.sources.files",
    "hubspot": "icp.sources.hubspot",
    "salesforce": "icp.sources.salesforce",
    "ga4": "icp.sources.ga4",
    "ga4_export": "icp.sources.ga4_export",
    "posthog": "icp.sources.posthog",
    "posthog_export": "icp.sources.posthog_export",
    "segment": "icp.sources.segment",
    "builtwith": "icp.sources.domain_lookup",
    "wappalyzer": "icp.sources.domain_lookup",
}
LOOKUPS = frozenset({"builtwith", "wappalyzer"})
"""Kinds that are asked about companies other sources name."""


def module_of(kind: str) -> ModuleType:
    """The module of a kind of source, loaded only when it is used."""
    return import_module(MODULES[kind])
