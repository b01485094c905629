"""What every CRM can do for a write-back, and one call to it: paced, repeated where that is safe, refused in words.

A write whose answer is lost (time-out, broken connection, 5xx) may or may not have been done. It is never sent again
blindly: the rows are read first (`icp.destinations.send`), so that a change made by a person meanwhile is not overwritten.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from icp.config_destinations import DestinationSection
from icp.errors import ConfigError, TryLater

Values = dict[str, str | None]
"""Property -> text, None where it is empty."""
SHOWN = 300
WINDOW_SECONDS = 10.0


class Unanswered(Exception):
    """The answer was lost: whether the call was carried out is not known."""


@dataclass(frozen=True)
class Rejected:
    """A whole batch was refused and nothing of it was written; `culprit` is the account the CRM named, if any."""

    message: str
    culprit: str | None = None


@dataclass(frozen=True)
class Written:
    """By account what became of it: None when written, otherwise why not. An account that is absent is uncertain."""

    errors: Mapping[str, str | None] = field(default_factory=dict)


class Crm(Protocol):
    """One CRM. Values are texts; an empty one is None."""

    batch: int

    def lacking(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Which of these properties the CRM does not have."""

    def create(self, columns: Sequence[str]) -> None:
        """Make these properties."""

    def read(self, accounts: Sequence[str], columns: Sequence[str]) -> dict[str, Values]:
        """What the CRM holds of these accounts; accounts it does not have are absent."""

    def write(self, rows: Mapping[str, Values], trace: str) -> Written | Rejected:
        """Write a batch. Raises Unanswered when it is not known what became of it."""


class Connection:
    """HTTP to one CRM. `calls` counts what was sent, repetitions included."""

    def __init__(self, vendor: str, settings: DestinationSection, token: str) -> None:
        self.vendor, self.calls = vendor, 0
        self._settings, self._token = settings, token
        self._sent: list[float] = []
        self._not_before = 0.0
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._http = httpx.Client(
            base_url=settings.base_url,
            timeout=settings.retry.timeout_seconds,
            headers={"Authorization": f"Bearer {token}"},
            follow_redirects=False,
        )

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of a call that changes nothing, repeated until it is answered.

        Raises:
            TryLater: it was not answered however often it was asked.
        """
        retry, problem = self._settings.retry, ""
        for attempt in range(retry.attempts):
            try:
                return self.send(method, path, body)
            except Unanswered as lost:
                problem = str(lost)
                self.wait(attempt)
        raise TryLater(f"{self.vendor} did not answer ({problem}, {retry.attempts} attempts). {RESUME}")

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status (2xx or a 4xx that says what is wrong) and JSON. 429 is waited for: such a call was not carried out.

        Raises:
            Unanswered: time-out, broken connection, 5xx, or an answer that is not JSON.
            ConfigError: the key is refused or lacks a scope.
            TryLater: the daily limit is used up.
        """
        for attempt in range(self._settings.retry.attempts):
            answer = self._once(method, path, body)
            if answer.status_code != 429:
                return self._judged(answer, f"{method} {path}")
            if "DAILY" in answer.text:
                raise TryLater(f"{self.vendor}: the daily limit of calls is used up. {RESUME}")
            self.wait(attempt, answer.headers.get("retry-after"))
        raise TryLater(f"{self.vendor} keeps answering 429, too many calls. {RESUME}")

    def wait(self, attempt: int, asked: str | None = None) -> None:
        """Pause before the next attempt, as long as the CRM asked for or growing."""
        retry = self._settings.retry
        seconds = retry.first_wait_seconds * 2**attempt
        if asked is not None and asked.replace(".", "", 1).isdigit():
            seconds = float(asked)
        time.sleep(min(seconds, retry.longest_wait_seconds))

    def _once(self, method: str, path: str, body: Any) -> httpx.Response:
        self._pace()
        self.calls += 1
        try:
            return self._http.request(method, path, json=body)
        except httpx.TimeoutException:
            raise Unanswered(f"no answer within {self._settings.retry.timeout_seconds:g} s") from None
        except httpx.HTTPError as problem:
            raise Unanswered(f"the connection failed ({type(problem).__name__})") from None

    def _judged(self, answer: httpx.Response, what: str) -> tuple[int, Any]:
        status = answer.status_code
        if status in (401, 403):
            raise ConfigError(
                f"{self.vendor} refused {what} ({status}{self._said(answer)}). Check the key and its scope to write "
                f"in the environment variable {self._settings.token_env}. {RESUME}"
            )
        if status >= 500 or 300 <= status < 400 or status == 408:
            raise Unanswered(f"it answered {status}")
        try:
            return status, answer.json()
        except json.JSONDecodeError:
            raise Unanswered("it answered something that is not JSON") from None

    def _said(self, answer: httpx.Response) -> str:
        text = " ".join(answer.text.split()).replace(self._token, "***")
        return f", {text[:SHOWN]!r}" if text else ""

    def _pace(self) -> None:
        """Keep below the calls allowed in ten seconds."""
        now = time.monotonic()
        self._sent = [sent for sent in self._sent if now - sent < WINDOW_SECONDS]
        if len(self._sent) >= self._settings.calls_per_10_seconds:
            time.sleep(WINDOW_SECONDS - (now - self._sent[0]))
        self._sent.append(time.monotonic())


RESUME = "Nothing is lost: the same `icp sync apply` goes on where this one stopped."


def as_text(value: Any) -> str | None:
    """A value as the ledger keeps and compares it: whole numbers without a point, None for nothing."""
    if value is None or value != value or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
