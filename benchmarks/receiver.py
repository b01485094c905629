"""A webhook's receiver on the loopback: keeps every message in the order of arrival."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from icp.fake_vendors.loopback import LoopbackServer, answering


@dataclass
class Receiver:
    """Where it listens and what came."""

    url: str
    messages: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Listen while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with answering(LoopbackServer(Handler)) as server:
        receiver = Receiver(f"{server.url}/")
        yield receiver
