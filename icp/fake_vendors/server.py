"""The server: keys, limits, and a script of faults, one by the number of the call it spoils."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from icp.fake_vendors import hubspot, technographics
from icp.fake_vendors.portal import Portal

FAULTS = (
    "429",
    "429_no_retry_after",
    "500",
    "502",
    "cut",
    "slow",
    "malformed",
    "html",
    "duplicate_page",
    "shrinking_list",
    "token_expiry",
    "schema_change",
    "daily_limit",
    "missing_scope",
)


@dataclass
class Script:
    """How the server behaves.

    Attributes:
        token: The key that is accepted; `token_expiry` makes it worthless until a new one is fetched.
        faults: Fault by number of the call, counted from 1.
        calls_per_interval: Calls answered within `interval_seconds`; 429 beyond.
        slow_seconds: How long a slow answer pauses in the middle.
    """

    token: str = "fake-token"
    faults: Mapping[int, str] = field(default_factory=dict)
    calls_per_interval: int = 190
    interval_seconds: float = 10.0
    slow_seconds: float = 5.0


class FakeVendors(ThreadingHTTPServer):
    """The server on one portal; `calls` counts what it was asked, `refused` what its limit turned away."""

    daemon_threads = True

    def __init__(self, portal: Portal, script: Script, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.portal, self.script = portal, script
        self.calls = self.refused = self.renewals = 0
        self.token = script.token
        self._window_start, self._in_window = time.monotonic(), 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self) -> tuple[str | None, int]:
        """The fault of this call and how many calls the limit still allows (negative: it is over)."""
        with self.lock:
            self.calls += 1
            if time.monotonic() - self._window_start >= self.script.interval_seconds:
                self._window_start, self._in_window = time.monotonic(), 0
            self._in_window += 1
            left = self.script.calls_per_interval - self._in_window
            self.refused += left < 0
            return self.script.faults.get(self.calls), left

    def renew(self) -> str:
        """A new token; the old one is worthless."""
        with self.lock:
            self.renewals += 1
            self.token = f"{self.script.token}-{self.renewals}"
            return self.token


@contextmanager
def serving(portal: Portal, script: Script | None = None) -> Iterator[FakeVendors]:
    """The server on a free port of this machine while the block runs."""
    server = FakeVendors(portal, script or Script())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FakeVendors
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer in two halves would wait 40 ms for the first to be acknowledged

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_form = "form" in (self.headers.get("Content-Type") or "")
        self._serve(dict(parse_qsl(raw.decode())) if is_form else json.loads(raw or b"{}"))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: who wants to watch counts calls."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The portal's clock, so that a replayed past is consistent."""
        return format_datetime(self.server.portal.now.astimezone(UTC), usegmt=True)

    def _serve(self, body: dict[str, Any]) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/_fake/clock":
            self.server.portal.now = datetime.fromisoformat(body["now"])
            return self._json(200, {"now": body["now"]})
        if parts.path == "/oauth/v1/token":
            return self._json(200, {"access_token": self.server.renew(), "expires_in": 1800})
        return self._vendor(parts.path, dict(parse_qsl(parts.query)), body)

    def _vendor(self, path: str, query: dict[str, str], body: dict[str, Any]) -> None:
        fault, left = self.server.count()
        if path in technographics.PATHS:
            return self._technographics(path, query, fault)
        if fault == "token_expiry":
            self.server.token = ""
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            said = {"status": "error", "message": "The token is expired or wrong", "category": "EXPIRED_AUTHENTICATION"}
            return self._json(401, said)
        if left < 0:
            return self._limited({"policyName": "TEN_SECONDLY_ROLLING"}, {"Retry-After": "1"})
        if fault in _REFUSALS:
            return _REFUSALS[fault](self)
        if fault == "shrinking_list":
            self.server.portal.archive_one("companies")
        twice = fault == "duplicate_page"
        status, content = hubspot.answer(self.server.portal, path, query, body, twice=twice)
        if fault == "schema_change":
            content = {"items": content.pop("results", []), **content}
        limits = {
            "X-HubSpot-RateLimit-Max": str(self.server.script.calls_per_interval),
            "X-HubSpot-RateLimit-Remaining": str(left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(self.server.script.interval_seconds * 1000)),
        }
        return self._bytes(status, json.dumps(content).encode(), limits, fault=fault)

    def _technographics(self, path: str, query: dict[str, str], fault: str | None) -> None:
        if fault in _REFUSALS and fault != "daily_limit":
            return _REFUSALS[fault](self)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            status, content, told = technographics.answer(
                self.server.portal, self.server.script, path, query, headers, fault
            )
        if fault == "schema_change":
            content = {"items": content["Results"]} if isinstance(content, dict) else [{"items": content}]
        return self._bytes(status, json.dumps(content).encode(), told, fault=fault)

    def _json(self, status: int, content: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self._bytes(status, json.dumps(content).encode(), headers or {})

    def _bytes(
        self,
        status: int,
        data: bytes,
        headers: Mapping[str, str],
        *,
        fault: str | None = None,
        kind: str = "application/json",
    ) -> None:
        if fault == "malformed":
            data = data[: len(data) // 2]
        self.send_response(status)
        for name, value in {**headers, "Content-Type": kind, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        half = len(data) // 2
        try:
            self.wfile.write(data[:half])
            self.wfile.flush()
            if fault == "cut":
                self.close_connection = True
                self.connection.shutdown(2)
                return
            if fault == "slow":
                time.sleep(self.server.script.slow_seconds)
            self.wfile.write(data[half:])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _limited(self, policy: Mapping[str, str], headers: Mapping[str, str]) -> None:
        said = {"status": "error", "errorType": "RATE_LIMIT", "message": "You have reached your limit.", **policy}
        self._json(429, said, headers)


_SECONDLY, _DAILY = {"policyName": "SECONDLY"}, {"policyName": "DAILY"}
_REFUSALS: dict[str | None, Callable[[_Handler], None]] = {
    "429": lambda handler: handler._limited(_SECONDLY, {"Retry-After": "0"}),
    "429_no_retry_after": lambda handler: handler._limited(_SECONDLY, {}),
    "500": lambda handler: handler._json(500, {"status": "error", "message": "internal error"}),
    "502": lambda handler: handler._bytes(502, b"<html>Bad gateway</html>", {}, kind="text/html"),
    "html": lambda handler: handler._bytes(200, b"<html>We will be back soon</html>", {}, kind="text/html"),
    "daily_limit": lambda handler: handler._limited(_DAILY, {}),
    "missing_scope": lambda handler: handler._json(
        403, {"status": "error", "message": "This app lacks a scope", "category": "MISSING_SCOPES"}
    ),
}
