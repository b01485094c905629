"""What every destination can do for a write-back: say what it lacks, read what it holds, write a batch.

A write whose answer is lost (time-out, broken connection, 5xx) may or may not have been done. It is never sent again
blindly: the rows are read first (`icp.destinations.send`), so that a change made by somebody meanwhile is not overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from icp.errors import TryLater
from icp.sources.http_client import Unanswered

if TYPE_CHECKING:
    from icp.destinations.ledger import Ledger
    from icp.destinations.shelf import Shelf

Values = dict[str, str | None]
"""Property -> text, None where it is empty."""
Takes = Literal["fields", "rows", "list"]
"""What a destination is told: fields of accounts it has, rows of a list, or a list as a whole."""
SHOWN = 300
FOREIGN = "something that is not as we left it"
"""Stands for the list a destination holds when it is none of ours."""
RESUME = "Nothing is lost: the same `icp sync apply` goes on where this one stopped."


@dataclass(frozen=True)
class Rejected:
    """A whole batch was refused and nothing of it was written; `culprit` is the account that was named, if any."""

    message: str
    culprit: str | None = None


@dataclass(frozen=True)
class Written:
    """By account what became of it: None when written, otherwise why not. An account that is absent is uncertain."""

    errors: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Room:
    """What a destination is opened with: its ledger, the lists planned for it, and the clock of the edge."""

    ledger: Ledger
    shelf: Shelf
    clock: Callable[[], datetime]


class Destination(Protocol):
    """One destination. Values are texts; an empty one is None.

    Attributes:
        batch: Most rows of one call.
        remedy: What to do about properties it lacks.
        calls: How many calls were made.
    """

    batch: int
    remedy: str

    @property
    def calls(self) -> int: ...

    def lacking(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Which of these properties it does not have."""

    def create(self, columns: Sequence[str]) -> None:
        """Make these properties."""

    def read(self, accounts: Sequence[str], columns: Sequence[str]) -> dict[str, Values]:
        """What it holds of these accounts; accounts it does not have are absent."""

    def write(self, rows: Mapping[str, Values], trace: str) -> Written | Rejected:
        """Write a batch. Raises Unanswered when it is not known what became of it."""

    def close(self) -> None:
        """Give connections back."""


@contextmanager
def perhaps_done() -> Iterator[None]:
    """Around the write of a list: where it is not answered it may have been done, and is read before it is tried again.

    Raises:
        Unanswered: instead of TryLater.
    """
    try:
        yield
    except TryLater as problem:
        raise Unanswered(str(problem).removesuffix(f" {RESUME}").rstrip(".")) from None


def as_text(value: Any) -> str | None:
    """A value as the ledger keeps and compares it: whole numbers without a point, None for nothing."""
    if value is None or value != value or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
