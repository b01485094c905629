"""What runs make, as Prefect's assets: landed tables, and the profile and lists made from them.

Events with lineage on any server (`prefect.asset.materialization.succeeded`); a page of their own only where the server
has one. Names are `icp://<lake's folder>/...`; nothing of their content leaves the lake.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icp.config import Settings

_log = logging.getLogger("icp.assets")


def leave_landed(settings: Settings, load_ids: Sequence[str]) -> None:
    """Tell of the tables these accepted loads brought rows of."""
    from icp.lake import Lake

    loads = [load for load in Lake(settings.lake).accepted_loads() if load.load_id in set(load_ids)]
    rows: dict[str, int] = {}
    for load in loads:
        for name, table in load.tables.items():
            rows[name] = rows.get(name, 0) + table.rows
    if rows:
        _leave({_landed(settings, name): {"rows": count} for name, count in rows.items()}, ())


def leave_published(settings: Settings, icp: str, revision: Path, verdict: str) -> None:
    """Tell of a revision's profile and lists, made from the tables that had landed."""
    from datetime import datetime

    from icp.lake import Lake
    from icp.published import PublishedStore

    as_of = datetime.fromisoformat(PublishedStore(settings.lake, icp).manifest(revision)["as_of"])
    name = f"{revision.parent.name}/{revision.name}"
    made = {f"{_root(settings)}/{icp}/{part}": {"revision": name, "verdict": verdict} for part in ("profile", "lists")}
    _leave(made, [_landed(settings, table) for table in sorted(Lake(settings.lake).landed_files(as_of))])


def _leave(made: Mapping[str, Mapping[str, object]], of: Sequence[str]) -> None:
    from prefect.assets import Asset, add_asset_metadata, materialize

    def lineage() -> None:
        for key, facts in made.items():
            add_asset_metadata(key, dict(facts))

    try:
        materialize(*made, asset_deps=[Asset(key=key) for key in of], name="lineage", persist_result=False)(lineage)()
    except Exception as error:  # noqa: BLE001  the run is done; only its lineage is lost, and that is said
        _log.warning("Prefect did not take the lineage of this run (%s).", type(error).__name__)


def _landed(settings: Settings, table: str) -> str:
    return f"{_root(settings)}/landing/{table}"


def _root(settings: Settings) -> str:
    folder = settings.root.name or "project"
    return f"icp://{''.join(c if c.isalnum() or c in '-_.' else '-' for c in folder)}"
