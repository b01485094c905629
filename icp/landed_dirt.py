"""What is wrong with the loads a quarter was read from: what the gate let pass, what a person let pass, what is old."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from icp.contract import SOURCES_PAGE, Contract
from icp.manifest import Manifest

MOST_VALUES = 3


@dataclass(frozen=True)
class _Finding:
    table: str  # with its source
    rule: str
    rows: int
    share: float
    values: tuple[str, ...]
    day: str
    fix: str
    reason: str  # of the person who accepted the load all the same; empty for a warning


def landed_dirt(loads: Iterable[Manifest]) -> tuple[str, ...]:
    """A sentence per source, table and rule that did not hold: on how many rows, such as what, and what to do.

    The newest load speaks; older ones with the same finding are counted. A load a person accepted says why.

    Args:
        loads: The accepted loads that count, oldest first.
    """
    found: dict[tuple[str, str], list[_Finding]] = {}
    for finding in (finding for load in loads for finding in _findings(load)):
        found.setdefault((finding.table, finding.rule), []).append(finding)
    return tuple(_sentence(found[key]) for key in sorted(found))


def stale_tables(loads: Iterable[Manifest], contract: Contract, as_of: datetime) -> tuple[str, ...]:
    """A sentence per landed table whose newest load is older, on the day a quarter is read as of, than the contract allows.

    Args:
        loads: The accepted loads that count at `as_of`.
        contract: Of the project; its `freshness` says how many days a table may be old.
        as_of: When the quarter is read.
    """
    newest: dict[str, datetime] = {}
    for load in loads:
        for table in load.tables:
            newest[table] = max(load.effective_at, newest.get(table, load.effective_at))
    return tuple(
        f"{name} is stale: its newest load was true on {newest[name]:%Y-%m-%d}, {(as_of - newest[name]).days} days before the "
        f"day this quarter is read as of; up to {table.stale_after_days} are expected (freshness, {SOURCES_PAGE.name}). What "
        "is made of it may be out of date. To do: land a newer extract."
        for name, table in sorted(contract.tables.items())
        if name in newest
        and table.stale_after_days is not None
        and (as_of - newest[name]).days > table.stale_after_days
    )


def _findings(load: Manifest) -> Iterator[_Finding]:
    reason = str(load.gate.get("released", {}).get("reason", ""))
    day = f"{load.effective_at:%Y-%m-%d}"
    for result in load.gate.get("results", ()):
        table = str(result["label"]).rsplit(" of ", 1)[0]
        if table.removeprefix(f"{load.source} ") not in load.tables:
            continue  # a later load has replaced it
        for check in result["warnings"]:
            yield _finding(table, check, day, "")
        for check in result["failures"] if reason else ():
            yield _finding(table, check, day, reason)


def _finding(table: str, check: Mapping[str, Any], day: str, reason: str) -> _Finding:
    values = tuple(value for value in map(str, check["values"]) if "@" not in value and value != "None")
    rows, share = int(check["unexpected_count"] or 0), float(check["unexpected_share"] or 0.0)
    return _Finding(table, str(check["rule"]), rows, share, values[:MOST_VALUES], day, str(check["fix"]), reason)


def _sentence(findings: list[_Finding]) -> str:
    newest = findings[-1]
    values = f", such as {', '.join(newest.values)}" if newest.values else ""
    rows = f"{newest.rows:,} row{'' if newest.rows == 1 else 's'} ({newest.share:.1%})" if newest.rows else "the table"
    before = f"; nor in {len(findings) - 1} earlier load(s)" if len(findings) > 1 else ""
    after = f"Accepted by hand: {newest.reason.rstrip('.')}." if newest.reason else f"To do: {newest.fix}."
    return f'{newest.table} of {newest.day}: the rule "{newest.rule}" does not hold for {rows}{values}{before}. {after}'
