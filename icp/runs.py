"""The ledger of runs: one small JSON file per run under `lake/runs/`, readable without Prefect.

A file is written when the run begins and again when it ends, so a run that was killed is seen as one that never ended.
Nothing published depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from icp import atomic

SCHEMA_VERSION = 1
REASON = 100  # characters of the reason on a terminal's line


@dataclass(frozen=True)
class RunRecord:
    """One run. `about` is its quarter or source, `as_of` the moment it looked at, `exit_code` and `ended` None until it ends.

    `outcome` is a word (published, nothing_new, drift, ok, accepted, gate_failed, not_enough_evidence, run_failed,
    waiting, interrupted),
    `reason` a sentence, `gates` says per boundary whether it passed, `alerts` who was told.
    """

    command: str
    icp: str
    about: str
    started: str
    as_of: str = ""
    ended: str | None = None
    exit_code: int | None = None
    outcome: str = ""
    reason: str = ""
    revision: str = ""
    decision: str = ""
    gates: Mapping[str, bool] = field(default_factory=dict)
    alerts: tuple[Mapping[str, Any], ...] = ()


class Ledger:
    """The runs of one lake. Writing needs no lock: every run has a file of its own."""

    def __init__(self, lake: Path) -> None:
        self.root = lake / "runs"

    def begin(self, record: RunRecord, started: datetime) -> Path:
        """Write a run down as begun; answers the file that `end` completes."""
        parts = [f"{started:%Y%m%dT%H%M%S%f}", record.command, record.icp, record.about, str(os.getpid())]
        name = "-".join(part for part in parts if part)
        path = self.root / f"{name}.json"
        while path.exists():  # two runs of one process within a microsecond of its clock
            name += "x"
            path = self.root / f"{name}.json"
        self.end(path, record)
        return path

    def end(self, path: Path, record: RunRecord) -> None:
        """Put what is known of the run in its file."""
        atomic.write_json(path, {"schema_version": SCHEMA_VERSION, "id": path.stem, **asdict(record)})

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The last runs, newest first; a file that cannot be read is named with that as its outcome."""
        files = sorted(self.root.glob("*.json"), reverse=True)[:count]
        return [_read(path) for path in files]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = atomic.read_json(path)
    except (ValueError, OSError):
        content = None
    if not isinstance(content, dict) or "started" not in content:
        blank = RunRecord("?", "", "", "", outcome="unreadable", reason=f"{path.name} cannot be read")
        return {"schema_version": SCHEMA_VERSION, "id": path.stem, **asdict(blank)}
    return content


def as_line(run: Mapping[str, Any]) -> str:
    """One run as a line for a terminal."""
    what = " ".join(part for part in (run["command"], run["icp"], run["about"]) if part)
    outcome = run["outcome"] or "never ended"
    code = "" if run["exit_code"] is None else f"exit {run['exit_code']}"
    failed = [alert["channel"] for alert in run["alerts"] if alert["error"]]
    untold = f"  [not told: {', '.join(failed)}]" if failed else ""
    reason = " ".join(run["reason"].split())
    reason = reason if len(reason) <= REASON else reason[: REASON - 1] + "…"
    return f"{run['started'][:19]}  {what:<28}  {outcome:<20}  {code:<8} {run['revision']} {reason}{untold}".rstrip()
