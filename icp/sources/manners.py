"""How a vendor speaks about limits and refusals, where that goes beyond HTTP itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """What a vendor said with an error: in words, its code for it, and which limit was reached."""

    message: str = ""
    code: str = ""
    limit: str = ""


class Manners:
    """What HTTP says; a vendor overrides what it does otherwise.

    Attributes:
        new_key: What to do about refused credentials.
        more_rights: What to do about a call the credentials may not make.
        renewed: When a daily limit starts anew.
        kept: What becomes of a pull that fails; `later` the same when the daily limit is used up.
        verb, done: What is done with the vendor.
        told: Statuses besides 2xx whose answers are read rather than raised.
        calls_per_second: How fast the vendor may be asked; 0 is as fast as it answers.
    """

    new_key = "Make a new key or token."
    more_rights = "Add the scope to the app."
    renewed = "usually at midnight"
    kept = "Nothing of this pull is kept; the next `icp ingest` repeats it."
    later = "Nothing of this pull is kept; the next `icp ingest` after the limit is renewed ({renewed}) repeats it."
    verb, done = "read", "read"
    told: tuple[int, ...] = ()
    calls_per_second = 0.0

    def credentials(self, token: str) -> dict[str, str]:
        """The headers that carry the token."""
        return {"Authorization": f"Bearer {token}"}

    def parameters(self, token: str) -> dict[str, str]:
        """The parameters of a URL that carry the token, where a vendor takes it nowhere else."""
        return {}

    def refusal(self, content: Any) -> Refusal:
        """What the JSON of an error says."""
        return Refusal(str(content.get("message", ""))) if isinstance(content, dict) else Refusal()

    def verdict(self, status: int, refusal: Refusal) -> Exception | None:
        """The error to raise where this vendor means something of its own; None where it means what others mean."""
        return None

    def is_used_up(self, status: int, refusal: Refusal) -> bool:
        """Whether nothing more can be read today."""
        return False

    def passes(self, status: int, refusal: Refusal) -> bool:
        """Whether an error that HTTP calls final often passes."""
        return False

    def is_expired(self, status: int, refusal: Refusal) -> bool:
        """Whether a new token may help."""
        return status == 401

    def pause(self, headers: Mapping[str, str]) -> float | None:
        """Seconds before the next call may start; None where nothing is said."""
        return None

    def none_left(self, headers: Mapping[str, str]) -> bool:
        """Whether this answer was the last the daily limit allows."""
        return False


def number(text: str | None) -> float | None:
    """A number in a header; None when absent or written otherwise (a date)."""
    try:
        found = float(text or "")
    except ValueError:
        return None
    return max(found, 0.0) if isfinite(found) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds a vendor asks to be left alone; None where it names none.

    A moment is told by the vendor's own clock (`Date`): a wrong one here does not matter.
    """
    told = headers.get("retry-after")
    if told is None:
        return None
    if (seconds := number(told)) is not None:
        return seconds
    try:
        asked, now = parsedate_to_datetime(told), parsedate_to_datetime(headers.get("date", ""))
        return max((asked - now).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def until(headers: Mapping[str, str], seconds: float) -> str:
    """Words for how long that is, with the moment it ends where the vendor tells its time."""
    spell = f"{seconds / 60:,.0f} minutes" if seconds < 2 * 3600 else f"{seconds / 3600:,.1f} hours"
    try:
        end = parsedate_to_datetime(headers.get("date", "")).astimezone(UTC) + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return spell
    return f"{spell}, until {end:%Y-%m-%d %H:%M} UTC"
