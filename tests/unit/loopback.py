"""Real servers on the loopback for what leaves the machine: HTTP with scripted answers, and an SMTP sink."""

from __future__ import annotations

import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from icp.fake_vendors.loopback import LoopbackServer, answering


@dataclass
class Received:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpSink:
    """Answers with the scripted statuses in turn (then 200); "hang" waits; a URL is a redirect there."""

    answers: list[int | str] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T0/B0/s3cr3t"


@contextmanager
def http_sink(*answers: int | str, tls: Path | None = None) -> Iterator[HttpSink]:
    sink = HttpSink(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.requests.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = sink.answers.pop(0) if sink.answers else 200
            if answer == "hang":
                time.sleep(0.6)
                return
            self.send_response(302 if isinstance(answer, str) else answer)
            if isinstance(answer, str):
                self.send_header("Location", answer)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            return

    server = LoopbackServer(Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sink.port = server.server_address[1]
    with answering(server):
        yield sink


@dataclass
class SmtpSink:
    """Takes every letter; `refuse` answers 550 to every recipient."""

    refuse: bool = False
    letters: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    port: int = 0


class _SmtpHandler(socketserver.StreamRequestHandler):
    sink: SmtpSink

    def handle(self) -> None:
        self._say("220 sink")
        while (line := self.rfile.readline()) and line[:4].upper() != b"QUIT":
            verb = line[:4].upper()
            if verb == b"RCPT" and self.sink.refuse:
                self._say("550 no such user")
                continue
            if verb == b"RCPT":
                self.sink.recipients.append(line.decode().split("<")[1].split(">")[0])
            if verb == b"DATA":
                self._say("354 go on")
                self.sink.letters.append(self._letter())
            self._say("250 ok")
        self._say("221 bye")

    def _letter(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@contextmanager
def smtp_sink(*, refuse: bool = False) -> Iterator[SmtpSink]:
    sink = SmtpSink(refuse)
    handler = type("Handler", (_SmtpHandler,), {"sink": sink})
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    sink.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
