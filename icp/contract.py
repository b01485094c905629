"""The canonical landing contract: which tables and columns the files source lands, read from the dbt sources page.

The page (`dbt_project/models/staging/_files__sources.yml`) is the one place where they are written; dbt and Python both
read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from icp.errors import ConfigError

SOURCES_PAGE = Path("models/staging/_files__sources.yml")
BOOKKEEPING = ("_load_id", "_effective_at", "_extracted_at", "_source_file", "_row", "_parse_errors")

DataType = Literal["varchar", "double", "boolean", "timestamp", "date"]


@dataclass(frozen=True)
class Column:
    """One canonical column. `derived` names how landing fills it; such a column is never mapped."""

    name: str
    data_type: DataType
    description: str = ""
    required: bool = False
    derived: str | None = None


@dataclass(frozen=True)
class Table:
    """One canonical table; `key` identifies a row, and of two rows with the same key the later one stands.

    `stale_after_days` is how old its newest load may be before a report says so; None never says.
    """

    name: str
    description: str
    required: bool
    key: tuple[str, ...]
    order: str | None
    columns: tuple[Column, ...]
    stale_after_days: int | None = None

    def column(self, name: str) -> Column | None:
        """The column of this name; None when the table has none."""
        return next((c for c in self.columns if c.name == name), None)

    @property
    def mappable(self) -> tuple[str, ...]:
        """Names that `icp.yml` may map."""
        return tuple(c.name for c in self.columns if c.derived is None)

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Names that `icp.yml` must map and that may not be empty in any row."""
        return tuple(c.name for c in self.columns if c.required and c.derived is None)


@dataclass(frozen=True)
class Contract:
    """All canonical tables by name."""

    tables: Mapping[str, Table]


@lru_cache(maxsize=8)
def load(dbt_project: Path) -> Contract:
    """The contract of a dbt project folder."""
    from ruamel.yaml import YAML

    page = dbt_project / SOURCES_PAGE
    if not page.is_file():
        raise ConfigError(f"{page} is missing: it holds the landing contract. Restore it, or run `icp init` again.")
    content = YAML(typ="safe").load(page)
    files = next(source for source in content["sources"] if source["name"] == "files")
    return Contract({table["name"]: _table(table, page) for table in files["tables"]})


def _table(entry: Mapping[str, Any], page: Path) -> Table:
    meta = entry.get("meta", {})
    table = Table(
        name=entry["name"],
        description=entry.get("description", ""),
        required=meta.get("required", False),
        key=tuple(meta.get("key", ())),
        order=meta.get("order"),
        columns=tuple(_column(column, f"{page.name}: {entry['name']}") for column in entry["columns"]),
        stale_after_days=_stale_after(entry, f"{page.name}: {entry['name']}"),
    )
    unknown = [name for name in (*table.key, table.order) if name is not None and table.column(name) is None]
    if unknown:
        raise ConfigError(f"{page.name}: key or order of {table.name} names columns it lacks: {', '.join(unknown)}.")
    return table


def _stale_after(entry: Mapping[str, Any], place: str) -> int | None:
    limit = (entry.get("config", {}).get("freshness") or {}).get("warn_after")
    if limit is None:
        return None
    if limit.get("period") != "day":
        raise ConfigError(f"{place}: freshness.warn_after counts in {limit.get('period')!r}. Count it in period: day.")
    return int(limit["count"])


def _column(entry: Mapping[str, Any], place: str) -> Column:
    data_type: Any = entry.get("data_type")
    known = get_args(DataType)
    if data_type not in known:
        raise ConfigError(
            f"{place}.{entry['name']} has data_type {data_type!r}. Landing knows {', '.join(known)}; use one of these."
        )
    meta = entry.get("meta", {})
    return Column(
        name=entry["name"],
        data_type=data_type,
        description=entry.get("description", ""),
        required=meta.get("required", False),
        derived=meta.get("derived"),
    )
