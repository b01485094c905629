"""The server: keys, limits, and a script of faults, one by the number of the call it spoils."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from icp.fake_vendors import technographics
from icp.fake_vendors.ga4 import Ga4
from icp.fake_vendors.hubspot import HubSpot
from icp.fake_vendors.loopback import LoopbackServer, answering
from icp.fake_vendors.portal import Portal
from icp.fake_vendors.posthog import PostHog
from icp.fake_vendors.protocol import Call, Protocol, Reply
from icp.fake_vendors.salesforce import OrgRules, Salesforce

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
        salesforce: What is particular about the Salesforce org.
    """

    token: str = "fake-token"
    faults: Mapping[int, str] = field(default_factory=dict)
    calls_per_interval: int = 190
    interval_seconds: float = 10.0
    slow_seconds: float = 5.0
    salesforce: OrgRules = field(default_factory=OrgRules)


class FakeVendors(LoopbackServer):
    """The server on one portal; `calls` counts what it was asked, `refused` what its limit turned away."""

    def __init__(self, portal: Portal, script: Script, port: int = 0) -> None:
        super().__init__(_Handler, port)
        self.portal, self.script = portal, script
        self.calls = self.refused = self.renewals = 0
        self.token = script.token
        self.protocols: tuple[Protocol, ...] = (
            HubSpot(),
            Salesforce(script.salesforce),
            Ga4(),
            PostHog(),
            technographics.BuiltWith(),
            technographics.Wappalyzer(),
        )
        self._window_start, self._in_window = time.monotonic(), 0
        self._lock = threading.Lock()

    def count(self) -> tuple[str | None, int]:
        """The fault of this call and how many calls the limit still allows (negative: it is over)."""
        with self._lock:
            self.calls += 1
            if time.monotonic() - self._window_start >= self.script.interval_seconds:
                self._window_start, self._in_window = time.monotonic(), 0
            self._in_window += 1
            left = self.script.calls_per_interval - self._in_window
            self.refused += left < 0
            return self.script.faults.get(self.calls), left

    def renew(self) -> str:
        """A new token; the old one is worthless."""
        with self._lock:
            self.renewals += 1
            self.token = f"{self.script.token}-{self.renewals}"
            return self.token


def serving(portal: Portal, script: Script | None = None) -> AbstractContextManager[FakeVendors]:
    """The server on a free port of this machine while the block runs."""
    return answering(FakeVendors(portal, script or Script()))


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
        call = Call(self.command, parts.path, dict(parse_qsl(parts.query)), body, dict(self.headers.items()))
        if call.path == "/_fake/clock":
            self.server.portal.now = datetime.fromisoformat(body["now"])
            return self._send(Reply(200, {"now": body["now"]}))
        vendor = next((protocol for protocol in self.server.protocols if protocol.speaks(call.path)), None)
        if vendor is None:
            return self._send(Reply(404, {"status": "error", "message": f"no route {call.path}"}))
        login = vendor.login(self.server, call)
        return self._send(login) if login is not None else self._answer(vendor, call)

    def _answer(self, vendor: Protocol, call: Call) -> None:
        fault, left = self.server.count()
        if fault == "token_expiry":
            self.server.token = ""
        if vendor.credentials(call) != self.server.token or not self.server.token:
            return self._send(vendor.refusal("token_expiry"))
        if left < 0:
            return self._send(vendor.refusal("429"), {"Retry-After": "1"})
        refused = _TRANSPORT.get(fault or "") or (vendor.refusal(fault) if fault in _REFUSALS else None)
        if refused is not None:
            return self._send(refused)
        if fault == "shrinking_list":
            self.server.portal.archive_one("companies")
        script = self.server.script
        limits = vendor.limits(script.calls_per_interval, left, script.interval_seconds)
        return self._send(vendor.answer(self.server, call, fault), limits, fault)

    def _send(self, reply: Reply, headers: Mapping[str, str] | None = None, fault: str | None = None) -> None:
        data = reply.data[: len(reply.data) // 2] if fault == "malformed" else reply.data
        self.send_response(reply.status)
        sent = {**reply.headers, **(headers or {}), "Content-Type": reply.kind, "Content-Length": str(len(data))}
        for name, value in sent.items():
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


_REFUSALS = {"429", "429_no_retry_after", "500", "daily_limit", "missing_scope"}
"""Faults every vendor words in its own way."""
_TRANSPORT = {
    "502": Reply(502, "<html>Bad gateway</html>", kind="text/html"),
    "html": Reply(200, "<html>We will be back soon</html>", kind="text/html"),
}
