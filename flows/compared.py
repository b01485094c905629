"""The ICPs in force held against each other, kept as JSON beside what is published: a view that follows every decision."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from icp.errors import IcpError

if TYPE_CHECKING:
    from icp.config import Settings
    from icp.published import PublishedStore

FOLDER = "compared"
UNREADABLE = (IcpError, OSError, KeyError, TypeError, ValueError)
"""What reading the files of an older version may end in; a view passes over it."""


def write_comparisons(settings: Settings, icp: str | None = None) -> list[Path]:
    """Write `lake/compared/<one>~<other>.json` for every two ICPs that have one in force: what `icp compare --json` prints.

    What is true no longer goes: of two of which one is not in force any more, of files that cannot be read, and (when
    all are written) of ICPs that have left icp.yml.

    Args:
        settings: The project.
        icp: Only the pairs with this ICP in them, after a decision about it; all if absent.
    """
    from icp.published import PublishedStore

    written = []
    for one, other in combinations(settings.icps, 2):
        if icp in (None, one, other):
            path = settings.lake / FOLDER / _named(one, other)
            if _write(path, PublishedStore(settings.lake, one), PublishedStore(settings.lake, other)):
                written.append(path)
            else:
                path.unlink(missing_ok=True)
    if icp is None:
        known = {_named(one, other) for one, other in combinations(settings.icps, 2)}
        for stale in (settings.lake / FOLDER).glob("*~*.json"):
            if stale.name not in known:
                stale.unlink()
    return written


def _named(one: str, other: str) -> str:
    return f"{one}~{other}.json"


def _write(path: Path, one: PublishedStore, other: PublishedStore) -> bool:
    """Whether the two could be compared; a view must not make a finished run or a decision fail."""
    from flows.reading import compare_icps
    from icp import atomic

    if not (one.current() and other.current()):
        return False
    try:
        body = compare_icps(one, other, None, as_json=True).encode()
    except UNREADABLE:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != body:
        atomic.write_bytes(path, body)
    return True
