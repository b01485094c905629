"""What a destination should hold: fields of accounts by dbt, the rows of a list, or a list as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icp.destinations.shelf import KEY
from icp.errors import ConfigError, GateFailed

if TYPE_CHECKING:
    from flows.sync import Desk
    from icp.destinations.destination import Values
    from icp.published import PublishedStore


@dataclass(frozen=True)
class Wanted:
    """By account what it should hold, of which revision; `riders` are properties that go only with another one."""

    revision: str
    values: dict[str, Values]
    columns: tuple[str, ...]
    riders: frozenset[str] = frozenset()


def wanted_by(desk: Desk, told: Mapping[str, Values]) -> Wanted:
    """What the revision in force has for this destination.

    Raises:
        ConfigError: nothing is in force, or the revision has no such list.
        GateFailed: a test of what would be sent failed.
    """
    from icp.config_destinations import ListSection
    from icp.published import PublishedStore

    store = PublishedStore(desk.settings.lake, desk.section.icp or desk.settings.default_icp())
    current = store.current()
    if current is None:
        raise ConfigError("No revision is in force. `icp approve` one first.")
    folder = store.path(current["quarter"], current["revision"])
    revision = f"{current['quarter']} r{current['revision']}"
    if desk.takes == "fields":
        return _fields(desk, store, folder, revision, told)
    assert isinstance(desk.section, ListSection)
    name, file = desk.section.list, _list_file(folder, desk.section.list)
    if desk.takes == "list":
        return Wanted(revision, {name: {"list": desk.shelf.put(revision, file)}}, ("list",))
    return _rows(file, revision, told)


def _list_file(revision: Path, name: str) -> Path:
    file = revision / ("accounts.parquet" if name == "accounts" else f"destinations/sync_{name}.parquet")
    if not file.exists():
        raise ConfigError(
            f"The revision in force has no list {name!r}. `icp new destination {name}` scaffolds one; the next refresh "
            "publishes it. The list of all accounts is called accounts."
        )
    return file


def _rows(file: Path, revision: str, told: Mapping[str, Values]) -> Wanted:
    from icp.destinations.shelf import rows_as_json

    values: dict[str, Values] = {account: {"row": None} for account in told}  # those that left the list
    values |= {account: {"row": row} for account, row in rows_as_json(file)}
    return Wanted(revision, values, ("row",))


def _fields(desk: Desk, store: PublishedStore, folder: Path, revision: str, told: Mapping[str, Values]) -> Wanted:
    """By the model sync_<kind>: only where it differs from what was told; let through by its suite."""
    import pandas as pd

    import flows.dbt_project
    from icp.destinations.destination import as_text

    scratch, model = desk.folder / "cache", f"sync_{desk.section.kind}"
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / "wanted.parquet"
    variables = {
        "sync_list_path": str(folder / "accounts.parquet"),
        "sync_version": revision,
        "sync_scored_on": store.manifest(folder)["as_of"][:10],
        "sync_told_path": _told_file(scratch / "told.parquet", desk.settings.dbt_project, model, told),
        "sync_path": str(target),
    }
    columns = flows.dbt_project.build(
        desk.settings.dbt_project,
        select=(f"+{model}",),
        variables=variables,
        warehouse=scratch / "warehouse.duckdb",
        scratch=scratch,
    )[model]
    names = tuple(name for name in columns if name != KEY)
    frame = pd.read_parquet(target)
    check_fields(frame, names, desk.section.kind, desk.settings.dbt_project.parent)
    values = {str(row[KEY]): {n: as_text(row[n]) for n in names} for row in frame.to_dict("records")}
    riders = frozenset(name for name in names if columns[name]["meta"].get("rides_along"))
    return Wanted(revision, values, names, riders)


def check_fields(frame: Any, columns: tuple[str, ...], kind: str, project: Path) -> None:
    """Stop before anything is planned where a value could not be written, or may not be.

    Raises:
        GateFailed: a critical rule of `expectations/sync/<kind>.yml` does not hold.
    """
    from expectations.gate import run_suite, suite_path

    if frame.empty:
        return
    found = run_suite(
        suite_path(f"sync/{kind}", project), frame, label=f"what {kind} is told", index_columns=(KEY,),
        parameters={name: name for name in columns},
    )  # fmt: skip
    if not found.success:
        raise GateFailed(f"Nothing was planned or sent.\n{found.summary()}")


def _told_file(path: Path, project: Path, model: str, told: Mapping[str, Values]) -> str:
    """What the CRM was last told as the model reads it; empty before the first write."""
    import pandas as pd
    from ruamel.yaml import YAML

    if not told:
        return ""
    page = YAML(typ="safe").load((project / f"models/sync/{model}.yml").read_text(encoding="utf-8"))
    names = [column["name"] for column in page["models"][0]["columns"]]
    rows = [{KEY: account, **values} for account, values in told.items()]
    pd.DataFrame(rows).reindex(columns=names).astype("string").to_parquet(path)
    return str(path)
