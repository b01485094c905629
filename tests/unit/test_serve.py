"""The local site over real sockets: what is published can be read, nothing else can, nothing can be written."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.serve import HEADERS, is_loopback, origin, site
from icp.errors import ConfigError


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    (folder / "main" / "2026Q3" / "r1").mkdir(parents=True)
    (folder / "main" / "index.html").write_text("<h1>all quarters</h1>")
    (folder / "main" / "2026Q3" / "r1" / "report.html").write_text("<h1>report</h1>")
    (folder / "main" / "2026Q3" / ".working").mkdir()
    (folder / "main" / "2026Q3" / ".working" / "report.html").write_text("unfinished")
    (tmp_path / "icp.yml").write_text("secret")
    (folder / "main" / "out").symlink_to(tmp_path)
    return folder


@pytest.fixture
def port(published: Path) -> Iterator[int]:
    with site(published, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", host: str = "localhost") -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"{host}:{port}")
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return found


def test_pages_are_served_with_safe_headers(port: int) -> None:
    for path, text in (("/", b'href="main/"'), ("/main/", b"all quarters"), ("/main/2026Q3/r1/report.html", b"report")):
        status, body, headers = ask(port, path)
        assert status == 200 and text in body
        assert HEADERS.items() <= headers.items() and "Python" not in headers["Server"]


@pytest.mark.parametrize(
    "path",
    [
        "/../icp.yml", "/main/../../icp.yml", "/%2e%2e/icp.yml", "/main/%2e%2e%2f%2e%2e%2ficp.yml", "/..%5cicp.yml",
        "/main/out/icp.yml", "//etc/passwd", "/main/2026Q3/.working/report.html", "/main/2026Q3/", "/main/2026Q3/r1/",
        "/main/%00", "/main/out/", "/nothing",
    ],
)  # fmt: skip
def test_nothing_else_can_be_read(port: int, path: str) -> None:
    status, body, _ = ask(port, path)
    assert status == 404 and b"secret" not in body and b"unfinished" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written(port: int, method: str) -> None:
    assert ask(port, "/main/index.html", method)[0] == 501


def test_another_site_cannot_lend_itself_our_address(port: int) -> None:
    assert ask(port, "/main/", host="evil.example")[0] == 421
    assert ask(port, "/main/", method="HEAD")[:2] == (200, b"")


def test_an_address_that_is_taken_or_a_folder_without_pages_is_said(published: Path, tmp_path: Path, port: int) -> None:
    with pytest.raises(ConfigError, match="Choose another --port"), site(published, "127.0.0.1", port):
        pass
    with pytest.raises(ConfigError, match="icp refresh"), site(tmp_path / "empty", "127.0.0.1", 0):
        pass
    assert is_loopback("127.0.0.1") and is_loopback("localhost") and not is_loopback("0.0.0.0")


def test_a_port_that_cannot_be_is_refused_in_words() -> None:
    from typer.testing import CliRunner

    from icp.cli import app

    refused = CliRunner().invoke(app, ["serve", "--port", "99999"])
    assert refused.exit_code == 2
    assert "65535" in refused.output


def test_an_address_of_ipv6_is_listened_on(published: Path) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with site(published, "::1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        connection = http.client.HTTPConnection("::1", server.server_address[1], timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
        server.shutdown()
        thread.join()
    assert origin("::1", 80) == "[::1]:80" and origin("localhost", 80) == "localhost:80"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
