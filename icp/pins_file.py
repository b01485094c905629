"""The CSV of decisions about customers -> pins; every complaint names the file and its line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import cast, get_args

from icp.errors import ConfigError
from icp.pins import Pin, Verdict
from icp.yaml_lines import unknown

COLUMNS = ("account", "verdict", "reason", "author", "date")


def read_pins(path: Path) -> tuple[Pin, ...]:
    """The decisions written down in a file, in its order.

    Raises:
        ConfigError: the file is absent or not such a table, or rows are incomplete or contradict each other.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist. Write it, or take `label.pins` out of icp.yml.") from None
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} is not UTF-8 text (byte {problem.start}). Save it as UTF-8.") from None
    reader = csv.DictReader(text.splitlines())
    header = [name.strip() for name in reader.fieldnames or ()]
    lacking = [name for name in COLUMNS if name not in header]
    if lacking:
        raise ConfigError(
            f"{path.name}, line 1: the column {', '.join(lacking)} is missing. The header is {','.join(COLUMNS)}."
        )
    reader.fieldnames = header
    pins, problems = [], []
    for row in reader:
        cells = {name: (row[name] or "").strip() for name in COLUMNS}
        pin = Pin(
            cells["account"], cast(Verdict, cells["verdict"]), cells["reason"], cells["author"], cells["date"],
            reader.line_num,
        )  # fmt: skip
        found = list(_problems(pin))
        problems += [f"{path.name}, line {pin.line}: {what}" for what in found]
        if not found:
            pins.append(pin)
    problems += [f"{path.name}, line {line}: {what}" for line, what in _contradictions(pins)]
    if problems:
        raise ConfigError("\n".join(problems))
    return tuple(pins)


def _problems(pin: Pin) -> Iterator[str]:
    for name in ("account", "reason", "author"):
        if not getattr(pin, name):
            yield f"{name} is empty: say which customer, why, and who decided it."
    if pin.verdict not in get_args(Verdict):
        yield f"{pin.verdict!r}: {unknown(pin.verdict, get_args(Verdict), 'verdict')}"
    try:
        is_day = date.fromisoformat(pin.date).isoformat() == pin.date
    except ValueError:
        is_day = False
    if not is_day:
        yield f"{pin.date!r} is not a date. Write it as 2026-09-30."


def _contradictions(pins: list[Pin]) -> Iterator[tuple[int, str]]:
    seen: dict[tuple[str, str], Pin] = {}
    for pin in pins:
        first = seen.setdefault((pin.account.casefold(), pin.date), pin)
        if first is not pin:
            yield pin.line, f"{pin.account} has another entry of {pin.date} in line {first.line}. Keep one of them."
