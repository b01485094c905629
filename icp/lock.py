"""One writer per lake: an operating-system lock that vanishes with its process, and a note saying who holds it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from icp import atomic
from icp.errors import LockHeld


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the folder's lock while the block runs; never waits.

    Raises:
        LockHeld: Another run holds it; the message names its process, machine and start.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise LockHeld(_who_holds(folder)) from None
    try:
        atomic.write_json(folder / ".lock.json", _me(folder / ".lock"))
        yield
    finally:
        (folder / ".lock.json").unlink(missing_ok=True)
        lock.release()


def _me(lock_file: Path) -> dict[str, str | int]:
    lock_file.touch()
    started = datetime.fromtimestamp(lock_file.stat().st_mtime, UTC)
    return {"pid": os.getpid(), "host": socket.gethostname(), "started": started.isoformat(timespec="seconds")}


def _who_holds(folder: Path) -> str:
    note = folder / ".lock.json"
    who = "another run"
    if note.exists():
        holder = atomic.read_json(note)
        who = f"process {holder['pid']} on {holder['host']}, since {holder['started']}"
    return f"The lake {folder} is being written by {who}. Wait until it ends; if it hangs, end it and run again."
