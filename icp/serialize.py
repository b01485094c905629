"""Results as text: the same bytes for the same result, and back again without loss.

`to_json` is for readers of a revision (floats at ten significant digits, keys sorted). `profile_to_yaml` is the ICP as
code: the file people review and the state the next quarter starts from, so nothing is rounded there. To publish
figures that do not depend on the last bits of a machine's arithmetic, pass the profile through `rounded` once, before
anything is written.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from io import StringIO
from typing import Any, TypeVar, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from icp.errors import ConfigError
from icp.profile import Attribute, Bin, Estimate, Profile

SCHEMA_VERSION = 1
SIGNIFICANT_DIGITS = 10

T = TypeVar("T")
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_ONE_LINE = (Estimate, Bin, Attribute)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _.=/<>%()-]*[A-Za-z0-9)%]\Z")
_WORDS_OF_OLD_YAML = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


def to_json(result: Any) -> str:
    """One result as JSON text: sorted keys, floats at ten significant digits, a schema version, always the same bytes.

    >>> print(to_json(Estimate(1 / 3, 0.2, 0.5)))
    {
      "high": 0.5,
      "low": 0.2,
      "schema_version": 1,
      "value": 0.3333333333
    }
    <BLANKLINE>
    """
    body = _plain(result, _json_number)
    if not isinstance(body, dict):
        raise TypeError(f"to_json writes one result (a dataclass or a mapping), not {type(result).__name__}")
    return json.dumps(body | {"schema_version": SCHEMA_VERSION}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def from_json(shape: type[T], text: str) -> T:
    """The result that `to_json` wrote, as the dataclass it was.

    Raises:
        ConfigError: the text is not JSON, is of a newer schema, or does not fit the shape; the message names the place.
    """
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not valid JSON: {error}") from error
    return _versioned(shape, body)


def profile_to_yaml(profile: Profile) -> str:
    """The ICP as code: every number of the profile in a file a person can read, review and keep in git."""
    body = {"schema_version": SCHEMA_VERSION} | _plain(profile, lambda number: number, one_line=_OneLine)
    stream = StringIO()
    _writer().dump(body, stream)
    return f"# The ICP {_comment(profile.icp)} of {_comment(profile.quarter)}, as code.\n{stream.getvalue()}"


def profile_from_yaml(text: str) -> Profile:
    """The profile that `profile_to_yaml` wrote, equal in every field.

    Raises:
        ConfigError: the text is not YAML, is of a newer schema, or does not fit a profile; the message names the place.
    """
    try:
        body = YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ConfigError(f"profile is not valid YAML: {error}") from error
    return _versioned(Profile, body)


def rounded(result: T) -> T:
    """The same result with every float at ten significant digits: what should be published, stored and scored with.

    The last bits of a sum depend on the processor and its threads; a published ICP must not.
    """
    if not dataclasses.is_dataclass(result) or isinstance(result, type):
        raise TypeError(f"rounded takes a result dataclass, not {type(result).__name__}")
    return cast(T, _decode(type(result), _plain(result, _round), type(result).__name__))


# -- writing -----------------------------------------------------------------------------------------------------------


class _OneLine(dict[str, Any]):
    """A mapping written on one line of YAML: an estimate, a bin."""


def _plain(value: Any, number: Callable[[float], Any], one_line: type[dict[str, Any]] = dict) -> Any:
    """Dataclasses, tuples and numpy scalars as the dicts, lists and numbers a text format knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        said = [f for f in dataclasses.fields(value) if "unsaid" not in f.metadata or getattr(value, f.name)]
        pairs = {f.name: _plain(getattr(value, f.name), number, one_line) for f in said}
        return one_line(pairs) if isinstance(value, _ONE_LINE) else pairs
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key], number, one_line) for key in sorted(value, key=str)}
    if isinstance(value, (frozenset, set)):
        return [_plain(item, number, one_line) for item in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(item, number, one_line) for item in value]
    return _scalar(value, number)


def _scalar(value: Any, number: Callable[[float], Any]) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return number(float(value))
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):
        return _scalar(value.item(), number)
    raise TypeError(f"results hold dataclasses, mappings, sequences, numbers and text; found {type(value).__name__}")


def _round(value: float) -> float:
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}") + 0.0 if math.isfinite(value) else value


def _json_number(value: float) -> float | str:
    return _round(value) if math.isfinite(value) else next(k for k, v in _NOT_FINITE.items() if str(v) == str(value))


def _comment(text: str) -> str:
    return " ".join(text.split())


class _Representer(SafeRepresenter):
    """Text that an older YAML reader would take for a boolean, a date or a number is quoted ("NO" is Norway)."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text_node(representer: _Representer, text: str) -> ScalarNode:
    is_plain = _PLAIN.match(text) is not None and text.lower() not in _WORDS_OF_OLD_YAML
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


def _float_node(representer: _Representer, value: float) -> ScalarNode:
    special = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(str(value))
    text = special or (repr(value) if "." in repr(value) else repr(value).replace("e", ".0e"))
    return representer.represent_scalar("tag:yaml.org,2002:float", text)


_Representer.add_representer(str, _text_node)
_Representer.add_representer(float, _float_node)
_Representer.add_representer(
    _OneLine, lambda self, data: self.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)


def _writer() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 100_000
    yaml.allow_unicode = True
    return yaml


# -- reading -----------------------------------------------------------------------------------------------------------


def _versioned(shape: type[T], body: Any) -> T:
    if not isinstance(body, dict):
        raise ConfigError(f"{shape.__name__}: expected named fields, found {type(body).__name__}")
    version = body.pop("schema_version", None)
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"{shape.__name__}: schema_version is {version!r}, this version of icp-refresh reads {SCHEMA_VERSION}; "
            "read it with the version that wrote it, or derive the quarter again"
        )
    return cast(T, _decode(shape, body, shape.__name__))


def _decode(hint: Any, value: Any, where: str) -> Any:
    """The value as the type hint asks for it; `where` names the place in error messages."""
    if dataclasses.is_dataclass(hint):
        return _decode_dataclass(cast(type, hint), value, where)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(hint, value, where)
    if origin is tuple:
        return _decode_tuple(typing.get_args(hint), value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _decode_mapping(hint, value, where)
    return _decode_scalar(hint, value, where)


@cache
def _hints(shape: type) -> dict[str, Any]:
    return typing.get_type_hints(shape)


def _decode_dataclass(shape: type, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected the fields of {shape.__name__}, found {type(value).__name__}")
    hints, fields = _hints(shape), {f.name: f for f in dataclasses.fields(shape) if f.init}
    unknown = sorted(set(value) - set(fields))
    missing = sorted(
        name
        for name, f in fields.items()
        if name not in value and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    )
    if unknown or missing:
        raise ConfigError(f"{where}: unknown fields {unknown}, missing fields {missing}; see {shape.__name__}")
    return shape(**{name: _decode(hints[name], value[name], f"{where}.{name}") for name in fields if name in value})


def _decode_union(hint: Any, value: Any, where: str) -> Any:
    choices = [choice for choice in typing.get_args(hint) if choice is not types.NoneType]
    return None if value is None else _decode(choices[0], value, where)


def _decode_tuple(items: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where}: expected a list, found {type(value).__name__}")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_decode(items[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(items) != len(value):
        raise ConfigError(f"{where}: expected {len(items)} items, found {len(value)}")
    return tuple(_decode(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(zip(items, value, strict=True)))


def _decode_mapping(hint: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected names and values, found {type(value).__name__}")
    inner = typing.get_args(hint)[1]
    return {str(key): _decode(inner, item, f"{where}.{key}") for key, item in value.items()}


def _decode_scalar(hint: Any, value: Any, where: str) -> Any:
    if typing.get_origin(hint) is typing.Literal:
        return _checked(value in typing.get_args(hint), value, where, f"one of {list(typing.get_args(hint))}")
    if hint is float:
        number = _NOT_FINITE.get(value, value) if isinstance(value, str) else value
        is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
        return float(_checked(is_number, number, where, "a number"))
    if hint is bool or hint is str:
        return _checked(isinstance(value, hint), value, where, "text" if hint is str else "true or false")
    if hint is int:
        return _checked(isinstance(value, int) and not isinstance(value, bool), value, where, "a whole number")
    return value


def _checked(is_right: bool, value: Any, where: str, expected: str) -> Any:
    if not is_right:
        raise ConfigError(f"{where}: expected {expected}, found {value!r}")
    return value
