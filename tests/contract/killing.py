"""A pull in a process of its own, killed while a call of it is being answered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from icp.fake_vendors.server import FakeVendors

_PULL = """
import importlib, sys
from datetime import datetime
from pathlib import Path
from icp.config import load
from icp.lake import Lake
settings = load(Path(sys.argv[1]))
lake = Lake(settings.lake)
pull = importlib.import_module(sys.argv[2]).pull
with lake.lock():
    for staged in pull(settings, sys.argv[3], lake, extracted_at=datetime.fromisoformat(sys.argv[4])):
        lake.accept(staged, {})
"""


def start_pull(root: Path, module: str, source: str, at: datetime) -> subprocess.Popen[bytes]:
    """Pull one source of a project and accept what comes."""
    return subprocess.Popen(
        [sys.executable, "-c", _PULL, str(root), module, source, at.isoformat()], stderr=subprocess.DEVNULL
    )


def killed_in_call(server: FakeVendors, number: int, start: Callable[[], subprocess.Popen[bytes]]) -> None:
    """Start a pull and kill it while this call of it, which is slow, is being answered."""
    aim = server.calls + number
    server.script.faults = {aim: "slow"}
    child = start()
    while server.calls < aim:
        assert child.poll() is None
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
