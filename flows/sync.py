"""Telling a destination, step by step: plan (nothing is sent), approve by naming the plan, apply, undo, status."""

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
    from icp.destinations.destination import Destination, Takes, Values
    from icp.destinations.ledger import Ledger, Row
    from icp.destinations.shelf import Shelf

SAMPLE = 100
SHOWN_ROWS = 10
WIDTH = 60
NAME_LENGTH = 10


@dataclass(frozen=True)
class Desk:
    """Everything one destination is worked with."""

    settings: Settings
    name: str
    section: DestinationSection
    ledger: Ledger
    there: Destination
    shelf: Shelf
    takes: Takes = "fields"

    @property
    def folder(self) -> Path:
        return self.settings.lake / "sync" / self.name


@contextmanager
def at_desk(settings: Settings, name: str, *, clock: Callable[[], datetime], alone: bool = True) -> Iterator[Desk]:
    """The ledger and the connection of a destination; one run at a time. `clock` dates signatures.

    Raises:
        ConfigError: icp.yml has no such destination, or its key is not set.
        LockHeld: another run writes to it.
    """
    from contextlib import closing, nullcontext

    from icp import lock
    from icp.destinations.destination import Room
    from icp.destinations.kinds import module_of
    from icp.destinations.ledger import Ledger
    from icp.destinations.shelf import Shelf

    section = settings.destinations.get(name)
    if section is None:
        known = ", ".join(settings.destinations) or "none"
        raise ConfigError(f"icp.yml has no destination {name!r} under `destinations` (it has: {known}).")
    kind, folder = module_of(section.kind), settings.lake / "sync" / name
    shelf = Shelf(folder / "lists")
    with (
        lock.hold(folder) if alone else nullcontext(),
        closing(Ledger(folder)) as ledger,
        closing(kind.opened(section, Room(ledger, shelf, clock))) as there,
    ):
        yield Desk(settings, name, section, ledger, there, shelf, kind.TAKES)


def plan(desk: Desk) -> dict[str, Any]:
    """Plan what would be written and keep it in the ledger; reads the destination, writes nothing to it.

    Answers the plan: its name (by which it is approved), counts, the rows and the values of people left alone.

    Raises:
        ConfigError: an approved plan is not finished, nothing is in force, or what is there has another shape.
        GateFailed: a test of what would be sent failed.
    """
    from flows.sync_wanted import wanted_by
    from icp.destinations.planning import plan_changes

    _require_finished(desk)
    told = desk.ledger.held()
    wanted = wanted_by(desk, told)
    lacking = desk.there.lacking(wanted.columns) if wanted.values else ()
    present = tuple(name for name in wanted.columns if name not in lacking)
    holds = _read_all(desk.there, sorted(wanted.values), present, wanted.columns)
    replace = desk.section.existing == "replace"
    if desk.takes == "list":
        told = {name: list_ for name, list_ in told.items() if _stands(list_, holds.get(name), replace)}
    found = plan_changes(wanted.values, holds, told, riders=wanted.riders, replace=replace)
    content = {
        "kind": "write",
        "revision": wanted.revision,
        "columns": list(wanted.columns),
        "riders": sorted(wanted.riders),
        "lacking": list(lacking),
        "remedy": desk.there.remedy,
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
    undone = {**content, "kind": "undo", "undoes": name, "kept": [], "missing": [], "lacking": []}
    return _keep(desk.ledger, undone, rows)


def apply(desk: Desk, name: str, *, by: str, at: datetime, create: bool = False) -> dict[str, Any]:
    """Approve a plan by its name and carry it out, or go on with it; answers counts by state and the refused rows.

    A plan that is done sends nothing.

    Raises:
        ConfigError: no such plan, a property is lacking, or everything is refused.
        TryLater: the destination does not answer; the same command goes on.
        PartialWriteBack: all is done but some rows were refused, or a sample reads back otherwise.
    """
    from icp.destinations.send import Plan, Sender

    content = desk.ledger.plan(name)
    if [other for other in desk.ledger.unfinished() if other != name]:
        _require_finished(desk)
    columns, wrote = tuple(content["columns"]), []
    was_open = bool(desk.ledger.rows(name, "pending", "sent"))
    if was_open:
        _require_properties(desk, columns, create=create)
        desk.ledger.approve(name, by, at.isoformat(timespec="seconds"))
        order = Plan(name, columns, frozenset(content["riders"]), content.get("undoes", ""))
        sender = Sender(desk.there, desk.ledger, order, desk.section.retry)
        sender.run()
        wrote = sender.wrote
    differing = _verify(desk, name, columns, wrote)
    outcome = {**status(desk.ledger, name), "differs_on_reading_back": differing, "calls": desk.there.calls}
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
        held = "" if content["kept"] else f"; it holds {content['revision']} already"
        lines = [f"{destination}: nothing to write{held}."]
    else:
        verb = "take back" if content["kind"] == "undo" else "write"
        what = f"the list {rows[0]['account']}" if content["columns"] == ["list"] else f"{len(rows):,} account(s)"
        lines = [f"{destination}: would {verb} {what}, {content['revision']}. Nothing was sent."]
        lines += [f"  {row['account']}  {_changes(row)}" for row in rows[:SHOWN_ROWS]]
        lines += [f"  … and {len(rows) - SHOWN_ROWS:,} more (--json shows all)"] if len(rows) > SHOWN_ROWS else []
    if content["kept"] and content["columns"] == ["list"]:
        held = content["kept"][0][2]
        lines.append(f"It holds {held}, which is left alone. `existing: replace` in icp.yml takes it over.")
    elif content["kept"]:
        lines.append(f"{len(content['kept']):,} value(s) of people are left alone.")
    if content["missing"]:
        lines.append(f"{len(content['missing']):,} account(s) are not in the CRM.")
    if content["lacking"]:
        lines.append(f"It lacks {', '.join(content['lacking'])}: {content['remedy']}.")
    if rows:
        lines.append(f"Approve and send with: icp sync apply {destination} {content['plan']}")
    return "\n".join(lines)


def _changes(row: Mapping[str, Any]) -> str:
    if list(row["new"]) == ["row"]:
        return "leaves the list" if row["new"]["row"] is None else "changed" if row["old"].get("row") else "new"
    return "; ".join(f"{n}: {_short(row['old'].get(n))} → {_short(v)}" for n, v in row["new"].items())


def _short(value: str | None) -> str:
    return "–" if not value else value if len(value) <= WIDTH else f"{value[:WIDTH]}…"


def _read_all(
    there: Destination, accounts: Sequence[str], present: Sequence[str], columns: Sequence[str]
) -> dict[str, Values]:
    empty: Values = dict.fromkeys(columns)
    found: dict[str, Values] = {}
    for start in range(0, len(accounts), there.batch):
        read = there.read(accounts[start : start + there.batch], present)
        found |= {account: {**empty, **values} for account, values in read.items()}
    return found


def _stands(told: Values, holds: Values | None, replace: bool) -> bool:
    """Whether a list counts as ours: one somebody removed may be put again, one somebody changed taken over."""
    return holds == told or not (replace or holds is None or holds["list"] is None)


def _keep(ledger: Ledger, content: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Name the plan by its content and keep it, when there is anything to do."""
    told = [{"account": row.account, "old": row.old, "new": row.new} for row in rows]
    digest = hashlib.sha256(json.dumps([content, ledger.plans()], sort_keys=True).encode())
    for row in told:
        digest.update(json.dumps(row, sort_keys=True).encode())
    name = digest.hexdigest()[:NAME_LENGTH]
    if rows:
        ledger.add_plan(name, content, rows)
    return {"plan": name if rows else None, **content, "rows": told}


def _require_finished(desk: Desk) -> None:
    if unfinished := desk.ledger.unfinished():
        raise ConfigError(
            f"Plan {unfinished[0]} is approved and not finished. Go on with it first: icp sync apply {desk.name} {unfinished[0]}"
        )


def _require_properties(desk: Desk, columns: Sequence[str], *, create: bool) -> None:
    lacking = desk.there.lacking(columns)
    if lacking and not create:
        raise ConfigError(f"{desk.name} lacks {', '.join(lacking)}: {desk.there.remedy}. Nothing was sent.")
    if lacking:
        desk.there.create(lacking)


def _verify(desk: Desk, name: str, columns: Sequence[str], wrote: Sequence[str]) -> list[dict[str, Any]]:
    """Read a sample of what this run wrote back, evenly over it; answers the rows that read otherwise.

    What an earlier run wrote may have been changed by a person since, and is nobody's failure.
    """
    step = max(1, -(-len(wrote) // SAMPLE))
    sample = sorted(wrote)[::step]
    found = desk.there.read(sample, columns) if sample else {}
    chosen = set(sample)
    rows = [row for row in desk.ledger.rows(name, "ok") if row.account in chosen]
    return [
        {"account": row.account, "wrote": dict(row.wrote or {}), "reads": found.get(row.account)}
        for row in rows
        if any((found.get(row.account) or {}).get(n) != v for n, v in (row.wrote or {}).items())
    ]


def _partial(outcome: Mapping[str, Any]) -> str:
    lines = [f"{outcome['rows'].get('ok', 0):,} account(s) written; {len(outcome['failed']):,} refused:"]
    lines += [f"  {entry['account']}: {entry['said']}" for entry in outcome["failed"][:SHOWN_ROWS]]
    if outcome["differs_on_reading_back"]:
        lines.append(f"{len(outcome['differs_on_reading_back'])} of a sample read back otherwise than written.")
    lines.append("The next `icp sync plan` tries refused rows again; `icp sync status` with its name lists them all.")
    return "\n".join(lines)
