"""Which values a write-back would change: wanted against held, and never one that belongs to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from icp.destinations.destination import Values
from icp.destinations.ledger import Row


@dataclass(frozen=True)
class Planned:
    """Rows to write; values of people left alone (account, property, theirs, ours); accounts the CRM does not have."""

    rows: tuple[Row, ...]
    kept: tuple[tuple[str, str, str | None, str | None], ...] = ()
    missing: tuple[str, ...] = ()


def plan_changes(
    wanted: Mapping[str, Values],
    crm: Mapping[str, Values],
    held: Mapping[str, Values],
    *,
    riders: frozenset[str],
    replace: bool,
) -> Planned:
    """The changes that make the CRM hold what is wanted.

    Args:
        wanted: By account what it should hold.
        crm: By account what it holds now.
        held: By account what we wrote last: a value that differs from it was changed by a person, and stays.
        riders: Properties written only together with another one (version, date).
        replace: Whether values that were there before our first write may be replaced; they are never emptied.
    """
    rows, kept = [], []
    for account in sorted(wanted.keys() & crm.keys()):
        now, before = crm[account], held.get(account, {})
        differs = {name: value for name, value in wanted[account].items() if value != now.get(name)}
        new = {n: v for n, v in differs.items() if _may_write(now.get(n), v, n in before, before.get(n), replace)}
        kept += [(account, n, now.get(n), v) for n, v in differs.items() if n not in new and n not in riders]
        if not set(new) <= riders:
            rows.append(Row(account, {n: now.get(n) for n in new}, new, tuple(n for n in new if n in before)))
    return Planned(tuple(rows), tuple(kept), tuple(sorted(wanted.keys() - crm.keys())))


def _may_write(now: str | None, new: str | None, is_ours: bool, ours: str | None, replace: bool) -> bool:
    if is_ours:
        return now == ours
    return now is None or (replace and new is not None)


def plan_undo(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The way back from written rows: what we wrote becomes what was there before, where it is still what we wrote."""
    return tuple(
        Row(row.account, dict(row.wrote), {name: row.old.get(name) for name in row.wrote}, row.ours)
        for row in rows
        if row.wrote
    )
