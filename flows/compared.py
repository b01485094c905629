"""The ICPs in force held against each other, kept as JSON beside what is published: a view, made again by every run of all."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icp.config import Settings

FOLDER = "compared"


def write_comparisons(settings: Settings) -> list[Path]:
    """Write `lake/compared/<one>~<other>.json` for every two ICPs that have one in force: what `icp compare --json` prints."""
    from flows.reading import compare_icps
    from icp import atomic
    from icp.published import PublishedStore

    stores = [PublishedStore(settings.lake, name) for name in settings.icps]
    written = []
    for one, other in combinations([store for store in stores if store.current()], 2):
        path = settings.lake / FOLDER / f"{one.icp}~{other.icp}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, compare_icps(one, other, None, as_json=True).encode())
        written.append(path)
    return written
