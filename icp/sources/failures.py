"""Which sources could not be pulled when last tried: what a refresh must say about data that are older than they look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from icp import atomic
from icp.config import Settings
from icp.lake import Lake
from icp.manifest import iso

FOLDER = "failed_sources"


def keep_failure(lake: Path, source: str, problem: str, at: datetime) -> None:
    """Remember that a source failed, and why."""
    atomic.write_json(lake / FOLDER / f"{source}.json", {"source": source, "problem": problem, "at": iso(at)})


def forget_failure(lake: Path, source: str) -> None:
    """The source was pulled: nothing is stale any more."""
    (lake / FOLDER / f"{source}.json").unlink(missing_ok=True)


def stale(settings: Settings) -> Iterable[str]:
    """One line per source that failed when last tried: which tables are old, since when, why."""
    loads = Lake(settings.lake).accepted_loads()
    for name, source in settings.sources.items():
        note = settings.lake / FOLDER / f"{name}.json"
        if not note.exists():
            continue
        last = max((load.effective_at for load in loads if load.source == name), default=None)
        since = f"stands as of {last:%Y-%m-%d}" if last else "has never landed"
        yield f"stale: {', '.join(source.tables)} ({name}) {since}. {atomic.read_json(note)['problem']}"
