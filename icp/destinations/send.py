"""Carries an approved plan out: read, compare, ledger, write, ledger again; stops and goes on anywhere.

Every batch is read right before it is written. A value that is no longer the one the plan was approved on belongs to a
person and stays; a value that is the new one already (our own write whose answer was lost, a run that was killed) needs no
call. So the same few lines serve the first try, a repetition, a restart and the undo.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from icp.config_vendors import RetrySection
from icp.destinations.destination import RESUME, Destination, Rejected, Values
from icp.destinations.ledger import OPEN, Ledger, Row
from icp.errors import ConfigError, TryLater
from icp.sources.http_client import Unanswered

HOPELESS = 10
"""So many rows refused for the first time with none written between them: the fault may not be theirs."""
NOT_THERE = "the CRM has no such account (deleted, merged or of another portal)"
LOST_PROPERTY = re.compile(r"does ?n[o']?t[ _]exist|no such column|invalid_field", re.IGNORECASE)


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


@dataclass(frozen=True)
class _Lost:
    """The answer to a write was lost; its rows stand as sent in the ledger."""


class Sender:
    """One run over a plan.

    Attributes:
        wrote: Accounts this run wrote, in order.
    """

    def __init__(self, there: Destination, ledger: Ledger, plan: Plan, retry: RetrySection) -> None:
        self.wrote: list[str] = []
        self._there, self._ledger, self._plan, self._retry = there, ledger, plan, retry
        self._pending: deque[Row] = deque(ledger.rows(plan.name, *OPEN))
        self._ready: deque[_Ready] = deque()
        self._lost = self._batches = self._decided = self._blamed = 0
        self._vetted = True  # whoever starts a run has asked for the properties
        self._streak: dict[str, str] = {}
        self._refused_before = ledger.refused_before(plan.name)

    def run(self) -> None:
        """Send everything that is open.

        Raises:
            TryLater: the destination does not answer; what was sent is in the ledger, the rest is open.
            ConfigError: it lost a property or refuses every row; nothing is lost.
        """
        while self._fill():
            batch = [self._ready.popleft() for _ in range(min(self._size(), len(self._ready)))]
            answer = self._write(batch)
            if isinstance(answer, Rejected):
                self._isolate(batch, answer)
            elif isinstance(answer, _Lost):
                self._read_later(ready.account for ready in batch)

    def _size(self) -> int:
        """Rows of the next batch: as many as there may be; where the rows at fault are not named, so few that about half of
        the batches go through, which finds such rows in the fewest calls (Hwang 1972: a power of two)."""
        if not self._blamed:
            return self._there.batch
        most = self._there.batch
        decided = self._decided + most  # one batch of good ones to begin with
        return min(most, 1 << int(math.log2(decided / self._blamed)))

    # -- reading -------------------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Read until a batch is ready; whether anything is."""
        while self._pending and len(self._ready) < self._size():
            self._read([])
        return bool(self._ready)

    def _read(self, first: Sequence[Row]) -> tuple[list[_Ready], set[str]]:
        """Read these rows, and as many others as one call takes; what is still to be written to the others is ready then.

        Answers what is still to be written to the first ones, and the states of those that are settled by what was read.
        """
        others = [self._pending.popleft() for _ in range(min(self._there.batch - len(first), len(self._pending)))]
        rows = {row.account: row for row in (*first, *others)}
        held = self._there.read(list(rows), self._plan.columns)
        found: dict[str, _Ready | tuple[str, str]] = {
            account: ("missing", NOT_THERE) if account not in held else self._judge(row, held[account])
            for account, row in rows.items()
        }
        self._settle({account: what for account, what in found.items() if not isinstance(what, _Ready)})
        self._ready.extend(what for row in others if isinstance(what := found[row.account], _Ready))
        asked = [found[row.account] for row in first]
        return [what for what in asked if isinstance(what, _Ready)], {
            what[0] for what in asked if not isinstance(what, _Ready)
        }

    def _judge(self, row: Row, now: Values) -> _Ready | tuple[str, str]:
        """What is still to be written to a row; without anything, its state and a note."""
        wrote = (row.wrote or {}) if row.state == "sent" else {}
        done = {n: v for n, v in wrote.items() if now.get(n) == v}
        differs = {n: v for n, v in row.new.items() if n not in done and now.get(n) != v}
        ours = {n: v for n, v in differs.items() if n in row.old and now.get(n) == row.old[n]}
        theirs = [n for n in differs if n not in ours]
        note = f"left alone, changed by somebody meanwhile: {', '.join(theirs)}" if theirs else ""
        if set(ours) <= self._plan.riders and not done and not self._plan.undoes:
            return "kept" if theirs else "same", note
        if ours:
            found = {n: now.get(n) for n in ours} | {n: row.old.get(n) for n in done}
            return _Ready(row.account, found, {**done, **ours}, note)
        if done:
            self._ledger.sending(self._plan.name, {row.account: ({n: row.old.get(n) for n in done}, done)})
            return "ok", note
        return "kept" if theirs else "same", note

    def _read_later(self, accounts: Iterable[str]) -> None:
        self._pending.extend(self._sent(accounts))

    def _sent(self, accounts: Iterable[str]) -> list[Row]:
        wanted = set(accounts)
        return [row for row in self._ledger.rows(self._plan.name, "sent") if row.account in wanted]

    # -- writing -------------------------------------------------------------------------------------------------------

    def _write(self, batch: Sequence[_Ready]) -> Rejected | _Lost | None:
        """Send rows once and settle them. A refusal of them all, and an answer that was lost, settle nothing."""
        rows = {ready.account: ready for ready in batch}
        self._ledger.sending(self._plan.name, {a: (r.found, r.values) for a, r in rows.items()})
        self._batches += 1
        try:
            answer = self._there.write({a: r.values for a, r in rows.items()}, f"{self._plan.name}-{self._batches}")
        except Unanswered as problem:
            self._bear(str(problem))
            return _Lost()
        if isinstance(answer, Rejected):
            self._lost = 0
            return answer
        written = {a: ("ok", rows[a].note) for a, e in answer.errors.items() if e is None}
        self._settle(written)
        if written:
            self.wrote.extend(written)
            self._streak, self._vetted, self._lost = {}, False, 0
        self._fail({a: e for a, e in answer.errors.items() if e is not None}, among_written=bool(written))
        if left := [a for a in rows if a not in answer.errors]:
            self._bear("it answered without saying what became of some rows")
            self._read_later(left)
        return None

    def _bear(self, problem: str) -> None:
        """Wait after a lost answer, longer every time; give up when it happens too often in a row."""
        self._lost += 1
        if self._lost >= self._retry.attempts:
            raise TryLater(f"The destination does not answer ({problem}, {self._lost} times in a row). {RESUME}")
        time.sleep(min(self._retry.first_wait_seconds * 2**self._lost, self._retry.longest_wait_seconds))

    def _settle(self, outcomes: Mapping[str, tuple[str, str]]) -> None:
        self._decided += len(outcomes)
        self._ledger.settle(self._plan.name, outcomes, undoing=bool(self._plan.undoes))

    # -- rows that are refused -----------------------------------------------------------------------------------------

    def _fail(self, refused: Mapping[str, str], *, among_written: bool) -> None:
        if any(LOST_PROPERTY.search(said) for said in refused.values()):
            self._require_properties(refused)
        self._settle({account: ("failed", said) for account, said in refused.items()})
        if among_written:
            return
        self._streak |= {a: said for a, said in refused.items() if a not in self._refused_before}
        if len(self._streak) >= HOPELESS and not self._another_goes_through():
            self._require_properties(self._streak, again=True)
            self._reopen(self._streak)
            said = next(iter(self._streak.values()))
            raise ConfigError(f"The destination refuses every row; the first time it said: {said}. {RESUME}")

    def _another_goes_through(self) -> bool:
        """Whether a row far from those that were refused is written."""
        before = len(self.wrote)
        if not self._fill():
            return before > 0
        last = self._ready.pop()
        suspects, self._streak = self._streak, {}
        answer = self._write([last])
        if isinstance(answer, _Lost):
            self._read_later([last.account])
            return True  # nothing is known yet; the next refusal asks again
        if len(self.wrote) > before:
            return True
        self._streak = suspects | self._streak
        if isinstance(answer, Rejected):
            self._ready.append(last)
        return False

    def _isolate(self, batch: list[_Ready], answer: Rejected) -> None:
        """Find one row that spoils the batch; the others go back to be sent, topped up, with the next one."""
        everybody, names_nobody, gone_through = list(batch), answer.culprit is None, False
        if LOST_PROPERTY.search(answer.message):
            self._require_properties(ready.account for ready in everybody)
        while answer.culprit is None and len(batch) > 1:
            half, rest = batch[: len(batch) // 2], batch[len(batch) // 2 :]
            half, again = self._write_surely(half)
            if again is None and half:
                batch, gone_through = rest, True  # the half went through, so the spoiler is in the rest
            elif again is None:
                self._ready.extendleft(reversed(rest))  # somebody changed the half meanwhile: nobody is blamed
                return
            else:
                self._ready.extendleft(reversed(rest))
                batch, answer = half, again
        if names_nobody and len(everybody) > 2 and not gone_through:
            self._require_properties(ready.account for ready in everybody)
        culprit = answer.culprit or batch[0].account
        self._blamed += names_nobody
        self._ready.extendleft(reversed([ready for ready in batch if ready.account != culprit]))
        self._fail({culprit: answer.message}, among_written=gone_through)

    def _write_surely(self, rows: list[_Ready]) -> tuple[list[_Ready], Rejected | None]:
        """Send rows until it is known whether they are refused; none are answered where they were changed meanwhile."""
        while isinstance(answer := self._write(rows), _Lost):
            ready, states = self._read(self._sent(each.account for each in rows))
            if not ready:
                return (rows if states <= {"ok"} else []), None
            rows = ready
        return rows, answer

    def _require_properties(self, accounts: Iterable[str], *, again: bool = False) -> None:
        """Once between two writes that went through."""
        if self._vetted and not again:
            return
        self._vetted = True
        if lost := self._there.lacking(self._plan.columns):
            self._reopen(accounts)
            raise ConfigError(f"The destination lost {', '.join(lost)}: {self._there.remedy}. {RESUME}")

    def _reopen(self, accounts: Iterable[str]) -> None:
        self._settle(dict.fromkeys(accounts, ("pending", "")))
