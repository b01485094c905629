"""The landing side of the lake: what arrived, append-only Parquet with a manifest per load.

A load is staged in `landing/_incoming`, looked at by a gate, and then either accepted (its tables are renamed into
place and its manifest is written last: a load without a manifest does not exist) or quarantined whole. A kill at any
instant leaves either no load or all of it; what a dead run left behind is swept by the next one that takes the lock.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from icp import atomic
from icp.errors import ConfigError
from icp.landing import TableToLand, load_id_of, write_table
from icp.lock import hold
from icp.manifest import LoadedTable, Manifest, SourceFile, iso

__all__ = ["Lake", "LoadedTable", "Manifest", "QuarantinedLoad", "SourceFile", "StagedLoad", "TableToLand"]

PART = "part-0.parquet"


@dataclass(frozen=True)
class StagedLoad:
    """A load waiting for its gate in `folder`; readers do not see it. `notes`: what whoever lands it should know."""

    folder: Path
    manifest: Manifest
    notes: tuple[str, ...] = ()

    @property
    def load_id(self) -> str:
        """The load's name: when its data were true, and a hash of extracts and mapping."""
        return self.manifest.load_id

    @property
    def source(self) -> str:
        """The source it comes from."""
        return self.manifest.source

    @property
    def tables(self) -> Mapping[str, LoadedTable]:
        """What is staged, by table."""
        return self.manifest.tables

    @property
    def rows(self) -> int:
        """Data rows of all tables together."""
        return sum(table.rows for table in self.tables.values())

    def table_path(self, table: str) -> Path:
        """The staged Parquet file of one table, for the gate to read."""
        return self.folder / self.tables[table].path


@dataclass(frozen=True)
class QuarantinedLoad:
    """A refused load, kept whole: its manifest and the gate's report (rule, column, count, rows)."""

    folder: Path
    manifest: Manifest
    report: Mapping[str, Any]


class Lake:
    """The lake below one folder. Reading needs no lock; whoever stages, accepts or releases holds `lock()`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.landing = self.root / "landing"
        self.incoming = self.landing / "_incoming"
        self.quarantine_root = self.root / "quarantine"

    # -- landing -------------------------------------------------------------------------------------------------------

    def stage_load(
        self,
        *,
        source: str,
        effective_at: datetime,
        extracted_at: datetime,
        tables: Mapping[str, TableToLand],
        supersedes: tuple[str, ...] = (),
        cursors: Mapping[str, str] | None = None,
    ) -> StagedLoad:
        """Write the tables of one load aside, where the gate can read them and nobody else does."""
        load_id = load_id_of(effective_at, tables, supersedes)
        folder = self._claim(load_id)
        folder.mkdir(parents=True)
        written = {
            name: write_table(folder, f"{name}/{PART}", table, load_id, effective_at, extracted_at)
            for name, table in sorted(tables.items())
        }
        gate = {"status": "pending", "results": []}
        replaced = tuple(sorted(supersedes))
        manifest = Manifest(load_id, source, extracted_at, effective_at, replaced, written, gate, cursors or {})
        return StagedLoad(folder, manifest)

    @contextmanager
    def room(self, name: str) -> Iterator[Path]:
        """A folder for what is not a load yet; gone when the block ends, or swept when its process was killed."""
        folder = self._claim(f"rows-of-{name}")
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            atomic.remove_folder(folder)

    def accept(self, staged: StagedLoad, gate: Mapping[str, Any]) -> Manifest:
        """Make a staged load part of the landing zone; the manifest, written last, is what makes it exist.

        Args:
            staged: What `stage_load` returned.
            gate: What the gate found; `results` and any other keys are kept, `status` becomes "accepted".
        """
        manifest = self._placed(staged.manifest, {**gate, "status": "accepted"})
        if self._manifest_path(manifest).exists():
            atomic.remove_folder(staged.folder)
            return Manifest.from_json(atomic.read_json(self._manifest_path(manifest)))
        for table in sorted(manifest.tables):
            target = self._table_folder(manifest, table)
            atomic.remove_folder(target)
            atomic.rename_folder(staged.folder / table, target)
        atomic.write_json(self._manifest_path(manifest), manifest.to_json())
        atomic.remove_folder(staged.folder)
        return manifest

    def quarantine(self, staged: StagedLoad, report: Mapping[str, Any]) -> QuarantinedLoad:
        """Put a refused load aside whole, with the report that names rows and rules; nothing of it is readable as data.

        Args:
            staged: What `stage_load` returned.
            report: The gate's report; it is kept beside the load and in its manifest.
        """
        manifest = replace(staged.manifest, gate={**report, "status": "rejected"})
        atomic.write_json(staged.folder / "manifest.json", manifest.to_json())
        atomic.write_json(staged.folder / "report.json", dict(report))
        target = self._quarantine_folder(manifest)
        atomic.remove_folder(target)
        atomic.rename_folder(staged.folder, target)
        return QuarantinedLoad(target, manifest, report)

    # -- reading -------------------------------------------------------------------------------------------------------

    def accepted_loads(self, as_of: datetime | None = None) -> list[Manifest]:
        """Loads that count at `as_of` (all when None), oldest first: true by then and not wholly superseded.

        A load is superseded for good: when its extract was re-landed under a corrected mapping or date, the old reading
        does not come back for earlier quarters.
        """
        loads = self.loads()
        current = [(load, self._current_tables(load, loads)) for load in loads]
        return [
            replace(load, tables=tables)
            for load, tables in current
            if tables and (as_of is None or load.effective_at <= as_of)
        ]

    def landed_files(self, as_of: datetime | None = None) -> dict[str, list[str]]:
        """For each table the absolute paths of the Parquet files that count at `as_of`, oldest load first."""
        files: dict[str, list[str]] = {}
        for load in self.accepted_loads(as_of):
            for name, table in load.tables.items():
                files.setdefault(name, []).append(str(self.root / table.path))
        return files

    def inputs_hash(self, as_of: datetime) -> str:
        """One hash of everything a quarter is made from; equal when equal extracts were landed with equal dates."""
        parts = [
            f"{load.source}/{name}/{load.load_id}/{table.content_hash}"
            for load in self.accepted_loads(as_of)
            for name, table in sorted(load.tables.items())
        ]
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()

    def loads(self) -> list[Manifest]:
        """Every load ever accepted, superseded ones included, oldest first."""
        return sorted(self._manifests(), key=lambda load: load.age_order)

    # -- quarantine ----------------------------------------------------------------------------------------------------

    def quarantined(self) -> list[QuarantinedLoad]:
        """Loads in quarantine, oldest first."""
        folders = sorted(path.parent for path in self.quarantine_root.glob("*/*/manifest.json"))
        loads = [_quarantined(folder) for folder in folders if not folder.name.startswith(".")]
        return sorted(loads, key=lambda load: load.manifest.age_order)

    def release(self, load_id: str, *, reason: str, by: str = "", at: datetime | None = None) -> Manifest:
        """Accept a quarantined load after all (takes the lock); the manifest keeps who answered for it and why."""
        with self.lock():
            load = self._find_quarantined(load_id)
            entry = _log_entry("released", load, by, reason, at)
            copy = self._claim(load_id)
            shutil.copytree(load.folder, copy)
            manifest = self.accept(StagedLoad(copy, load.manifest), {**load.manifest.gate, "released": entry})
            self._log_quarantine(entry)
            atomic.remove_folder(load.folder)
            return manifest

    def drop(self, load_id: str, *, reason: str = "", by: str = "", at: datetime | None = None) -> None:
        """Forget a quarantined load (takes the lock). Its extracts stay; the next ingest tries them again."""
        with self.lock():
            load = self._find_quarantined(load_id)
            self._log_quarantine(_log_entry("dropped", load, by, reason, at))
            atomic.remove_folder(load.folder)

    def _find_quarantined(self, load_id: str) -> QuarantinedLoad:
        loads = self.quarantined()
        for load in loads:
            if load.manifest.load_id == load_id:
                return load
        held = ", ".join(load.manifest.load_id for load in loads) or "no load"
        raise ConfigError(f"No load {load_id!r} is in quarantine; it holds {held}. See `icp quarantine list`.")

    def _log_quarantine(self, entry: Mapping[str, str]) -> None:
        log = self.quarantine_root / "log.json"
        entries = atomic.read_json(log) if log.exists() else []
        atomic.write_json(log, [*entries, entry])

    # -- runs, lock, sweeping ------------------------------------------------------------------------------------------

    def write_run(self, run_id: str, record: Mapping[str, Any]) -> Path:
        """Keep the record of one run (what it was asked, did and found) in the ledger `runs/`."""
        path = self.root / "runs" / f"{run_id}.json"
        atomic.write_json(path, {"schema_version": 1, "run_id": run_id, **record})
        return path

    def runs(self) -> list[dict[str, Any]]:
        """Records of all runs, by id."""
        return [atomic.read_json(path) for path in sorted((self.root / "runs").glob("*.json"))]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer of this lake; sweeps first what dead runs left behind.

        Raises:
            LockHeld: Another process writes; the message says which one, where and since when.
        """
        with hold(self.root):
            self.sweep()
            yield

    def sweep(self) -> list[Path]:
        """Remove what killed runs left: staged loads of dead processes and tables whose manifest was never written."""
        rubbish = [*self._dead_staging(), *self._orphan_tables(), *self._left_in_quarantine()]
        for folder in rubbish:
            atomic.remove_folder(folder)
        for file in self.root.glob("**/.*.tmp"):
            file.unlink()
        return rubbish

    def _dead_staging(self) -> list[Path]:
        staged = self.incoming.iterdir() if self.incoming.is_dir() else ()
        return [folder for folder in staged if not atomic.is_claimed(folder.name)]

    def _orphan_tables(self) -> list[Path]:
        known = {(load.source, f"load_id={load.load_id}") for load in self._manifests()}
        folders = self.landing.glob("*/*/*load_id=*")
        return [folder for folder in folders if (folder.parent.parent.name, folder.name) not in known]

    def _left_in_quarantine(self) -> list[Path]:
        known = {(load.source, load.load_id) for load in self._manifests()}
        folders = self.quarantine_root.glob("*/*/")
        return [f for f in folders if f.name.startswith(".") or (f.parent.name, f.name) in known]

    # -- places --------------------------------------------------------------------------------------------------------

    def _claim(self, load_id: str) -> Path:
        folder = self.incoming / atomic.claim(load_id)
        atomic.remove_folder(folder)
        return folder

    def _manifests(self) -> list[Manifest]:
        paths = sorted((self.landing / "_loads").glob("*/[!.]*.json"))
        return [Manifest.from_json(atomic.read_json(path)) for path in paths]

    def _current_tables(self, load: Manifest, loads: list[Manifest]) -> dict[str, LoadedTable]:
        replaced = {name for other in loads if load.load_id in other.supersedes for name in other.tables}
        return {name: table for name, table in load.tables.items() if name not in replaced}

    def _placed(self, manifest: Manifest, gate: Mapping[str, Any]) -> Manifest:
        tables = {
            name: replace(table, path=f"landing/{manifest.source}/{name}/load_id={manifest.load_id}/{PART}")
            for name, table in manifest.tables.items()
        }
        return replace(manifest, tables=tables, gate=gate)

    def _table_folder(self, manifest: Manifest, table: str) -> Path:
        return self.landing / manifest.source / table / f"load_id={manifest.load_id}"

    def _manifest_path(self, manifest: Manifest) -> Path:
        return self.landing / "_loads" / manifest.source / f"{manifest.load_id}.json"

    def _quarantine_folder(self, manifest: Manifest) -> Path:
        return self.quarantine_root / manifest.source / manifest.load_id


def _quarantined(folder: Path) -> QuarantinedLoad:
    manifest = Manifest.from_json(atomic.read_json(folder / "manifest.json"))
    return QuarantinedLoad(folder, manifest, atomic.read_json(folder / "report.json"))


def _log_entry(action: str, load: QuarantinedLoad, by: str, reason: str, at: datetime | None) -> dict[str, str]:
    who = {"by": by, "reason": reason, "at": iso(at) if at else ""}
    return {"action": action, "load_id": load.manifest.load_id, "source": load.manifest.source, **who}
