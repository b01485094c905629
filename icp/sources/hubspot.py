"""The HubSpot source: companies, deals and contacts, landed in the canonical tables through the mapping of icp.yml.

Only mapped properties are asked for, so nothing else of the portal ever reaches this machine. Without a cursor every
record is listed; with one, those changed since are searched. The cursor is HubSpot's own clock when the pull began and
lies in the manifest of the load, so it moves only when the load is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from icp.config import Settings
from icp.config_vendors import HubSpotSettings
from icp.errors import IcpError
from icp.lake import Lake, StagedLoad
from icp.sources.hubspot_api import HubSpotApi, Record
from icp.sources.hubspot_records import (
    KINDS,
    clean,
    earlier,
    keeps_merges,
    merged_away,
    properties_of,
    stamp_of,
)
from icp.sources.known import Known
from icp.sources.mapping import TableReader
from icp.sources.pulling import readers_of, stage_pull

WITHOUT_HISTORY = {"createdate", "hs_object_id", "hs_merged_object_ids"}
CHECKED = "credentials, scopes and properties"


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage one load with everything that is new in HubSpot; none when nothing is.

    Raises:
        TryLater: HubSpot cannot serve now; nothing is staged and the next pull starts at the same cursor.
        ConfigError: The key, a scope or a mapped property is wrong.
    """
    api = HubSpotApi(settings.source(source_name).hubspot or HubSpotSettings())
    yield from stage_pull(
        settings,
        source_name,
        lake,
        api.client,
        lambda reader, held: _pages(api, reader, held),
        extracted_at=extracted_at,
        overlap=timedelta(minutes=api.settings.overlap_minutes),
        place=lambda table: f"hubspot:{KINDS[table].name}",
    )


def missing(settings: Settings, source_name: str) -> list[str]:
    """What stands between this source and a pull, in words: credentials, scopes, properties the portal lacks."""
    api = HubSpotApi(settings.source(source_name).hubspot or HubSpotSettings())
    found = []
    try:
        for table, reader in readers_of(settings, source_name).items():
            try:
                there = api.property_names(KINDS[table].name)
            except IcpError as problem:
                found.append(f"{KINDS[table].name}: {problem}")
                continue
            lacking = [name for name in properties_of(reader) if name not in there]
            found += [f"{KINDS[table].name}: the portal has no property {', '.join(lacking)}."] if lacking else []
    finally:
        api.client.close()
    return list(dict.fromkeys(found))


# -- one table ---------------------------------------------------------------------------------------------------------


def _pages(api: HubSpotApi, reader: TableReader, held: Known) -> Iterator[list[Record]]:
    """Clean records of the live and the archived list, each id once, with what they were before where that is wanted."""
    kind, names = KINDS[reader.table.name], properties_of(reader)
    if held.since is None:
        live = api.listed(kind.name, names)
    else:
        live = api.changed(kind.name, names, kind.stamp, int(held.since.timestamp() * 1000))
    reduced, keeps = reader.address_paths, keeps_merges(reader)
    seen: set[int] = set()
    for pages, archived in ((live, False), (api.listed(kind.name, names, archived=True), True)):
        for page in pages:
            fresh = {record["id"]: record for record in page if int(record["id"]) not in seen}
            records = [clean(record, kind, archived, reduced) for record in fresh.values()]
            seen.update(int(record["id"]) for record in records)
            if archived and held.since is not None:
                records = [record for record in records if stamp_of(record, kind) >= held.since]
            if kind.name == "deals" and records:
                _associate(api, records)
            gone = merged_away(records, kind, seen, held.merged) if keeps else ()
            before = _earlier(api, reader, records, held, archived) if kind.name == "companies" else []
            records = [*before, *records, *gone]
            if records:
                yield records


def _earlier(api: HubSpotApi, reader: TableReader, records: list[Record], held: Known, archived: bool) -> list[Record]:
    """The versions before the present one of these companies, from HubSpot's history of the mapped properties."""
    kind = KINDS[reader.table.name]
    if not api.settings.property_history or not records:
        return []
    names = [name for name in properties_of(reader) if name not in {*WITHOUT_HISTORY, kind.stamp}]
    histories = api.histories(kind.name, [record["id"] for record in records], names, archived=archived)
    return [
        version
        for record in records
        for version in earlier(record, kind, histories.get(record["id"], {}), held.since, reader.address_paths)
    ]


def _associate(api: HubSpotApi, records: list[Record]) -> None:
    companies = api.companies_of_deals([record["id"] for record in records])
    for record in records:
        found = [{"id": id_} for id_ in companies.get(record["id"], [])]
        record["associations"] = {"companies": {"results": found}}
