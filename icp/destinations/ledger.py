"""What was planned, sent and written, row by row, on disk before and after every batch: one SQLite file per destination.

States of a row: `pending`, `sent` (on its way, perhaps done), `ok` (written), `same` (the CRM held it already), `kept` (a
person's value was left alone), `missing` (no such account there), `failed` (refused, with the CRM's words).
`held` repeats, by account and property, what we wrote last and nobody took back: how a person's change is told from ours.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icp.destinations.destination import Values
from icp.errors import ConfigError

OPEN = ("pending", "sent")
_TABLES = """
create table if not exists plans (
    plan text primary key, number integer, content text not null, approved_by text, approved_at text
);
create table if not exists rows (
    plan text, account text, old text, new text, ours text, state text default 'pending', wrote text, note text default '',
    primary key (plan, account)
) without rowid;
create table if not exists held (account text, property text, value text, primary key (account, property)) without rowid;
"""


@dataclass(frozen=True)
class Row:
    """One account's change. `old` is what the CRM held when planned; `ours` names the properties whose old value we wrote."""

    account: str
    old: Values
    new: Values
    ours: tuple[str, ...] = ()
    state: str = "pending"
    wrote: Mapping[str, str | None] | None = None
    note: str = ""


class Ledger:
    """The ledger of one destination; every method is one transaction."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("begin immediate")
        try:
            yield self._db
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def add_plan(self, plan: str, content: Mapping[str, Any], rows: Iterable[Row]) -> None:
        """Keep a plan; one that nobody approved makes room for it."""
        with self._transaction() as db:
            stale = [
                p for (p,) in db.execute("select plan from plans where approved_at is null and plan <> ?", (plan,))
            ]
            for old in stale:
                db.execute("delete from rows where plan = ?", (old,))
                db.execute("delete from plans where plan = ?", (old,))
            if db.execute("select 1 from plans where plan = ?", (plan,)).fetchone():
                return
            number = db.execute("select coalesce(max(number), 0) + 1 from plans").fetchone()[0]
            db.execute("insert into plans values (?, ?, ?, null, null)", (plan, number, json.dumps(content)))
            db.executemany(
                "insert into rows (plan, account, old, new, ours) values (?, ?, ?, ?, ?)",
                [(plan, r.account, json.dumps(r.old), json.dumps(r.new), json.dumps(r.ours)) for r in rows],
            )

    def plan(self, plan: str) -> dict[str, Any]:
        """What a plan says, with who approved it and when.

        Raises:
            ConfigError: there is no such plan.
        """
        found = self._db.execute(
            "select content, approved_by, approved_at from plans where plan = ?", (plan,)
        ).fetchone()
        if found is None:
            names = ", ".join(self.plans()) or "none"
            raise ConfigError(f"There is no plan {plan!r} (there are: {names}). `icp sync plan` makes one.")
        return {**json.loads(found[0]), "approved_by": found[1], "approved_at": found[2]}

    def plans(self) -> list[str]:
        """Names of all plans, oldest first."""
        return [name for (name,) in self._db.execute("select plan from plans order by number")]

    def unfinished(self) -> list[str]:
        """Approved plans with rows still to be sent."""
        return [
            name
            for (name,) in self._db.execute(
                "select plan from plans where approved_at is not null and exists (select 1 from rows "
                "where rows.plan = plans.plan and state in ('pending', 'sent')) order by number"
            )
        ]

    def approve(self, plan: str, by: str, at: str) -> None:
        """Record who let it go; the first approval stands."""
        with self._transaction() as db:
            db.execute(
                "update plans set approved_by = ?, approved_at = ? where plan = ? and approved_at is null",
                (by, at, plan),
            )

    def rows(self, plan: str, *states: str) -> list[Row]:
        """Rows of a plan in these states (all without any), by account."""
        chosen = f" and state in ({', '.join('?' * len(states))})" if states else ""
        found = self._db.execute(
            "select account, old, new, ours, state, wrote, note from rows where plan = ?"
            + chosen
            + " order by account",
            (plan, *states),
        )
        return [
            Row(a, json.loads(old), json.loads(new), tuple(json.loads(ours)), s, json.loads(w) if w else None, n)
            for a, old, new, ours, s, w, n in found
        ]

    def refused_before(self, plan: str) -> set[str]:
        """Accounts the CRM refused in another plan than this: that it refuses them again says nothing new."""
        found = self._db.execute("select distinct account from rows where state = 'failed' and plan <> ?", (plan,))
        return {account for (account,) in found}

    def counts(self, plan: str) -> dict[str, int]:
        """Rows by state."""
        return dict(self._db.execute("select state, count(*) from rows where plan = ? group by state", (plan,)))

    def held(self, accounts: Sequence[str] | None = None) -> dict[str, Values]:
        """By account (all, or these) what we wrote last."""
        found: dict[str, Values] = {}
        asked = "" if accounts is None else " where account in (select value from json_each(?))"
        given = () if accounts is None else (json.dumps(list(accounts)),)
        for account, name, value in self._db.execute(f"select account, property, value from held{asked}", given):
            found.setdefault(account, {})[name] = value
        return found

    def sending(self, plan: str, rows: Mapping[str, tuple[Values, Values]]) -> None:
        """Before a batch leaves: by account the values found and the values sent. Found ones are kept for the undo."""
        with self._transaction() as db:
            db.executemany(
                "update rows set state = 'sent', old = ?, wrote = ? where plan = ? and account = ?",
                [(json.dumps(o), json.dumps(w), plan, a) for a, (o, w) in rows.items()],
            )

    def settle(self, plan: str, outcomes: Mapping[str, tuple[str, str]], *, undoing: bool) -> None:
        """After a batch: by account its state and a note; what was written is ours from here on (or no more, after an undo)."""
        with self._transaction() as db:
            for account, (state, note) in outcomes.items():
                db.execute(
                    "update rows set state = ?, note = ? where plan = ? and account = ?", (state, note, plan, account)
                )
                if state == "ok":
                    self._hold(db, plan, account, undoing)

    def _hold(self, db: sqlite3.Connection, plan: str, account: str, undoing: bool) -> None:
        wrote, ours = db.execute(
            "select wrote, ours from rows where plan = ? and account = ?", (plan, account)
        ).fetchone()
        for name, value in json.loads(wrote).items():
            if undoing and name not in json.loads(ours):
                db.execute("delete from held where account = ? and property = ?", (account, name))
            else:
                db.execute("insert or replace into held values (?, ?, ?)", (account, name, value))
