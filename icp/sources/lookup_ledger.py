"""What was asked of a vendor that sells lookups: answers kept as they come, credits counted before they are spent.

Both lie in `source_state/<source>/` of the lake. A credit is counted, on disk, before the call that may cost it: a run
that is killed can lose the answer of one call, never the count. An answer is on disk before the next call is made, so
nothing that was paid for is asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from icp import atomic
from icp.manifest import iso

ANSWERS, CREDITS = "answers.jsonl", "credits.json"
Record = dict[str, Any]


class BudgetUsedUp(Exception):
    """The month's credits do not cover the next call."""


@dataclass(frozen=True)
class Answer:
    """What a vendor said of one domain.

    Attributes:
        number: Counts up over all answers of the source; the cursor of its loads.
        domain: As asked.
        asked_at: When.
        tries: How often it was asked without an end; 0 when this is the vendor's word.
        records: Technologies, in the shape that is mapped; empty when the vendor knows none.
    """

    number: int
    domain: str
    asked_at: datetime
    tries: int
    records: Sequence[Record]

    @property
    def is_pending(self) -> bool:
        """The vendor has not finished; to be asked again."""
        return self.tries > 0


class Ledger:
    """The answers of one source and what it has spent this month; hold the lake's lock."""

    def __init__(self, folder: Path, month: str, budget: int) -> None:
        self.folder, self.month, self.budget = folder, month, budget
        self.answers: dict[str, Answer] = {}
        self._number = 0
        lines = _whole_lines(folder / ANSWERS)
        for line in lines:
            answer = _answer(json.loads(line))
            self.answers[answer.domain] = answer
            self._number = max(self._number, answer.number)
        if len(lines) > 2 * len(self.answers):
            self._compact()
        else:
            _cut_torn_line(folder / ANSWERS, lines)
        self._spent: dict[str, int] = spent_by_month(folder)
        self._waiting = waiting(folder)

    # -- credits -------------------------------------------------------------------------------------------------------

    @property
    def spent(self) -> int:
        """Credits of this month that calls have cost, or may have cost when nobody saw their end."""
        return self._spent.get(self.month, 0)

    @property
    def left(self) -> int:
        """Credits of this month that may still be spent."""
        return max(self.budget - self.spent, 0)

    def count(self, credits: int) -> None:
        """Add to what was spent this month; negative to take back what was not charged."""
        self._spent[self.month] = self.spent + credits
        self._write()

    def leave(self, domains: int) -> None:
        """Note how many domains the month's credits did not reach."""
        if domains != self._waiting:
            self._waiting = domains
            self._write()

    def _write(self) -> None:
        content = {"schema_version": 1, "spent": self._spent, "waiting": self._waiting}
        atomic.write_json(self.folder / CREDITS, content)

    # -- answers -------------------------------------------------------------------------------------------------------

    def keep(self, found: dict[str, Sequence[Record] | None], asked_at: datetime) -> None:
        """Put answers on disk; None for a domain the vendor has not finished."""
        kept = []
        for domain, records in found.items():
            self._number += 1
            before = self.answers.get(domain)
            tries = 0 if records is not None else 1 + (before.tries if before else 0)
            kept.append(Answer(self._number, domain, asked_at, tries, records or ()))
        _append(self.folder / ANSWERS, kept)
        self.answers |= {answer.domain: answer for answer in kept}

    def give_up(self, domains: Iterable[str], asked_at: datetime) -> None:
        """Take domains the vendor never finishes for ones it knows nothing of, until they are due again."""
        self.keep(dict.fromkeys(domains, ()), asked_at)

    def since(self, number: int) -> list[Answer]:
        """Final answers that came after this one, in the order they came."""
        later = [a for a in self.answers.values() if a.number > number and not a.is_pending]
        return sorted(later, key=lambda answer: answer.number)

    def _compact(self) -> None:
        kept = sorted(self.answers.values(), key=lambda answer: answer.number)
        atomic.write_bytes(self.folder / ANSWERS, b"".join(map(_line, kept)))


def spent_by_month(folder: Path) -> dict[str, int]:
    """Credits spent in each month (`2026-11`), oldest first."""
    return dict(sorted(_credits(folder).get("spent", {}).items()))


def waiting(folder: Path) -> int:
    """Domains the last pull did not ask because the month's credits did not reach that far."""
    return int(_credits(folder).get("waiting", 0))


def _credits(folder: Path) -> dict[str, Any]:
    file = folder / CREDITS
    return dict(atomic.read_json(file)) if file.exists() else {}


def _append(file: Path, answers: Sequence[Answer]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as lines:
        lines.write(b"".join(map(_line, answers)))
        lines.flush()
        os.fsync(lines.fileno())


def _whole_lines(file: Path) -> list[bytes]:
    return file.read_bytes().split(b"\n")[:-1] if file.exists() else []


def _cut_torn_line(file: Path, whole: Sequence[bytes]) -> None:
    """Half a line is what a run left that was killed while it wrote."""
    length = sum(len(line) + 1 for line in whole)
    if file.exists() and file.stat().st_size > length:
        os.truncate(file, length)


def _line(answer: Answer) -> bytes:
    told = {
        "number": answer.number,
        "domain": answer.domain,
        "asked_at": iso(answer.asked_at),
        "tries": answer.tries,
        "records": list(answer.records),
    }
    return (json.dumps(told, sort_keys=True) + "\n").encode()  # in ASCII: half a surrogate pair is no UTF-8


def _answer(content: dict[str, Any]) -> Answer:
    return Answer(**{**content, "asked_at": datetime.fromisoformat(content["asked_at"]).astimezone(UTC)})
