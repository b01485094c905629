"""Which module reads which kind of source; loaded only when a source of that kind is read."""

from __future__ import annotations

from importlib import import_module
from typing import Any

CHECKED = {
    "files": "every path has files",
    "hubspot": "credentials, scopes and properties",
    "salesforce": "credentials, objects and fields",
    "builtwith": "key and credits",
    "wappalyzer": "key and credits",
}
"""By kind what `icp doctor` has looked at when it finds nothing missing; a module with `standing` says more itself."""
LOOKUPS = frozenset({"builtwith", "wappalyzer"})
"""Kinds that are asked about companies other sources name; one module pulls them all."""


def module_of(kind: str) -> Any:
    """The module of a kind: `pull` stages what is new, `missing` says what stands between the source and a pull."""
    return import_module(f"icp.sources.{'domain_lookup' if kind in LOOKUPS else kind}")
