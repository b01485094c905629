"""Which module speaks to which kind of destination: each has `opened`, and `TAKES`, what it is told."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MODULES = {
    "hubspot": "icp.destinations.hubspot",
    "salesforce": "icp.destinations.salesforce",
    "storage": "icp.destinations.storage",
    "postgres": "icp.destinations.postgres",
    "webhook": "icp.destinations.webhook",
}


def module_of(kind: str) -> ModuleType:
    """The module of a kind of destination, loaded only when it is used."""
    return import_module(MODULES[kind])
