"""HubSpot's records as they land: cleaned of persons, with who was merged away and what a record was before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from icp.sources.addresses import without_addresses
from icp.sources.hubspot_api import VENDOR, Record
from icp.sources.mapping import TableReader
from icp.sources.past import instant, states

CREATED, MERGED_IDS, MERGED = "createdate", "hs_merged_object_ids", "merged_into"


@dataclass(frozen=True)
class Kind:
    """An object of HubSpot: its name in URLs and the property that says when it last changed."""

    name: str
    stamp: str = "hs_lastmodifieddate"


KINDS = {
    "accounts": Kind("companies"),
    "opportunities": Kind("deals"),
    "contacts": Kind("contacts", "lastmodifieddate"),
}


def properties_of(reader: TableReader) -> list[str]:
    """The properties a table's mapping reads: the only ones that are asked for."""
    mapped = {path.removeprefix("properties.") for path in reader.paths if path.startswith("properties.")}
    merged = {MERGED_IDS} if keeps_merges(reader) else set()
    return sorted(mapped | merged | {"hs_object_id", KINDS[reader.table.name].stamp})


def keeps_merges(reader: TableReader) -> bool:
    """Whether a record that was merged away lands: a company says into which one, a contact counts as deleted."""
    return MERGED in reader.paths or reader.table.name == "contacts"


def clean(record: Mapping[str, Any], kind: Kind, archived: bool, reduced: frozenset[str]) -> Record:
    """A record as it lands: no address of a person, the archived flag and the latest of its stamps.

    Properties in `reduced` are mapped `as: email_domain` and are cut down to the domain when they are parsed.
    """
    properties = without_addresses(record.get("properties") or {}, reduced, "properties.")
    if archived and record.get("archivedAt"):
        properties[kind.stamp] = max(str(properties.get(kind.stamp) or ""), str(record["archivedAt"]))
    return {"id": str(record["id"]), "properties": properties, "archived": archived, MERGED: None, "associations": {}}


def merged_away(records: list[Record], kind: Kind, seen: set[int], known: frozenset[str]) -> Iterator[Record]:
    """HubSpot keeps of a merge only the survivor and the ids it took in: each of those says where it went, once."""
    for survivor in records:
        held = survivor["properties"]
        if not held.get(MERGED_IDS):
            continue
        for id_ in re.split(r"[;,]", held[MERGED_IDS]):
            gone = id_.strip().partition(":")[0]
            if gone and int(gone) not in seen and gone not in known:
                seen.add(int(gone))
                properties = {**dict.fromkeys(held), kind.stamp: held.get(kind.stamp)}
                if kind.name == "contacts":
                    properties[CREATED] = held.get(CREATED)
                archived = survivor["archived"] or kind.name == "contacts"
                yield {**survivor, "id": gone, "properties": properties, MERGED: survivor["id"], "archived": archived}


def earlier(
    record: Record,
    kind: Kind,
    history: Mapping[str, Any],
    since: datetime | None,
    reduced: frozenset[str] = frozenset(),
) -> Iterator[Record]:
    """What the record was before, one record per instant at which a mapped property changed, oldest first.

    HubSpot keeps the last 20 values of a company's property: what a property was before those is not known and empty.
    """
    # newest first as HubSpot lists them: of two values of one instant the first listed stands
    dated = {
        name: [(instant(str(e["timestamp"]), VENDOR, record["id"]), e.get("value")) for e in reversed(entries)]
        for name, entries in history.items()
    }
    for moment, state in states(dated, stamp_of(record, kind), since):
        told = {**dict.fromkeys(record["properties"]), **without_addresses(state, reduced, "properties.")}
        told |= {CREATED: record["properties"].get(CREATED), kind.stamp: moment.isoformat()}
        yield {**record, "properties": told, "archived": False}


def stamp_of(record: Record, kind: Kind) -> datetime:
    """When the record last changed."""
    return instant(record["properties"].get(kind.stamp) or "1970-01-01T00:00:00Z", VENDOR, record["id"])
