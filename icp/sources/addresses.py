"""E-mail addresses inside values lose who they belong to before anything lands."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

ADDRESS = re.compile(r"[^\s<>\"'(),;:@]+@(?=[\w-]+\.)")


def nobody(text: str) -> str:
    """The text with nobody's address: what stands before the @ is hidden."""
    return ADDRESS.sub("***@", text)


def without_addresses(values: dict[str, Any], reduced: Set[str] = frozenset(), prefix: str = "") -> dict[str, Any]:
    """The values with every e-mail address cut down to its domain, nested ones too.

    Paths in `reduced` are mapped `as: email_domain` and are cut down when they are parsed.
    """
    return {
        name: value
        if value is None or (isinstance(value, str) and "@" not in value)  # nearly all of them
        else _without(value, f"{prefix}{name}", reduced)
        for name, value in values.items()
    }


def _without(value: Any, path: str, reduced: Set[str]) -> Any:
    if isinstance(value, dict):
        return without_addresses(value, reduced, f"{path}.")
    return ADDRESS.sub("", value) if isinstance(value, str) and path not in reduced else value
