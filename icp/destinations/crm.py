"""Calls to one CRM, by the client the sources use: reads are repeated until they are answered, writes never blindly."""

from __future__ import annotations

from typing import Any

import httpx

from icp.destinations.destination import RESUME
from icp.sources.again import as_json
from icp.sources.http_client import VendorClient
from icp.sources.manners import Manners

WINDOW_SECONDS = 10
TOLD = (400, 404, 409, 413, 422)
"""Refusals of rows: what they say about which row is read."""


class WritingManners(Manners):
    """What a vendor's manners are where it is written to."""

    kept = later = RESUME
    verb, done = "do", "reached"
    told = TOLD
    more_rights = "It needs the scope to write companies."

    def __init__(self, calls_per_10_seconds: int, token: str) -> None:
        self.calls_per_second = calls_per_10_seconds / WINDOW_SECONDS
        self.new_key = f"Check the key and its scope to write in {token}. {RESUME}"


class Connection:
    """HTTP to one CRM."""

    def __init__(self, client: VendorClient) -> None:
        self._client = client

    @property
    def calls(self) -> int:
        """How many were sent, repetitions included."""
        return self._client.calls

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status (2xx or a 4xx that says what is wrong) and JSON of a call that changes nothing.

        Raises:
            TryLater: it was not answered however often it was asked.
            ConfigError: the key is refused or lacks a scope.
        """
        return self._call(method, path, body, safe=True)

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The same for a call that changes something. 429 is waited for: such a call was not carried out.

        Raises:
            Unanswered: time-out, broken connection, 5xx, or an answer that is not JSON.
            TryLater: too many calls for too long, or the daily limit is used up.
            ConfigError: the key is refused or lacks a scope.
        """
        return self._call(method, path, body, safe=False)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _call(self, method: str, path: str, body: Any, *, safe: bool) -> tuple[int, Any]:
        found: tuple[int, Any] = self._client.call(method, path, body=body, read=_with_status, safe=safe)
        return found


def _with_status(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, as_json(answer, object)
