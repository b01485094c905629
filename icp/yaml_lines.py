"""Reading YAML so that every complaint names the line it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

from icp.config_base import NAME_PATTERN
from icp.errors import ConfigError

Location = tuple[int | str, ...]


def read(path: Path) -> Any:
    """The YAML document at `path`, with line numbers kept.

    Raises:
        ConfigError: The file is missing, not text, empty, not a mapping, not YAML, or says a key twice.
    """
    try:
        document = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist. Run `icp init` to make one, or name it with --config.") from None
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} is not UTF-8 text (byte {problem.start}). Save it as UTF-8.") from None
    except DuplicateKeyError as problem:
        raise ConfigError(_duplicate(path, problem)) from None
    except MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise ConfigError(f"{path.name}, line {line}: not valid YAML ({problem.problem}).") from None
    except ValueError as problem:  # a day that does not exist, such as 2026-02-30
        raise ConfigError(f"{path.name} holds a value that cannot be read: {problem}. Look at its dates.") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is empty or not a mapping of keys to values. See `icp schema` for what it may hold.")
    return document


def _duplicate(path: Path, problem: DuplicateKeyError) -> str:
    key = str(problem.problem).split('"')[1] if '"' in str(problem.problem) else "a key"
    line = problem.problem_mark.line + 1 if problem.problem_mark else 1
    return f"{path.name}, line {line}: `{key}` is written twice in the same section. Keep one of them."


def line_of(document: Any, location: Location) -> int:
    """The line (from 1) of the place `location` in a document, or of the nearest enclosing section."""
    line = 1
    for part in location:
        positions = getattr(getattr(document, "lc", None), "data", None) or {}
        if part not in positions:
            break
        line = positions[part][0] + 1
        document = document[part]
    return line


def plain(value: Any) -> Any:
    """The document as plain dictionaries, lists and values, without positions."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def explain(path: Path, document: Any, model: type[BaseModel], error: ValidationError) -> str:
    """What pydantic found, as sentences with line numbers, unknown keys with the nearest known one."""
    sentences = []
    for problem in error.errors():
        location = tuple(part for part in problem["loc"] if part != "[key]")
        where = ".".join(str(part) for part in location) or "the file"
        what = _what(model, location, problem["type"], problem["msg"], problem.get("ctx") or {})
        sentences.append(f"{path.name}, line {line_of(document, location)}: {where}: {what}")
    return "\n".join(dict.fromkeys(sentences))


def _what(model: type[BaseModel], location: Location, kind: str, message: str, said: Mapping[str, Any]) -> str:
    if kind == "union_tag_not_found":
        return f"{said['discriminator'].replace(chr(39), chr(96))} is required. Add it."
    if kind == "union_tag_invalid":
        return unknown(said["tag"], said["expected_tags"].replace("'", "").split(", "), "kind")
    if kind == "extra_forbidden":
        return unknown(str(location[-1]), _keys_at(model, location[:-1]))
    if kind == "string_pattern_mismatch" and NAME_PATTERN in message:
        return "is not a name. Use small letters, digits and underscores, a letter first, such as `emea_large`."
    if kind == "missing":
        return "is required. Add it."
    return message.removeprefix("Value error, ").removesuffix(".") + "."


def unknown(name: str, known: Iterable[str], what: str = "key") -> str:
    """What to say of an unknown name: the nearest known one, or all of them when none is near."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"unknown {what}. Did you mean `{near[0]}`?"
    return f"unknown {what}. Known here: {', '.join(names)}."


def _keys_at(model: Any, location: Location) -> list[str]:
    """The keys allowed at a place: walk the models' fields; any other part is a key of a dictionary of models."""
    for part in location:
        fields = model.model_fields if _is_model(model) else {}
        field = next((f for name, f in fields.items() if part in (f.alias, name)), None)
        if field is None and not _is_model(model):
            model = _of_kind(model, part)
        else:
            model = _inner(field.annotation) if field else model
    model = model if _is_model(model) else _inner_model(model)
    return [field.alias or name for name, field in model.model_fields.items()] if _is_model(model) else []


def _inner_model(annotation: Any) -> Any:
    if _is_model(annotation):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _inner_model(arg))), None)


def _inner(annotation: Any) -> Any:
    """The model an annotation holds, or the annotation where it holds several that are told apart by their kind."""
    models = _all_models(annotation)
    return models[0] if len(models) == 1 else annotation


def _of_kind(annotation: Any, kind: Any) -> Any:
    """The model of a kind among those an annotation holds; the annotation where the part is another key."""
    kinds = ((m, get_args(f.annotation)) for m in _all_models(annotation) if (f := m.model_fields.get("kind")))
    return next((model for model, names in kinds if kind in names), annotation)


def _all_models(annotation: Any) -> list[Any]:
    if _is_model(annotation):
        return [annotation]
    return [model for arg in get_args(annotation) for model in _all_models(arg)]


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
