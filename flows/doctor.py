"""What stands between this project and its next run, found without changing anything."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icp.config import Settings

PARTS = ("prefect", "dbt-duckdb", "great-expectations", "httpx", "stamina")
LEAST_FREE = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing a run needs: there or not, in words."""

    ok: bool
    what: str


def check(settings: Settings) -> list[Finding]:
    """Versions, disk, lock, then one cheap call per source."""
    return [*_machine(settings), *(f for name in settings.sources for f in _source(settings, name))]


def _machine(settings: Settings) -> Iterator[Finding]:
    from icp.errors import LockHeld
    from icp.lock import hold

    yield Finding(True, f"python {sys.version.split()[0]}, " + ", ".join(f"{part} {version(part)}" for part in PARTS))
    folder = settings.lake if settings.lake.exists() else settings.root
    free = shutil.disk_usage(folder).free
    yield Finding(free >= LEAST_FREE, f"disk: {free / 1e9:.1f} GB free for the lake {settings.lake}")
    if not settings.lake.exists():
        yield Finding(True, "lock: free (the lake does not exist yet)")
        return
    try:
        with hold(settings.lake):
            yield Finding(True, "lock: free")
    except LockHeld as problem:
        yield Finding(False, f"lock: {problem}")


def _source(settings: Settings, name: str) -> Iterator[Finding]:
    from icp.errors import IcpError
    from icp.sources.kinds import module_of

    source = settings.source(name)
    module = module_of(source.kind)
    said = module.CHECKED
    try:
        lacking = module.missing(settings, name)
        if not lacking and hasattr(module, "standing"):
            said = module.standing(settings, name)
    except IcpError as problem:
        lacking = [str(problem)]
    yield from (Finding(False, f"{name}: {what}") for what in lacking)
    if not lacking:
        yield Finding(True, f"{name} ({source.kind}): {said}")
