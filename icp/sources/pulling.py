"""What every pull from a vendor's API does: read on from the cursor, spool rows to disk, stage one load with new cursors.

The cursor is the vendor's own clock when the pull began and lies in the manifest of the load, so it moves only when the
load is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from icp import atomic
from icp.config import Settings
from icp.lake import Lake, SourceFile, StagedLoad, TableToLand
from icp.manifest import iso
from icp.sources.http_client import VendorClient
from icp.sources.known import Known, known, new_rows
from icp.sources.mapping import TableReader
from icp.spool import Spool

BATCH = 5000
Record = dict[str, Any]
Pages = Callable[[TableReader, Known], Iterator[list[Record]]]


def readers_of(settings: Settings, source_name: str) -> dict[str, TableReader]:
    """The reader of every table of a source."""
    return {
        name: TableReader(settings.root, mapping, settings.contract.tables[name], settings.calendar.timezone)
        for name, mapping in settings.source(source_name).tables.items()
    }


def stage_pull(
    settings: Settings,
    source_name: str,
    lake: Lake,
    client: VendorClient,
    pages: Pages,
    *,
    extracted_at: datetime,
    overlap: timedelta,
    place: Callable[[str], str],
) -> Iterator[StagedLoad]:
    """Stage one load with everything that is new; none when nothing is.

    Args:
        settings: The project.
        source_name: The source in icp.yml.
        lake: Where loads lie.
        client: Closed at the end; its first answer tells the vendor's clock.
        pages: Records of a table from what is known of it on, as the mapping reads them.
        extracted_at: When this pull began.
        overlap: How far two pulls overlap; rows landed before are not landed twice.
        place: What a table's rows say they come from.
    """
    readers = readers_of(settings, source_name)
    with lake.room(source_name) as room:
        try:
            tables = {
                name: _table(reader, known(lake, source_name, reader, overlap), pages, room, place(name))
                for name, reader in sorted(readers.items())
            }
        finally:
            client.close()
        new = {name: table for name, table in tables.items() if table.data.num_rows}
        if new:
            cursors = dict.fromkeys(tables, iso(_server_time(client, extracted_at)))
            yield lake.stage_load(
                source=source_name, effective_at=extracted_at, extracted_at=extracted_at, tables=new, cursors=cursors
            )


def _table(reader: TableReader, held: Known, pages: Pages, room: Path, place: str) -> TableToLand:
    spool = Spool(room / f"{reader.table.name}.parquet", reader.empty().schema)
    gathered = reader.columns(place)
    for page in pages(reader, held):
        gathered.add(page)
        if gathered.rows >= BATCH:
            spool.append(new_rows(reader.shaped(gathered.read(), place), reader, held))
            gathered = reader.columns(place)
    if gathered.rows:
        spool.append(new_rows(reader.shaped(gathered.read(), place), reader, held))
    spool.close()
    digest = atomic.sha256_of(spool.path)  # equal pulls make equal loads
    return TableToLand(spool, (SourceFile(place, digest, spool.path.stat().st_size),), reader.mapping_hash)


def _server_time(client: VendorClient, extracted_at: datetime) -> datetime:
    """The vendor's clock when the pull began; ours only where it names none (a wrong clock of ours loses nothing)."""
    try:
        return parsedate_to_datetime(str(client.server_time))
    except ValueError:
        return extracted_at
