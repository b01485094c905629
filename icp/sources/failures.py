"""When each source was last pulled and whether it failed since: what a refresh must say about data older than they look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from icp import atomic
from icp.config import Settings
from icp.errors import TryLater
from icp.lake import Lake
from icp.manifest import iso

FOLDER = "source_state"
REFUSED = "A load of it was refused; see `icp quarantine list`."


@dataclass(frozen=True)
class Stale:
    """A source that failed when last tried.

    Attributes:
        source: Its name in icp.yml.
        tables: The tables it brings.
        read_at: When it was last read whole; None when it never was.
        problem: Why it failed, in words.
    """

    source: str
    tables: tuple[str, ...]
    read_at: datetime | None
    problem: str

    @property
    def line(self) -> str:
        """What is old and since when."""
        since = f"was last read whole on {self.read_at:%Y-%m-%d}" if self.read_at else "was never read whole"
        return f"stale: {', '.join(self.tables)}. The source {self.source} {since} and has failed since."


def keep_failure(lake: Path, source: str, problem: str, at: datetime) -> None:
    """Remember that a source failed, and why."""
    _write(lake, source, {**_state(lake, source), "problem": problem, "failed_at": iso(at)})


def keep_success(lake: Path, source: str, at: datetime) -> None:
    """The source was read whole: nothing of it is stale."""
    _write(lake, source, {"source": source, "read_at": iso(at)})


def settle_refusal(lake: Lake, source: str) -> None:
    """A refused load was released: once nothing of the source is refused it counts as read whole when it was tried."""
    state = _state(lake.root, source)
    held = any(load.manifest.source == source for load in lake.quarantined())
    if state.get("problem") == REFUSED and not held:
        _write(lake.root, source, {"source": source, "read_at": state["failed_at"]})


def stale(settings: Settings) -> list[str]:
    """One line per source that failed when last tried: which tables are old, since when, why."""
    return [f"{found.line} {found.problem}" for found in stale_sources(settings)]


def stale_sources(settings: Settings, as_of: datetime | None = None) -> tuple[Stale, ...]:
    """Sources that failed when last tried; with `as_of` those of them that lack something a refresh as of then may know."""
    loads = Lake(settings.lake).accepted_loads()
    found = []
    for name, source in settings.sources.items():
        state = _state(settings.lake, name)
        if "problem" not in state:
            continue
        landed = max((load.extracted_at for load in loads if load.source == name), default=None)
        read_at = datetime.fromisoformat(state["read_at"]) if "read_at" in state else landed
        if as_of is None or read_at is None or read_at < as_of:
            found.append(Stale(name, tuple(source.tables), read_at, state["problem"]))
    return tuple(found)


def require_fresh(settings: Settings, found: Iterable[Stale], as_of: datetime) -> None:
    """Stop where icp.yml says that a source may not be that old (`sources.NAME.may_be_stale_days`).

    Raises:
        TryLater: A source lacks more days before `as_of` than allowed; every such source is named.
    """
    lines = []
    for each in found:
        allowed = settings.source(each.source).may_be_stale_days
        if allowed is not None and (each.read_at is None or (as_of - each.read_at).days > allowed):
            lines.append(f"{each.line} It may lack {allowed} days (may_be_stale_days). {each.problem}")
    if lines:
        told = "\n".join(lines)
        raise TryLater(f"Nothing was published as of {as_of:%Y-%m-%d}.\n{told}\nRun `icp ingest`, then refresh again.")


def _state(lake: Path, source: str) -> dict[str, Any]:
    file = lake / FOLDER / f"{source}.json"
    return dict(atomic.read_json(file)) if file.exists() else {"source": source}


def _write(lake: Path, source: str, state: dict[str, Any]) -> None:
    atomic.write_json(lake / FOLDER / f"{source}.json", state)
