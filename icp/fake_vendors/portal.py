"""What the fake portal holds: records with all their versions, and the clock that decides which version is seen."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Record = dict[str, Any]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Portal:
    """Versions by kind and id, oldest first, each with the instant from which the portal shows it."""

    now: datetime
    versions: dict[str, dict[int, list[tuple[datetime, Record]]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def put(self, kind: str, record: Mapping[str, Any], shown_from: datetime = BEGINNING) -> None:
        """Add a version of a record."""
        with self.lock:
            versions = self.versions.setdefault(kind, {}).setdefault(int(record["id"]), [])
            versions.append((shown_from, dict(record)))

    def records(self, kind: str, *, archived: bool) -> list[Record]:
        """Records as they are now, by ascending id."""
        with self.lock:
            current = [self._current(versions) for _, versions in sorted(self.versions.get(kind, {}).items())]
        return [record for record in current if record is not None and bool(record.get("archived")) == archived]

    @property
    def days(self) -> list[datetime]:
        """The instants at which something new was shown, oldest first."""
        held = (versions for kind in self.versions.values() for versions in kind.values())
        return sorted({since for versions in held for since, _ in versions})

    def archive_one(self, kind: str) -> None:
        """Delete the first live record, as a colleague might while we read."""
        live = self.records(kind, archived=False)
        if live:
            self.put(kind, {**live[0], "archived": True, "archivedAt": self.now.isoformat()}, self.now)

    def property_names(self, kind: str) -> list[str]:
        """Every property some record has."""
        with self.lock:
            held = self.versions.get(kind, {}).values()
            return sorted({name for versions in held for _, record in versions for name in record["properties"]})

    def _current(self, versions: Iterable[tuple[datetime, Record]]) -> Record | None:
        shown = [record for since, record in versions if since <= self.now]
        return shown[-1] if shown else None


def portal_of_demo(directory: Path, now: datetime) -> Portal:
    """The demo company's CRM (`icp demo` or `icp.demo.create` made the folder), every extract dated as in its name."""
    portal = Portal(now)
    for kind in ("companies", "deals"):
        for file in sorted((directory / "extracts/crm").glob(f"{kind}_*.jsonl")):
            day = re.sub(r"^.*_", "", file.stem)
            shown_from = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("America/New_York"))
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    record = json.loads(line)
                    record["properties"]["hs_object_id"] = record["id"]
                    if record["archived"]:
                        record["archivedAt"] = record["properties"]["hs_lastmodifieddate"]
                    portal.put(kind, record, shown_from)
    return portal
