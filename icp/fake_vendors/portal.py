"""What the fake portal holds: records with all their versions, and the clock that decides which version is seen."""

from __future__ import annotations

import csv
import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from icp.fake_vendors.visits import Visits, visits_of_demo

Record = dict[str, Any]
KEPT_VALUES = 20
ZONE = ZoneInfo("America/New_York")
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Portal:
    """Versions by kind and id, oldest first, each with the instant from which the portal shows it."""

    now: datetime
    versions: dict[str, dict[int, list[tuple[datetime, Record]]]] = field(default_factory=dict)
    visits: Visits = field(default_factory=Visits)
    technographics: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _seen: dict[tuple[str, bool], tuple[datetime, list[Record]]] = field(default_factory=dict, repr=False)

    def put(self, kind: str, record: Mapping[str, Any], shown_from: datetime = BEGINNING) -> None:
        """Add a version of a record."""
        with self.lock:
            versions = self.versions.setdefault(kind, {}).setdefault(int(record["id"]), [])
            versions.append((shown_from, dict(record)))
            self._seen.clear()

    def records(self, kind: str, *, archived: bool) -> list[Record]:
        """Records as they are now, by ascending id; kept until something changes, because every page asks for them."""
        with self.lock:
            now, held = self._seen.get((kind, archived), (None, []))
            if now != self.now:
                every = (self._current(versions) for _, versions in sorted(self.versions.get(kind, {}).items()))
                held = [record for record in every if record is not None and bool(record.get("archived")) == archived]
                self._seen[kind, archived] = (self.now, held)
            return held

    def some(self, kind: str, ids: Iterable[str], *, archived: bool) -> list[Record]:
        """Records of these ids as they are now, by ascending id."""
        with self.lock:
            held = self.versions.get(kind, {})
            current = [self._current(held[number]) for number in sorted(map(int, ids)) if number in held]
        return [record for record in current if record is not None and bool(record.get("archived")) == archived]

    def history(self, kind: str, id_: str, name: str) -> list[dict[str, Any]]:
        """The values a property had until now, newest first, each with when it was set."""
        with self.lock:
            shown = [record for since, record in self.versions[kind][int(id_)] if since <= self.now]
        values: list[dict[str, Any]] = []
        for record in shown:
            value = record["properties"].get(name)
            if not values or values[0]["value"] != value:
                stamp = record["properties"].get("hs_lastmodifieddate")
                values.insert(0, {"value": value, "timestamp": stamp, "sourceType": "CRM_UI"})
        return values[:KEPT_VALUES]

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
    """The demo company's CRM (`icp demo` or `icp.demo.create` made the folder), every extract dated as in its name.

    What BuiltWith and Wappalyzer know of its companies, and who visited, is there, too.
    """
    from icp.fake_vendors.technographics import technographics_of_demo

    portal = Portal(now, visits=visits_of_demo(directory), technographics=technographics_of_demo(directory))
    for kind in ("companies", "deals"):
        for file in sorted((directory / "extracts/crm").glob(f"{kind}_*.jsonl")):
            shown_from = day_of(file)
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    record = json.loads(line)
                    record["properties"]["hs_object_id"] = record["id"]
                    if record["archived"]:
                        record["archivedAt"] = record["properties"]["hs_lastmodifieddate"]
                    portal.put(kind, record, shown_from)
    for file in sorted((directory / "extracts/people").glob("contacts_*.csv")):
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                portal.put("contacts", _contact(row), day_of(file))
    return portal


def day_of(file: Path) -> datetime:
    """The day in a file's name, in the demo company's time zone."""
    day = re.sub(r"^.*_", "", file.stem)
    return datetime.fromisoformat(day).replace(tzinfo=ZONE)


def _contact(row: Mapping[str, str]) -> Record:
    """A person as HubSpot keeps one, with a name and an address nobody may ever ask for."""
    id_ = row["Record ID"]
    properties = {
        "hs_object_id": id_,
        "email": f"person.{id_}@example.com",
        "firstname": f"Person{id_}",
        "associatedcompanyid": row["Company ID"] or None,
        "hs_buying_role": row["Buying role"] or None,
        "hs_seniority": row["Seniority"] or None,
        "hs_role": row["Department"] or None,
        "createdate": row["Create date"],
        "lastmodifieddate": row["Create date"],
    }
    return {"id": id_, "properties": properties, "archived": False}
