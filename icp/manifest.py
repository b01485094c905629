"""What is known about one load: where it came from, what it holds, and whether a gate accepted it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SourceFile:
    """One extract a load was made of; `path` is relative to the folder of icp.yml."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class LoadedTable:
    """One table of a load.

    Attributes:
        rows: Data rows landed.
        files: The extracts the rows come from.
        mapping_hash: Hash of everything in icp.yml and the contract that shaped the rows.
        sha256: Hash of the Parquet file.
        content_hash: Hash of the rows without `_extracted_at`: equal for equal extracts and mapping on any day.
        schema_hash: Hash of column names and types.
        path: Parquet file relative to the folder the load lies in (the lake once accepted).
    """

    rows: int
    files: tuple[SourceFile, ...]
    mapping_hash: str
    sha256: str
    content_hash: str
    schema_hash: str
    path: str


@dataclass(frozen=True)
class Manifest:
    """One load: one source, one effective instant.

    `supersedes` names loads whose tables this one replaces, table by table: a table of an older load that this load
    does not carry stays in force. `cursors` says, by table, up to which instant of the vendor's clock a pull has read: the
    next pull starts there, so a cursor moves only with a load that was accepted. For vendors asked by domain it is the
    number of the last answer.
    """

    load_id: str
    source: str
    extracted_at: datetime
    effective_at: datetime
    supersedes: tuple[str, ...]
    tables: Mapping[str, LoadedTable]
    gate: Mapping[str, Any]
    cursors: Mapping[str, str] = field(default_factory=dict)

    @property
    def age_order(self) -> tuple[datetime, datetime, str]:
        """Later sorts after earlier; of two versions of a row the one in the last load stands."""
        return (self.effective_at, self.extracted_at, self.load_id)

    def to_json(self) -> dict[str, Any]:
        """The manifest as plain JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "load_id": self.load_id,
            "source": self.source,
            "extracted_at": iso(self.extracted_at),
            "effective_at": iso(self.effective_at),
            "supersedes": list(self.supersedes),
            "tables": {name: asdict(table) for name, table in sorted(self.tables.items())},
            "gate": dict(self.gate),
            **({"cursors": dict(self.cursors)} if self.cursors else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Manifest:
        """The manifest `to_json` wrote."""
        return cls(
            load_id=content["load_id"],
            source=content["source"],
            extracted_at=datetime.fromisoformat(content["extracted_at"]),
            effective_at=datetime.fromisoformat(content["effective_at"]),
            supersedes=tuple(content["supersedes"]),
            tables={name: _table(table) for name, table in content["tables"].items()},
            gate=content["gate"],
            cursors=content.get("cursors", {}),
        )


def _table(content: Mapping[str, Any]) -> LoadedTable:
    return LoadedTable(**{**content, "files": tuple(SourceFile(**file) for file in content["files"])})


def iso(instant: datetime) -> str:
    """UTC, ISO 8601, `Z`: the one way instants are written in the lake."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
