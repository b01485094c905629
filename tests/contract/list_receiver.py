"""A receiver of lists as a user would write one: checks signatures, knows repetitions by their key, keeps the rows."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from icp.fake_vendors.loopback import LoopbackServer, answering

SECRET = "hook-secret-do-not-print"


@dataclass
class ListReceiver:
    """What it holds. `script` says what happens to the next calls: a status, `hang` (before), `lost` (after it was done)."""

    url: str = ""
    held: dict[str, dict[str, object]] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    script: list[int | str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    carried_out: int = 0

    def take(self, headers: dict[str, str], body: bytes) -> int:
        signed = headers["x-icp-timestamp"].encode() + b"." + body
        if headers["x-icp-signature"] != "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest():
            return 401
        key, content = headers["idempotency-key"], json.loads(body)
        self.bodies.append(body)
        if {row["account_id"] for row in content["rows"]} & self.bad:
            return 422
        if key not in self.keys:
            self.carried_out += 1
            self.held |= {row["account_id"]: row for row in content["rows"]}
            for account in content["removed"]:
                del self.held[account]
        self.keys.append(key)
        return 204


@contextmanager
def receiving() -> Iterator[ListReceiver]:
    receiver = ListReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            what = receiver.script.pop(0) if receiver.script else "answer"
            if isinstance(what, int):
                return self._say(what)
            status = receiver.take({k.lower(): v for k, v in self.headers.items()}, body) if what != "hang" else 0
            if what == "answer":
                return self._say(status)
            time.sleep(0.5)
            return None

        def _say(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with answering(LoopbackServer(Handler)) as server:
        receiver.url = f"{server.url}/hooks/s3cr3t"
        yield receiver
