"""A process that dies at the n-th change it makes on disk: the real kernel, a real kill."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

KILLED = 137


def killed_at(write: int, root: Path, action: Callable[[], object]) -> bool:
    """Run the action in a child that dies at the n-th change below `root`; False when it ends before."""
    pid = os.fork()
    if pid == 0:
        left = [write]

        def die(event: str, args: tuple[object, ...]) -> None:
            changes = event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir") or (
                event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            )
            if changes and str(args[0]).startswith(str(root)):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(KILLED)

        sys.addaudithook(die)
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED
