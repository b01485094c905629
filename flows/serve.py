"""A small read-only site over what is published, for teams without a host: the standard library's server, fenced in."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from icp.errors import ConfigError

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-cache",
}
TEXTS = dict.fromkeys((".md", ".sql", ".yml", ".jsonl"), "text/plain; charset=utf-8")


class ReadOnly(SimpleHTTPRequestHandler):
    """Files below one folder, by GET and HEAD alone. Nothing hidden, no link out of the folder, no listings."""

    server_version, sys_version = "icp", ""
    timeout = 30

    def __init__(self, *args: object, root: Path, names: frozenset[str], **kwargs: object) -> None:
        self.root, self.names = root, names
        self.extensions_map = SimpleHTTPRequestHandler.extensions_map | TEXTS
        super().__init__(*args, directory=str(root), **kwargs)  # type: ignore[arg-type]

    def send_head(self) -> BytesIO | BinaryIO | None:
        """Answer only for this machine's own name (a page elsewhere cannot lend us its name) and inside the folder."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        if self.names and host not in self.names:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        if urlsplit(self.path).path == "/":
            return self._front()
        named = self.translate_path(self.path)
        meant = Path(named.replace("\0", "")).resolve()
        if (
            "\0" in named
            or not meant.is_relative_to(self.root)
            or any(part.startswith(".") for part in meant.relative_to(self.root).parts)
        ):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def list_directory(self, path: str) -> None:  # type: ignore[override]
        """A folder without an index.html is not shown."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody's reading is written down."""

    def _front(self) -> BytesIO | None:
        from icp.report.site import render_site

        page = render_site(sorted(p.parent.name for p in self.root.glob("*/index.html"))).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        return BytesIO(page)


@contextmanager
def site(published: Path, host: str, port: int) -> Iterator[ThreadingHTTPServer]:
    """The site, listening but not yet answering: call `serve_forever`.

    Args:
        published: the folder to show.
        host: an address to listen on. Reports name accounts, so anything but loopback shows them to whoever can reach it.
        port: 0 takes a free one.

    Raises:
        ConfigError: nothing is published, or the address cannot be had.
    """
    if not any(published.glob("*/index.html")):
        raise ConfigError(f"Nothing is published in {published}. Run `icp refresh` first.")
    names = frozenset({"127.0.0.1", "localhost", "::1"}) if is_loopback(host) else frozenset()
    handler = partial(ReadOnly, root=published.resolve(), names=names)
    try:
        server = _server(host, port, handler)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {origin(host, port)} ({error.strerror}). Choose another --port."
        ) from error
    try:
        yield server
    finally:
        server.server_close()


def origin(host: str, port: int) -> str:
    """Host and port as they stand in an address: `[::1]:8765`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _server(host: str, port: int, handler: Callable[..., ReadOnly]) -> ThreadingHTTPServer:
    """A server of the address's own family: the library's listens on IPv4 only."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    made = type("Server", (ThreadingHTTPServer,), {"address_family": family})
    return cast(ThreadingHTTPServer, made(address[:2], handler))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
