"""Carries an approved plan out: read, compare, ledger, write, ledger again; stops and goes on anywhere.

Every batch is read right before it is written. A value that is no longer the one the plan was approved on belongs to a
person and stays; a value that is the new one already (our own write whose answer was lost, a run that was killed) needs no
call. So the same few lines serve the first try, a repetition, a restart and the undo.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from icp.destinations.crm import RESUME, Crm, Rejected, Unanswered, Values
from icp.destinations.ledger import OPEN, Ledger, Row
from icp.errors import ConfigError, TryLater

HOPELESS = 10
"""So many rows refused for the first time and none written: the fault is not theirs."""
NOT_THERE = "the CRM has no such account (deleted, merged or of another portal)"


@dataclass(frozen=True)
class Plan:
    """What is carried out: its name, the properties it may write, and those that only go along with another."""

    name: str
    columns: tuple[str, ...]
    riders: frozenset[str] = frozenset()
    undoes: str = ""


@dataclass(frozen=True)
class _Ready:
    """A row that was just read: what to write, and what it replaces."""

    account: str
    found: Values
    values: Values
    note: str


class Sender:
    """One run over a plan. `pause` waits between lost answers; the number of lost answers in a row is its argument."""

    def __init__(self, crm: Crm, ledger: Ledger, plan: Plan, *, patience: int = 8, pause=lambda lost: None) -> None:  # type: ignore[no-untyped-def]
        self._crm, self._ledger, self._plan = crm, ledger, plan
        self._patience, self._pause = patience, pause
        self._pending: deque[Row] = deque(ledger.rows(plan.name, *OPEN))
        self._ready: deque[_Ready] = deque()
        self._lost = self._written = self._batches = 0
        self._refused: dict[str, str] = {}
        self._refused_before = ledger.refused_before(plan.name)

    def run(self) -> None:
        """Send everything that is open.

        Raises:
            TryLater: the CRM does not answer; what was sent is in the ledger, the rest is open.
            ConfigError: the CRM lost a property or refuses every row; nothing is lost.
        """
        while self._pending or self._ready:
            while self._pending and len(self._ready) < self._crm.batch:
                self._read()
            if self._ready:
                self._send_one_batch()

    # -- reading -------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        rows = [self._pending.popleft() for _ in range(min(self._crm.batch, len(self._pending)))]
        held = self._crm.read([row.account for row in rows], self._plan.columns)
        settled: dict[str, tuple[str, str]] = {}
        for row in rows:
            now = held.get(row.account)
            if now is None:
                settled[row.account] = ("missing", NOT_THERE)
                continue
            ready, state = self._judge(row, now)
            if ready is not None:
                self._ready.append(ready)
            else:
                settled[row.account] = state
        self._ledger.settle(self._plan.name, settled, undoing=bool(self._plan.undoes))

    def _judge(self, row: Row, now: Values) -> tuple[_Ready | None, tuple[str, str]]:
        """What is still to be written to a row; without anything, its state."""
        wrote = (row.wrote or {}) if row.state == "sent" else {}
        done = {n: v for n, v in wrote.items() if now.get(n) == v}
        differs = {n: v for n, v in row.new.items() if n not in done and now.get(n) != v}
        ours = {n: v for n, v in differs.items() if n in row.old and now.get(n) == row.old[n]}
        theirs = [n for n in differs if n not in ours]
        note = f"left alone, changed by somebody meanwhile: {', '.join(theirs)}" if theirs else ""
        if set(ours) <= self._plan.riders and not done and not self._plan.undoes:
            return None, ("kept" if theirs else "same", note)
        if ours:
            found = {n: now.get(n) for n in ours} | {n: row.old.get(n) for n in done}
            return _Ready(row.account, found, {**done, **ours}, note), ("", "")
        if done:
            self._ledger.sending(self._plan.name, {row.account: ({n: row.old.get(n) for n in done}, done)})
            self._written += 1
            return None, ("ok", note)
        return None, ("kept" if theirs else "same", note)

    # -- writing -------------------------------------------------------------------------------------------------------

    def _send_one_batch(self) -> None:
        batch = [self._ready.popleft() for _ in range(min(self._crm.batch, len(self._ready)))]
        answer = self._write(batch)
        if isinstance(answer, Rejected):
            self._isolate(batch, answer)

    def _write(self, batch: Sequence[_Ready]) -> Rejected | Literal["answered", "lost"]:
        """Send rows once and settle them; a lost answer puts them back to be read again, and says nothing about them."""
        rows = {ready.account: ready for ready in batch}
        self._ledger.sending(self._plan.name, {a: (r.found, r.values) for a, r in rows.items()})
        self._batches += 1
        try:
            answer = self._crm.write({a: r.values for a, r in rows.items()}, f"{self._plan.name}-{self._batches}")
        except Unanswered as problem:
            self._uncertain(list(rows), str(problem))
            return "lost"
        if isinstance(answer, Rejected):
            return answer
        self._lost = 0
        refused = {a: e for a, e in answer.errors.items() if e is not None}
        written = {a: ("ok", rows[a].note) for a, e in answer.errors.items() if e is None}
        self._written += len(written)
        self._ledger.settle(self._plan.name, written, undoing=bool(self._plan.undoes))
        self._fail(refused)
        if left := [a for a in rows if a not in answer.errors]:
            self._uncertain(left, "it answered without saying what became of some rows")
        return "answered"

    def _uncertain(self, accounts: Sequence[str], problem: str) -> None:
        self._lost += 1
        if self._lost >= self._patience:
            raise TryLater(f"The CRM does not answer ({problem}, {self._lost} times in a row). {RESUME}")
        wanted = set(accounts)
        self._pending.extend(row for row in self._ledger.rows(self._plan.name, "sent") if row.account in wanted)
        self._pause(self._lost)

    def _fail(self, refused: Mapping[str, str]) -> None:
        self._refused |= refused
        if len(self._refused.keys() - self._refused_before) >= HOPELESS and not self._written:
            self._reopen(list(self._refused))
            said = next(iter(self._refused.values()))
            raise ConfigError(f"The CRM refuses every row; the first time it said: {said}. {RESUME}")
        outcomes = {account: ("failed", message) for account, message in refused.items()}
        self._ledger.settle(self._plan.name, outcomes, undoing=bool(self._plan.undoes))

    def _reopen(self, accounts: Sequence[str]) -> None:
        self._ledger.settle(self._plan.name, dict.fromkeys(accounts, ("pending", "")), undoing=False)

    # -- a batch that was refused as a whole ---------------------------------------------------------------------------

    def _isolate(self, batch: list[_Ready], answer: Rejected) -> None:
        """Find one row that spoils the batch; the others go back to be sent, topped up, with the next one."""
        self._require_properties([ready.account for ready in batch])
        while answer.culprit is None and len(batch) > 1:
            half, rest = batch[: len(batch) // 2], batch[len(batch) // 2 :]
            again = self._write(half)
            if again == "lost":
                self._ready.extendleft(reversed(rest))  # nobody is blamed for what was not answered
                return
            if again == "answered":
                batch = rest  # the half went through, so the spoiler is in the rest
            else:
                self._ready.extendleft(reversed(rest))
                batch, answer = half, again
        culprit = answer.culprit or batch[0].account
        self._ready.extendleft(reversed([ready for ready in batch if ready.account != culprit]))
        self._fail({culprit: answer.message})

    def _require_properties(self, accounts: Sequence[str]) -> None:
        if self._written:
            return
        if lost := self._crm.lacking(self._plan.columns):
            self._reopen(accounts)
            raise ConfigError(f"The CRM lost {', '.join(lost)}: make it again. {RESUME}")
