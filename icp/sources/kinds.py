"""Which module reads which kind of source; loaded only when a source of that kind is read."""

from __future__ import annotations

from importlib import import_module
from typing import Any

CHECKED = {
    "files": "every path has files",
    "hubspot": "credentials, scopes and properties",
    "ga4": "key, access to the property, dimensions and metrics",
    "ga4_export": "files with the columns of GA4's export",
    "posthog": "key, scope, project and fields",
    "posthog_export": "files with the columns of PostHog's export",
    "segment": "files with the columns of the warehouse tables",
}
"""By kind what `icp doctor` has looked at when it finds nothing missing."""


def module_of(kind: str) -> Any:
    """The module of a kind: `pull` stages what is new, `missing` says what stands between the source and a pull."""
    return import_module(f"icp.sources.{kind}")
