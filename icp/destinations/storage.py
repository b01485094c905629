"""A folder in object storage, or behind any URL fsspec knows: the list as Parquet and CSV, and a note saying which it is.

Each file is put whole. The note (`<list>.json`: list, rows, size and hash of each file) is put before them, saying what is
coming, and after them: who reads it first and compares the sizes never takes half a list for a whole one, and a run that was
killed between the files is known from somebody's change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from icp.config_destinations import StorageDestination
from icp.config_storage import scheme_of
from icp.destinations.destination import FOREIGN, RESUME, Rejected, Room, Takes, Values, Written, perhaps_done
from icp.sources.storage import ARROW, explained, file_system

TAKES: Takes = "list"
SCHEMA_VERSION = 1


def opened(section: StorageDestination, room: Room) -> Storage:
    """The folder, ready to be looked at."""
    return Storage(section, room)


class Storage:
    """A folder with one list in it."""

    batch = 1
    remedy = ""

    def __init__(self, section: StorageDestination, room: Room) -> None:
        self._url, self._list, self._formats = section.url, section.list, section.formats
        self._shelf, self.calls = room.shelf, 0
        self._place, self._settings = f"destination {section.url}", section.storage
        self._opened: tuple[Any, str] | None = None

    def lacking(self, columns: Sequence[str]) -> tuple[str, ...]:
        return ()

    def create(self, columns: Sequence[str]) -> None:
        """Nothing has to be made."""

    def read(self, accounts: Sequence[str], columns: Sequence[str]) -> dict[str, Values]:
        with self._speaking() as (files, folder):
            return {self._list: {"list": self._found(files, folder)}}

    def write(self, rows: Mapping[str, Values], trace: str) -> Written | Rejected:
        [(account, values)] = rows.items()
        name = values["list"]
        made = {} if name is None else self._files(name)
        with perhaps_done(), self._speaking() as (files, folder):
            coming = {"schema_version": SCHEMA_VERSION, "list": self._found(files, folder), "coming": name}
            for file, data in [(self._note, _as_json(coming)), *made.items()]:
                self._put(files, f"{folder}/{file}", data)
            if name is None:
                self._remove(files, folder)
        return Written({account: None})

    def close(self) -> None:
        """Nothing is held open."""

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _files(self, name: str) -> dict[str, bytes]:
        """The files of a list, the note last."""
        import pyarrow.parquet as pq

        from icp.publication import csv_text, read_table

        kept = self._shelf.path(name)
        makers: dict[str, Callable[[], bytes]] = {
            "parquet": kept.read_bytes,
            "csv": lambda: csv_text(read_table(kept)).encode(),
        }
        made = {f"{self._list}.{kind}": makers[kind]() for kind in self._formats}
        about = {file: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for file, data in made.items()}
        note = {"schema_version": SCHEMA_VERSION, "list": name, "rows": pq.read_metadata(kept).num_rows, "files": about}
        return {**made, self._note: _as_json(note)}

    @property
    def _note(self) -> str:
        return f"{self._list}.json"

    def _found(self, files: Any, folder: str) -> str | None:
        """The list that is there; None where nothing is, FOREIGN where it is not as we would have left it."""
        try:
            note = json.loads(files.cat_file(f"{folder}/{self._note}"))
            found: str | None = note["list"]
            about = {} if "coming" in note else dict(note["files"])
            whole = all(files.size(f"{folder}/{file}") == told["bytes"] for file, told in about.items())
        except FileNotFoundError:
            if scheme_of(self._url) in ARROW:  # a bucket that is not there is said before anything is sent
                files.ls(folder.partition("/")[0], detail=False)
            return FOREIGN if any(files.exists(f"{folder}/{file}") for file in self._names()) else None
        except (ValueError, KeyError, TypeError):
            return FOREIGN
        return found if whole else FOREIGN

    def _names(self) -> list[str]:
        return [*(f"{self._list}.{kind}" for kind in self._formats), self._note]

    def _remove(self, files: Any, folder: str) -> None:
        for path in (f"{folder}/{file}" for file in self._names()):
            try:
                files.rm_file(path)
            except OSError:  # it was not there, or is gone but the folder could not be kept
                if files.exists(path):
                    raise

    def _put(self, files: Any, path: str, data: bytes) -> None:
        """One file, whole or not at all: object storage does that by itself, a folder by a rename."""
        if scheme_of(self._url) not in ("file", "local"):
            with files.open(path, "wb") as file:
                file.write(data)
            return
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.pipe_file(f"{path}.part", data)
        files.mv(f"{path}.part", path)

    @contextmanager
    def _speaking(self) -> Iterator[tuple[Any, str]]:
        self.calls += 1
        with explained(self._place, self._url, key="url", verb="list, read and write", later=RESUME):
            if self._opened is None:
                self._opened = file_system(self._place, self._url, self._settings)
            yield self._opened


def _as_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True).encode()
