"""Which module reads which kind of source; loaded only when a source of that kind is read."""

from __future__ import annotations

from importlib import import_module
from typing import Any

CHECKED = {
    "files": "every path has files",
    "hubspot": "credentials, scopes and properties",
    "salesforce": "credentials, objects and fields",
}
"""By kind what `icp doctor` has looked at when it finds nothing missing."""


def module_of(kind: str) -> Any:
    """The module of a kind: `pull` stages what is new, `missing` says what stands between the source and a pull."""
    return import_module(f"icp.sources.{kind}")
