"""HubSpot's records as they land: cleaned of persons, with who was merged away and what a record was before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from icp.errors import ConfigError
from icp.sources.hubspot_api import Record
from icp.sources.mapping import TableReader

CREATED, MERGED_IDS, MERGED = "createdate", "hs_merged_object_ids", "merged_into"
ADDRESS = re.compile(r"[^\s<>\"'(),;:@]+@(?=[\w-]+\.)")


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
    properties = _without_addresses(record.get("properties") or {}, reduced)
    if archived and record.get("archivedAt"):
        properties[kind.stamp] = max(str(properties.get(kind.stamp) or ""), str(record["archivedAt"]))
    return {"id": str(record["id"]), "properties": properties, "archived": archived, MERGED: None, "associations": {}}


def _without_addresses(properties: Mapping[str, Any], reduced: frozenset[str]) -> dict[str, Any]:
    """Every e-mail address loses who it belongs to and keeps its domain."""
    return {
        name: ADDRESS.sub("", value)
        if isinstance(value, str) and "@" in value and f"properties.{name}" not in reduced
        else value
        for name, value in properties.items()
    }


def merged_away(records: list[Record], kind: Kind, seen: set[int], known: frozenset[str]) -> Iterator[Record]:
    """HubSpot keeps of a merge only the survivor and the ids it took in: each of those says where it went, once."""
    for survivor in records:
        held = survivor["properties"]
        for id_ in re.split(r"[;,]", held.get(MERGED_IDS) or ""):
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
    dated = {
        # newest first as HubSpot lists them: of two values of one instant the first listed stands
        name: sorted(
            ((instant(str(e["timestamp"]), record["id"]), e.get("value")) for e in reversed(entries)), key=itemgetter(0)
        )
        for name, entries in history.items()
    }
    last = stamp_of(record, kind)
    moments = sorted({moment for entries in dated.values() for moment, _ in entries if moment < last})
    before: dict[str, Any] | None = None
    for moment in moments:
        state = {name: _at(entries, moment) for name, entries in dated.items()}
        if state != before and (since is None or moment >= since):
            told = {**dict.fromkeys(record["properties"]), **_without_addresses(state, reduced)}
            told |= {CREATED: record["properties"].get(CREATED), kind.stamp: moment.isoformat()}
            yield {**record, "properties": told, "archived": False}
        before = state


def _at(entries: list[tuple[datetime, Any]], moment: datetime) -> Any:
    values = [value for since, value in entries if since <= moment]
    return values[-1] if values else None


def stamp_of(record: Record, kind: Kind) -> datetime:
    """When the record last changed."""
    return instant(record["properties"].get(kind.stamp) or "1970-01-01T00:00:00Z", record["id"])


def instant(text: str, id_: str) -> datetime:
    """A time of HubSpot's.

    Raises:
        ConfigError: It is no time; the record is named.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"HubSpot names a time of record {id_} that is none: {text[:40]!r}.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
