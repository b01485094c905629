"""Write-back to a CRM, step by step: plan (nothing is sent), approve by naming the plan, apply, undo, status."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icp.errors import ConfigError, PartialWriteBack

if TYPE_CHECKING:
    from icp.config import Settings
    from icp.config_destinations import DestinationSection
    from icp.destinations.crm import Connection, Crm, Values
    from icp.destinations.ledger import Ledger, Row

KEY = "account_id"
SAMPLE = 100
SHOWN_ROWS = 10
NAME_LENGTH = 10


@dataclass(frozen=True)
class Desk:
    """Everything one destination is worked with."""

    settings: Settings
    name: str
    section: DestinationSection
    ledger: Ledger
    crm: Crm
    connection: Connection

    @property
    def folder(self) -> Path:
        return self.settings.lake / "sync" / self.name


@contextmanager
def at_desk(settings: Settings, name: str, *, alone: bool = True) -> Iterator[Desk]:
    """The ledger and the CRM of a destination; one run at a time.

    Raises:
        ConfigError: icp.yml has no such destination, or its key is not set.
        LockHeld: another run writes to it.
    """
    from contextlib import nullcontext

    from icp import lock
    from icp.config import secret
    from icp.destinations.crm import Connection
    from icp.destinations.hubspot import HubSpot
    from icp.destinations.ledger import Ledger
    from icp.destinations.salesforce import Salesforce

    section = settings.destinations.get(name)
    if section is None:
        known = ", ".join(settings.destinations) or "none"
        raise ConfigError(f"icp.yml has no destination {name!r} under `destinations` (it has: {known}).")
    kinds: dict[str, tuple[str, Callable[[Connection, str], Crm]]] = {
        "hubspot": ("HubSpot", HubSpot),
        "salesforce": ("Salesforce", Salesforce),
    }
    label, kind = kinds[section.kind]
    folder = settings.lake / "sync" / name
    with lock.hold(folder) if alone else nullcontext():
        ledger = Ledger(folder)
        connection = Connection(label, section, secret(section.token_env))
        try:
            yield Desk(settings, name, section, ledger, kind(connection, section.version), connection)
        finally:
            ledger.close()


def plan(desk: Desk) -> dict[str, Any]:
    """Plan what would be written and keep it in the ledger; reads the CRM, writes nothing to it.

    Answers the plan: its name (by which it is approved), counts, the rows and the values of people left alone.

    Raises:
        ConfigError: an approved plan is not finished, nothing is in force, or the CRM lacks a property.
        GateFailed: a test of the list to be sent failed.
    """
    from icp.destinations.planning import plan_changes

    _require_finished(desk)
    told = desk.ledger.held()
    revision, wanted, columns, riders = _wanted(desk, told)
    lacking = desk.crm.lacking(columns) if wanted else ()
    there = tuple(name for name in columns if name not in lacking)
    holds = _read_all(desk.crm, sorted(wanted), there, columns)
    found = plan_changes(wanted, holds, told, riders=riders, replace=desk.section.existing == "replace")
    content = {
        "kind": "write",
        "revision": revision,
        "columns": list(columns),
        "riders": sorted(riders),
        "lacking": list(lacking),
        "kept": [list(entry) for entry in found.kept],
        "missing": list(found.missing),
    }
    return _keep(desk.ledger, content, found.rows)


def plan_undo(desk: Desk, name: str) -> dict[str, Any]:
    """Plan the way back from what a plan wrote; nothing is sent until it is applied.

    Raises:
        ConfigError: there is no such plan, or it wrote nothing that stands.
    """
    from icp.destinations.planning import plan_undo as way_back

    _require_finished(desk)
    content = desk.ledger.plan(name)
    if content["kind"] == "undo":
        raise ConfigError(f"{name} is an undo itself; plan the write-back again instead: icp sync plan {desk.name}.")
    rows = way_back(tuple(desk.ledger.rows(name, "ok")))
    undone = {**content, "kind": "undo", "undoes": name, "kept": [], "missing": []}
    return _keep(desk.ledger, undone, rows)


def apply(desk: Desk, name: str, *, by: str, at: datetime, create: bool = False) -> dict[str, Any]:
    """Approve a plan by its name and carry it out, or go on with it; answers counts by state and the refused rows.

    A plan that is done sends nothing.

    Raises:
        ConfigError: no such plan, a property is lacking, or the CRM refuses everything.
        TryLater: the CRM does not answer; the same command goes on.
        PartialWriteBack: all is done but some rows were refused, or a sample reads back otherwise.
    """
    from icp.destinations.send import Plan, Sender

    content = desk.ledger.plan(name)
    if [other for other in desk.ledger.unfinished() if other != name]:
        _require_finished(desk)
    columns = tuple(content["columns"])
    was_open = bool(desk.ledger.rows(name, "pending", "sent"))
    if was_open:
        _require_properties(desk, columns, create=create)
        desk.ledger.approve(name, by, at.isoformat(timespec="seconds"))
        order = Plan(name, columns, frozenset(content["riders"]), content.get("undoes", ""))
        retry = desk.section.retry
        Sender(desk.crm, desk.ledger, order, patience=retry.attempts, pause=desk.connection.wait).run()
    differing = _verify(desk, name, columns) if was_open else []
    outcome = {**status(desk.ledger, name), "differs_on_reading_back": differing, "calls": desk.connection.calls}
    if was_open and (outcome["failed"] or differing):
        raise PartialWriteBack(_partial(outcome))
    return outcome


def status(ledger: Ledger, name: str) -> dict[str, Any]:
    """Where a plan stands: approval, rows by state, refused rows with the CRM's words."""
    content = ledger.plan(name)
    failed = [{"account": row.account, "said": row.note} for row in ledger.rows(name, "failed")]
    about = {key: content.get(key) for key in ("kind", "undoes", "revision", "approved_by", "approved_at")}
    return {"plan": name, **about, "rows": ledger.counts(name), "failed": failed}


def in_words(content: Mapping[str, Any], destination: str) -> str:
    """A plan for somebody who decides about it."""
    rows = content["rows"]
    if not rows:
        lines = [f"{destination}: nothing to write; it holds {content['revision']} already."]
    else:
        verb = "take back" if content["kind"] == "undo" else "write"
        lines = [f"{destination}: would {verb} {len(rows):,} account(s), {content['revision']}. Nothing was sent."]
        lines += [f"  {row['account']}  {_changes(row)}" for row in rows[:SHOWN_ROWS]]
        lines += [f"  … and {len(rows) - SHOWN_ROWS:,} more (--json shows all)"] if len(rows) > SHOWN_ROWS else []
    if content["kept"]:
        lines.append(f"{len(content['kept']):,} value(s) of people are left alone.")
    if content["missing"]:
        lines.append(f"{len(content['missing']):,} account(s) are not in the CRM.")
    if content["lacking"]:
        lines.append(f"It lacks {', '.join(content['lacking'])}: apply with --create-properties.")
    if rows:
        lines.append(f"Approve and send with: icp sync apply {destination} {content['plan']}")
    return "\n".join(lines)


def _changes(row: Mapping[str, Any]) -> str:
    return "; ".join(f"{n}: {row['old'].get(n) or '–'} → {v or '–'}" for n, v in row["new"].items())


def _wanted(desk: Desk, told: Mapping[str, Values]) -> tuple[str, dict[str, Values], tuple[str, ...], frozenset[str]]:
    """What the CRM should hold where it differs from what it was told: revision, by account, properties, riders."""
    import pandas as pd

    import flows.dbt_project
    from icp.destinations.crm import as_text
    from icp.published import PublishedStore

    store = PublishedStore(desk.settings.lake, desk.section.icp or desk.settings.default_icp())
    current = store.current()
    if current is None:
        raise ConfigError("No revision is in force. `icp approve` one first.")
    revision = store.path(current["quarter"], current["revision"])
    scratch, model = desk.folder / "cache", f"sync_{desk.section.kind}"
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / "wanted.parquet"
    variables = {
        "sync_list_path": str(revision / "accounts.parquet"),
        "sync_version": f"{current['quarter']} r{current['revision']}",
        "sync_scored_on": store.manifest(revision)["as_of"][:10],
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
    wanted = {str(row[KEY]): {n: as_text(row[n]) for n in names} for row in frame.to_dict("records")}
    riders = frozenset(name for name in names if columns[name]["meta"].get("rides_along"))
    return f"{current['quarter']} r{current['revision']}", wanted, names, riders


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


def _read_all(crm: Crm, accounts: Sequence[str], there: Sequence[str], columns: Sequence[str]) -> dict[str, Values]:
    empty: Values = dict.fromkeys(columns)
    found: dict[str, Values] = {}
    for start in range(0, len(accounts), crm.batch):
        read = crm.read(accounts[start : start + crm.batch], there)
        found |= {account: {**empty, **values} for account, values in read.items()}
    return found


def _keep(ledger: Ledger, content: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Name the plan by its content and keep it, when there is anything to do."""
    told = [{"account": row.account, "old": row.old, "new": row.new} for row in rows]
    written = json.dumps([content, told, ledger.plans()], sort_keys=True).encode()
    name = hashlib.sha256(written).hexdigest()[:NAME_LENGTH]
    if rows:
        ledger.add_plan(name, content, rows)
    return {"plan": name if rows else None, **content, "rows": told}


def _require_finished(desk: Desk) -> None:
    if unfinished := desk.ledger.unfinished():
        raise ConfigError(
            f"Plan {unfinished[0]} is approved and not finished. Go on with it first: icp sync apply {desk.name} {unfinished[0]}"
        )


def _require_properties(desk: Desk, columns: Sequence[str], *, create: bool) -> None:
    lacking = desk.crm.lacking(columns)
    if lacking and not create:
        raise ConfigError(
            f"{desk.name} lacks the properties {', '.join(lacking)}. Apply with --create-properties, or make them there. "
            "Nothing was sent."
        )
    if lacking:
        desk.crm.create(lacking)


def _verify(desk: Desk, name: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Read a sample of the written rows back, evenly over the plan; answers those that read otherwise."""
    written = desk.ledger.rows(name, "ok")
    sample = written[:: max(1, -(-len(written) // SAMPLE))]
    found = desk.crm.read([row.account for row in sample], columns) if sample else {}
    return [
        {"account": row.account, "wrote": dict(row.wrote or {}), "reads": found.get(row.account)}
        for row in sample
        if any((found.get(row.account) or {}).get(n) != v for n, v in (row.wrote or {}).items())
    ]


def _partial(outcome: Mapping[str, Any]) -> str:
    lines = [f"{outcome['rows'].get('ok', 0):,} account(s) written; {len(outcome['failed']):,} refused:"]
    lines += [f"  {entry['account']}: {entry['said']}" for entry in outcome["failed"][:SHOWN_ROWS]]
    if outcome["differs_on_reading_back"]:
        lines.append(f"{len(outcome['differs_on_reading_back'])} of a sample read back otherwise than written.")
    lines.append("The next `icp sync plan` tries refused rows again; `icp sync status` with its name lists them all.")
    return "\n".join(lines)
