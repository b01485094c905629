"""Read a suite and fill it in for one frame.

A suite is YAML in Great Expectations' own shape (name, meta, expectations: type, kwargs, severity, meta) with four
additions, all under `meta`, so that a rule needs no Python:

  suite meta.parameters     what the caller must (`required`) or may give (a default); null skips the rule
  suite meta.includes       other suites whose expectations belong to this one too
  rule  meta.rule, meta.fix the rule and its remedy in plain words, as shown to people
  rule  meta.for_each       repeat the rule: a list, `text_columns`, `numeric_columns`, `outcome_columns`, or the name of
                            a list parameter;
                            the element is `{column}`, or, when it is a mapping, `{<its keys>}`
  rule  meta.needs          skip the rule when this parameter is null
  rule  meta.tolerated_share  up to this share of rows the rule only warns
  rule  meta.values: shown  text values of this rule may be shown (identifiers, codes; never names or addresses)
  rule  meta.report: true   report the observed value even when the rule holds

In kwargs and meta `"{as_of}"` stands for a parameter (its type is kept) and `"{as_of + 2 days}"` for a later moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from icp.errors import ConfigError

SUITES = Path(__file__).parent
OUTCOMES = ("is_won", "outcome_quarter", "outcome_value")
_WHOLE = re.compile(r"^\{(\w+)(?:\s*\+\s*(\d+)\s*days?)?\}$")
_INSIDE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Check:
    """One expectation with every parameter filled in."""

    type: str
    kwargs: Mapping[str, Any]
    severity: str
    rule: str
    fix: str = ""
    tolerated_share: float = 0.0
    shows_values: bool = False
    reports: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns the check reads and needs to be there."""
        named = [self.kwargs.get(key) for key in ("column", "column_A", "column_B")]
        return tuple(name for name in (*named, *self.kwargs.get("column_list", ())) if name is not None)


@dataclass(frozen=True)
class FilledSuite:
    """A suite ready to run on one frame; `skipped` are rules without anything to compare with."""

    name: str
    checks: tuple[Check, ...]
    skipped: tuple[str, ...]


def suite_path(name: str, project: Path | None = None) -> Path:
    """Where the suite of a boundary is, e.g. `landing/accounts`, `features`, `outbound/accounts`.

    Args:
        name: the boundary.
        project: folder whose `expectations/` comes first; the suites shipped with this package stand in for it.
    """
    own = project / "expectations" / f"{name}.yml" if project else None
    return own if own and own.is_file() else SUITES / f"{name}.yml"


def fill_suite(path: Path, frame: pd.DataFrame, parameters: Mapping[str, Any]) -> FilledSuite:
    """Read a suite and its includes and fill in parameters, repetitions and defaults for this frame.

    Raises:
        ConfigError: the suite is missing or malformed, or a required parameter was not given.
    """
    page = read_suite(path)
    entries = [(path, entry) for entry in page.get("expectations", [])]
    for name in page.get("meta", {}).get("includes", []):
        included = read_suite(path.parent / name)
        entries += [(path.parent / name, entry) for entry in included.get("expectations", [])]
        page["meta"]["parameters"] = {**_declared(included), **_declared(page)}
    values = _given(path, _declared(page), parameters)
    lists = {**_columns_by_kind(frame), **values}
    checks: list[Check] = []
    skipped: list[str] = []
    for origin, entry in entries:
        for item in _repetitions(origin, entry, lists):
            check = _fill(origin, entry, {**values, **item})
            if check is None:
                skipped.append(str(_replace(_meta(entry)["rule"], {**values, **item})))
            else:
                checks.append(check)
    return FilledSuite(str(page.get("name", path.stem)), tuple(checks), tuple(skipped))


def read_suite(path: Path) -> dict[str, Any]:
    """One suite as written.

    Raises:
        ConfigError: there is no such file, or it is not a YAML mapping with named rules.
    """
    if not path.is_file():
        raise ConfigError(f"no suite of rules at {path}: restore the file or name another suite")
    try:
        page = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(page, dict) or not all(_is_rule(entry) for entry in page.get("expectations", [])):
        raise ConfigError(f"{path}: a suite needs `expectations`, each with `type`, `kwargs` and `meta.rule`")
    return page


def _is_rule(entry: Any) -> bool:
    return isinstance(entry, dict) and {"type", "kwargs"} <= set(entry) and "rule" in _meta(entry)


def _meta(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return entry.get("meta") or {}


def _declared(page: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_meta(page).get("parameters") or {})


def _given(path: Path, declared: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    missing = [name for name, default in declared.items() if default == "required" and parameters.get(name) is None]
    if missing:
        raise ConfigError(f"{path}: the caller must give {', '.join(missing)}")
    return {name: _moment(parameters.get(name, default)) for name, default in declared.items()}


def _moment(value: Any) -> Any:
    """Frames hold naive UTC timestamps, so moments are compared as such; a date is its midnight."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime.combine(value, time()) if isinstance(value, date) else value


def _columns_by_kind(frame: pd.DataFrame) -> dict[str, list[str]]:
    text = [str(name) for name in frame if _is_text(frame[name]) and _came_from_outside(str(name))]
    numeric = [
        str(name)
        for name in frame
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
    ]
    outcomes = dict.fromkeys([*OUTCOMES, *(name for name in frame.columns if str(name).startswith("outcome_"))])
    return {"text_columns": text, "numeric_columns": numeric, "outcome_columns": list(outcomes)}


def _came_from_outside(name: str) -> bool:
    """Landing's own columns start with an underscore; only the raw text kept in _parse_errors is the vendor's."""
    return not name.startswith("_") or name == "_parse_errors"


def _is_text(column: pd.Series) -> bool:
    if column.dtype != object:
        return isinstance(column.dtype, pd.StringDtype)
    return pd.api.types.infer_dtype(column, skipna=True) in {"string", "mixed"}


def _repetitions(path: Path, entry: Mapping[str, Any], lists: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    each = _meta(entry).get("for_each")
    items = lists.get(each) if isinstance(each, str) else each
    if each is None or (items is None and each in lists):
        yield {}
        return
    if not isinstance(items, Sequence):
        raise ConfigError(f"{path}: `for_each: {each}` of {entry['type']} is no list; declare it under meta.parameters")
    for item in items:
        yield dict(item) if isinstance(item, Mapping) else {"column": item}


def _fill(path: Path, entry: Mapping[str, Any], values: Mapping[str, Any]) -> Check | None:
    """The check, or None when a parameter it compares with was not given."""
    compared_with = [_meta(entry).get(key) for key in ("for_each", "needs")]
    if any(isinstance(name, str) and values.get(name, _ABSENT) is None for name in compared_with):
        return None
    try:
        kwargs = {key: _replace(value, values) for key, value in entry["kwargs"].items()}
        meta = {key: _replace(value, values) for key, value in _meta(entry).items() if key != "for_each"}
    except KeyError as error:
        raise ConfigError(f"{path}: {entry['type']} uses {error}, which meta.parameters does not declare") from error
    if any(value is _ABSENT for value in (*kwargs.values(), *meta.values())):
        return None
    return Check(
        type=entry["type"],
        kwargs=kwargs,
        severity=str(entry.get("severity", "critical")),
        rule=str(meta["rule"]),
        fix=str(meta.get("fix", "")),
        tolerated_share=float(meta.get("tolerated_share", 0.0)),
        shows_values=meta.get("values") == "shown",
        reports=bool(meta.get("report", False)),
    )


_ABSENT = object()


def _replace(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        filled = [_replace(part, values) for part in value]
        return _ABSENT if any(part is _ABSENT for part in filled) else filled
    if not isinstance(value, str):
        return _moment(value)
    if whole := _WHOLE.match(value):
        found = values[whole[1]]
        later = timedelta(days=int(whole[2] or 0))
        return _ABSENT if found is None else (found + later if later else found)
    return _INSIDE.sub(lambda part: _word(values[part[1]]) if part[1] in values else part[0], value)


def _word(value: Any) -> str:
    return "not given" if value is None else str(value)
