"""JSON-lines extracts: one object per line; a column is a key or a dotted path such as `associations.deals[0].id`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from icp.errors import ConfigError
from icp.sources.raw import RawColumn, WantedColumn, from_python, require_columns

Record = Mapping[str, Any]
STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
ABSENT = object()
SAMPLE = 200


def read_jsonl(place: str, data: bytes, wanted: Sequence[WantedColumn]) -> dict[str, RawColumn]:
    """The wanted columns of a JSON-lines file.

    Args:
        place: Table and file, for messages.
        data: The file's bytes.
        wanted: Keys or paths to read. A path through a list may be absent from every row (a deal without a company).

    Raises:
        ConfigError: Not UTF-8, no rows, a line that is no JSON object, a path no row has.
    """
    records = _records(place, data)
    if not records:
        raise ConfigError(f"{place} is empty. Fetch it again, or delete it if there is nothing to land.")
    return columns_of(place, records, wanted)


def columns_of(place: str, records: Sequence[Record], wanted: Sequence[WantedColumn]) -> dict[str, RawColumn]:
    """The wanted columns of nested records."""
    columns = Columns(place, wanted)
    columns.add(records)
    return columns.read()


def values_at(records: Sequence[Record], path: str) -> Sequence[Any]:
    """What stands at a path in each record, or ABSENT."""
    return _Nodes(records).at(path)


class Columns:
    """The wanted columns of nested records that come page by page; the records themselves are not kept."""

    def __init__(self, place: str, wanted: Sequence[WantedColumn]) -> None:
        self.rows = 0
        self._place, self._wanted = place, wanted
        self._values: dict[str, list[Any]] = {column.name: [] for column in wanted}
        self._sample: list[Record] = []

    def add(self, records: Sequence[Record]) -> None:
        """Add records behind those there are."""
        nodes = _Nodes(records)
        for name, column in self._values.items():
            column += nodes.at(name)
        self.rows += len(records)
        self._sample += records[: SAMPLE - len(self._sample)]

    def read(self) -> dict[str, RawColumn]:
        """What was added.

        Raises:
            ConfigError: A path no record has, unless it is optional or leads through a list.
        """
        lost = {name for name, column in self._values.items() if all(value is ABSENT for value in column)}
        lacking = [c for c in self._wanted if c.name in lost and not c.optional and "[" not in c.name]
        if lacking:
            require_columns(self._place, lacking, _paths(self._sample))
        return {name: from_python(_filled(column)) for name, column in self._values.items()}


def _filled(values: Sequence[Any]) -> Sequence[Any]:
    return [None if v is ABSENT else v for v in values] if type(ABSENT) in set(map(type, values)) else values


class _Nodes:
    """What stands at a path in each of many records; ABSENT where nothing does. Walked column by column: paths share steps."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._keys: set[str] = set().union(*records)
        self._known: dict[tuple[int | str, ...], Sequence[Any]] = {(): records}

    def at(self, path: str) -> Sequence[Any]:
        """The values at a path. A key spelled exactly like the path comes first."""
        steps = tuple(int(index) if index else key for key, index in STEP.findall(path))
        if path not in self._keys or steps == (path,):
            return self._walked(steps)
        pairs = zip(self._records, self._walked(steps), strict=True)
        return [record.get(path, value) for record, value in pairs]

    def _walked(self, steps: tuple[int | str, ...]) -> Sequence[Any]:
        if steps not in self._known:
            *before, step = steps
            self._known[steps] = _entered(self._walked(tuple(before)), step)
        return self._known[steps]


def _entered(nodes: Sequence[Any], step: int | str) -> list[Any]:
    if isinstance(step, str):
        try:
            return list(map(itemgetter(step), nodes))  # nearly always all of them have it
        except (KeyError, TypeError, IndexError):
            return [node.get(step, ABSENT) if isinstance(node, dict) else ABSENT for node in nodes]
    return [node[step] if isinstance(node, list) and step < len(node) else ABSENT for node in nodes]


def _records(place: str, data: bytes) -> list[Record]:
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        where = f"byte 0x{data[problem.start]:02x} at offset {problem.start} (line {line})"
        raise ConfigError(f"{place} is not UTF-8: {where} cannot be read. Save the extract as UTF-8.") from None
    return [_record(place, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _record(place: str, number: int, line: str) -> Record:
    try:
        record = json.loads(line)
    except ValueError as problem:
        raise ConfigError(f"{place}, line {number} is not JSON: {problem}. Fetch the extract again.") from None
    if not isinstance(record, dict):
        raise ConfigError(f"{place}, line {number} is not a JSON object. The file needs one object per line.")
    return record


def _paths(records: Sequence[Record]) -> list[str]:
    """Dotted paths of the first records, in order of appearance."""
    found: dict[str, None] = {}
    for record in records[:SAMPLE]:
        _collect(record, "", found)
    return list(found)


def _collect(node: Any, prefix: str, found: dict[str, None]) -> None:
    if isinstance(node, dict) and (node or not prefix):
        for key, value in node.items():
            _collect(value, f"{prefix}.{key}" if prefix else key, found)
    elif isinstance(node, list) and node and isinstance(node[0], dict | list):
        _collect(node[0], f"{prefix}[0]", found)
    else:
        found.setdefault(prefix)
