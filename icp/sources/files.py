"""The files source: extracts in a folder, landed through the column mapping of icp.yml.

An extract is landed once: its bytes and its mapping are remembered in the manifests. Changed bytes are a new version of
the rows; a changed mapping reads the extract again and replaces what the old mapping made of it.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from icp import atomic
from icp.config import Settings
from icp.config_schema import TableMapping
from icp.config_storage import StorageSettings, scheme_of
from icp.errors import ConfigError, TryLater
from icp.lake import Lake, Manifest, SourceFile, StagedLoad, TableToLand
from icp.sources.failures import FOLDER
from icp.sources.mapping import TableReader
from icp.sources.storage import Seen, stored

CHECKED = "every path has files"


@dataclass(frozen=True)
class Extract:
    """One file mapped to one table, not read yet. `effective_at` is None when nothing says when its data were true.

    `file` is its path, or its URL's, for its name and suffix; `read` brings its bytes.
    """

    table: str
    file: Path
    source: SourceFile
    mapping_hash: str
    effective_at: datetime | None
    read: Callable[[], bytes] = field(compare=False, repr=False)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes landing it again pointless: table, bytes and mapping."""
        return (self.table, self.source.sha256, self.mapping_hash)


@dataclass(frozen=True)
class PlannedLoad:
    """Extracts that will land together, and the loads they replace."""

    effective_at: datetime
    extracts: tuple[Extract, ...]
    supersedes: tuple[str, ...] = ()


def pull(settings: Settings, source_name: str, lake: Lake, *, extracted_at: datetime) -> Iterator[StagedLoad]:
    """Stage everything new of one source, one load per instant the data were true at, oldest first.

    The caller gates each staged load and calls `lake.accept` or `lake.quarantine`. Rows that cannot be right (duplicate
    keys, unreadable values, empty required columns) are left to the gate; files that cannot be read are refused here.

    Args:
        settings: The checked icp.yml.
        source_name: Which source.
        lake: Where to stage; hold its lock.
        extracted_at: Now, for extracts that do not say when their data were true.

    Raises:
        ConfigError: A file is missing, empty, damaged or lacks mapped columns. Nothing of that load is kept.
    """
    tables = settings.source(source_name).tables
    readers = {
        name: TableReader(settings.root, mapping, settings.contract.tables[name], settings.calendar.timezone)
        for name, mapping in tables.items()
    }
    seen = Seen(lake.root / FOLDER / f"{source_name}.files.json")
    extracts = [found for name in tables for found in _discover(settings, source_name, name, readers[name], seen)]
    seen.keep()
    for load in plan(extracts, source_name, lake, extracted_at):
        yield _stage(load, source_name, readers, lake, extracted_at)


def missing(settings: Settings, source_name: str) -> list[str]:
    """Tables of a source whose path matches no file, or whose storage cannot be read, in words."""
    found = []
    source = settings.source(source_name)
    for name, mapping in source.tables.items():
        place = f"sources.{source_name}.tables.{name}"
        try:
            if scheme_of(mapping.path) is not None:
                stored(place, mapping.path, source.storage or StorageSettings())
            else:
                _files(place, mapping.path, settings.root)
        except (ConfigError, TryLater) as problem:
            found.append(str(problem))
    return found


def plan(extracts: list[Extract], source_name: str, lake: Lake, extracted_at: datetime) -> list[PlannedLoad]:
    """Which extracts land in which load, oldest first; empty when everything has landed or was refused unchanged."""
    history = [load for load in lake.loads() if load.source == source_name]
    current = [load for load in lake.accepted_loads() if load.source == source_name]
    landed = {key for load in current for key in _identities(load)}
    refused = _still_refused(lake, source_name, {extract.identity for extract in extracts})
    new = [extract for extract in extracts if extract.identity not in landed | refused]
    replaced = {extract: _replaced(extract, new, current) for extract in new}
    groups: dict[tuple[datetime, str], list[Extract]] = {}
    for extract in new:
        effective_at = extract.effective_at or _first_landed(extract, history) or extracted_at
        # A load that replaces others carries one table, so that it cannot replace more than it has read again.
        groups.setdefault((effective_at, extract.table if replaced[extract] else ""), []).append(extract)
    return [
        PlannedLoad(effective_at, tuple(group), tuple(sorted({name for e in group for name in replaced[e]})))
        for (effective_at, _), group in sorted(groups.items(), key=lambda item: item[0])
    ]


def _identities(load: Manifest) -> Iterator[tuple[str, str, str]]:
    for name, table in load.tables.items():
        for file in table.files:
            yield (name, file.sha256, table.mapping_hash)


def _still_refused(lake: Lake, source_name: str, found: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Extracts of quarantined loads none of whose extracts or mappings changed: trying again would refuse again."""
    refused = [set(_identities(q.manifest)) for q in lake.quarantined() if q.manifest.source == source_name]
    return {key for keys in refused if keys <= found for key in keys}


def _replaced(extract: Extract, new: list[Extract], current: list[Manifest]) -> tuple[str, ...]:
    """Loads that read this extract under an older mapping, if every extract of that table is there to be read again."""
    at_hand = {e.source.sha256 for e in new if e.table == extract.table}
    return tuple(
        load.load_id
        for load in current
        if (table := load.tables.get(extract.table)) is not None
        and extract.source.sha256 in {file.sha256 for file in table.files} <= at_hand
    )


def _first_landed(extract: Extract, history: list[Manifest]) -> datetime | None:
    """An undated extract read again under a new mapping is as old as when it first came, not as new as today."""
    dates = [
        load.effective_at
        for load in history
        if (table := load.tables.get(extract.table)) and extract.source.sha256 in {f.sha256 for f in table.files}
    ]
    return min(dates, default=None)


def _stage(
    load: PlannedLoad, source_name: str, readers: Mapping[str, TableReader], lake: Lake, extracted_at: datetime
) -> StagedLoad:
    names = sorted({extract.table for extract in load.extracts})
    tables = {name: _read([e for e in load.extracts if e.table == name], readers[name]) for name in names}
    return lake.stage_load(
        source=source_name,
        effective_at=load.effective_at,
        extracted_at=extracted_at,
        tables=tables,
        supersedes=load.supersedes,
    )


def _read(extracts: list[Extract], reader: TableReader) -> TableToLand:
    import pyarrow as pa

    parts = [reader.read(extract.file, _bytes_of(extract), extract.source.path) for extract in extracts]
    return TableToLand(pa.concat_tables(parts), tuple(e.source for e in extracts), reader.mapping_hash)


def _bytes_of(extract: Extract) -> bytes:
    data = extract.read()
    if _digest(data) != extract.source.sha256:
        raise ConfigError(f"{extract.source.path} changed while it was being read. Run again when it is complete.")
    return data


# -- discovery ---------------------------------------------------------------------------------------------------------


def _discover(settings: Settings, source_name: str, table: str, reader: TableReader, seen: Seen) -> Iterator[Extract]:
    place = f"sources.{source_name}.tables.{table}"
    dated = _dating(place, reader.mapping, settings)
    if scheme_of(reader.mapping.path) is not None:
        storage = settings.source(source_name).storage or StorageSettings()
        for each in stored(place, reader.mapping.path, storage):
            source = SourceFile(each.url, seen.hash_of(each, _digest), each.size)
            name = Path(urlsplit(each.url).path)
            yield Extract(table, name, source, reader.mapping_hash, dated(name), each.read)
        return
    for file in _files(place, reader.mapping.path, settings.root):
        path = Path(os.path.relpath(file, settings.root)).as_posix()
        source = SourceFile(path, atomic.sha256_of(file), file.stat().st_size)
        yield Extract(table, file, source, reader.mapping_hash, dated(file), file.read_bytes)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _files(place: str, pattern: str, root: Path) -> list[Path]:
    whole = root / Path(pattern).expanduser()
    files = sorted(Path(name) for name in _expanded(whole) if Path(name).is_file())
    if files:
        return files
    if not whole.parent.is_dir() and not glob.has_magic(str(whole.parent)):
        raise ConfigError(f"{place}: no file matches {pattern}: the folder {whole.parent} does not exist.")
    raise ConfigError(f"{place}: no file matches {pattern} below {root}.{_near(whole)} Correct `path` or fetch it.")


def _expanded(whole: Path) -> list[str]:
    # Path.glob cannot take a pattern that is absolute or climbs with "..", and extracts may lie beside the project.
    return glob.glob(str(whole), recursive=True)  # noqa: PTH207


def _near(whole: Path) -> str:
    names = sorted(path.name for path in whole.parent.iterdir() if path.is_file()) if whole.parent.is_dir() else []
    near = get_close_matches(whole.name, names, n=1, cutoff=0.5)
    if near:
        return f" Did you mean {near[0]}?"
    return f" The folder has: {', '.join(names[:10])}." if names else " The folder is empty."


def _dating(place: str, mapping: TableMapping, settings: Settings) -> Callable[[Path], datetime | None]:
    """How an extract of this table is dated: by configuration, by its name, or not at all."""
    when = mapping.effective_at
    if when is None:
        return lambda file: None
    if when.date is not None:
        fixed = _instant(when.date, settings)
        return lambda file: fixed
    pattern = re.compile(str(when.from_filename))
    return lambda file: _date_in_name(place, pattern, file, settings)


def _date_in_name(place: str, pattern: re.Pattern[str], file: Path, settings: Settings) -> datetime:
    match = pattern.search(file.name)
    if match is None:
        raise ConfigError(f"{place}: `from_filename` {pattern.pattern!r} does not match {file.name}. Correct it.")
    try:
        return _instant(datetime.fromisoformat(match[1]), settings)
    except ValueError:
        raise ConfigError(f"{place}: {match[1]!r} in {file.name} is not a date. Use names with 2026-09-30.") from None


def _instant(day: date, settings: Settings) -> datetime:
    """A day is its first instant in the company's time zone; a time without a zone is in it, too."""
    moment = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)
    return (moment if moment.tzinfo else moment.replace(tzinfo=settings.calendar.zone)).astimezone(UTC)
