"""A Prefect server of our own on this machine, for as long as a command runs.

Flows started by hand would bring up an embedded server when the first of them runs, and wait for it. Starting it first
and doing other work meanwhile takes most of the wait away.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from icp.errors import TryLater

PATIENCE = 120.0
# What only serves schedules: a run by hand has none, and what an `icp up` on the same records left is not its business.
FOR_SCHEDULES = (
    "SCHEDULER",
    "LATE_RUNS",
    "TRIGGERS",
    "FOREMAN",
    "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP",
    "REPOSSESSOR",
)


@contextmanager
def local_server(*, schedules: bool = False) -> Iterator[Callable[[], None]]:
    """Start a server on a free loopback port; the value yielded waits until it answers and points flows at it.

    A server named by `PREFECT_API_URL` is used instead, and nothing is started.

    Args:
        schedules: Whether it starts what is due; a run by hand needs no such server.

    Raises:
        TryLater: the server did not come up.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield lambda: None
        return
    port = _free_port()
    address = f"http://127.0.0.1:{port}/api"
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            **os.environ,
            **({} if schedules else {f"PREFECT_SERVER_SERVICES_{n}_ENABLED": "false" for n in FOR_SCHEDULES}),
        },
    )

    def ready() -> None:
        wait_for_server(process, address)
        os.environ["PREFECT_API_URL"] = address

    try:
        yield ready
    finally:
        os.environ.pop("PREFECT_API_URL", None)
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for_server(process: subprocess.Popen[bytes], address: str) -> None:
    """Wait until the server of this process answers.

    Raises:
        TryLater: it ended, or did not answer in time.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise TryLater(
        f"The local Prefect server did not answer within {PATIENCE:.0f} s. Run again, or without Prefect: --plain."
    )
