"""Files that are either whole or absent, however the process ends: write aside, fsync, rename, fsync the folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
# A restarted container has the process id of the one that died: the id alone proves nothing.
_CLAIMED_HERE: set[str] = set()


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: readers see the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    fsync_folder(path.parent)


def write_json(path: Path, content: Any) -> None:
    """Put `content` at `path` as readable JSON with sorted keys, in one step."""
    write_bytes(path, json_bytes(content))


def json_bytes(content: Any) -> bytes:
    """The one way this project writes JSON state: sorted keys, two spaces, UTF-8, a final newline."""
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_bytes())


def rename_folder(source: Path, target: Path) -> None:
    """Move a finished folder to its final name in one step, after everything in it has reached the disk."""
    fsync_tree(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    fsync_folder(target.parent)
    fsync_folder(source.parent)


def remove_folder(folder: Path) -> None:
    """Make a folder disappear at once for readers, then free its space; a kill between leaves only hidden rubbish."""
    if not folder.exists():
        return
    aside = folder.with_name(f".removed-{os.getpid()}-{folder.name.lstrip('.')}")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    shutil.rmtree(aside)


def fsync_tree(folder: Path) -> None:
    """Make every file and folder below `folder` durable."""
    for path in sorted(folder.rglob("*")):
        _fsync(path)
    _fsync(folder)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable (a rename is only safe once its folder is)."""
    _fsync(folder)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def claim(name: str) -> str:
    """A name for a temporary folder that says which process of which machine works in it."""
    claimed = f"{_host()}-{os.getpid()}-{name}"
    _CLAIMED_HERE.add(claimed)
    return claimed


def is_claimed(name: str) -> bool:
    """Whether the process that claimed this name still works; False for names of dead processes and of other machines.

    Only ask while holding the lock: a folder of another machine is rubbish because that machine cannot be writing.
    """
    host, _, rest = name.partition("-")
    pid = rest.partition("-")[0]
    if host != _host() or not pid.isdigit():
        return False
    return name in _CLAIMED_HERE if int(pid) == os.getpid() else is_alive(int(pid))


def _host() -> str:
    return "".join(c if c.isalnum() else "_" for c in socket.gethostname()) or "unknown"


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs on this machine (it may be another one that took over the number)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
