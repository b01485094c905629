"""JSON-lines extracts: one object per line; a column is a key or a dotted path such as `associations.deals[0].id`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
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
    values = {column.name: list(map(getter(column.name), records)) for column in wanted}
    found = [name for name, column in values.items() if any(value is not ABSENT for value in column)]
    strict = [WantedColumn(c.name, c.optional or "[" in c.name) for c in wanted]
    if any(not column.optional and column.name not in found for column in strict):
        require_columns(place, [c for c in strict if c.name not in found], _paths(records))
    return {name: from_python([None if v is ABSENT else v for v in column]) for name, column in values.items()}


def getter(path: str) -> Callable[[Record], Any]:
    """A function from a record to the value at `path`, or ABSENT. A key spelled exactly like the path comes first."""
    steps = [int(index) if index else key for key, index in STEP.findall(path)]
    if steps == [path]:
        return lambda record: record.get(path, ABSENT)

    def get(record: Record) -> Any:
        return record[path] if path in record else _walk(record, steps)

    return get


def _walk(node: Any, steps: Sequence[int | str]) -> Any:
    for step in steps:
        if isinstance(step, int):
            node = node[step] if isinstance(node, list) and step < len(node) else ABSENT
        else:
            node = node.get(step, ABSENT) if isinstance(node, dict) else ABSENT
    return node


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
