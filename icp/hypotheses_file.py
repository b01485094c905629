"""hypotheses.yml -> hypotheses: what people believe about the ICP, who said it and when; every complaint has its line."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date as Day
from datetime import datetime as Moment
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from icp import yaml_lines
from icp.config_base import Scalar, Section
from icp.errors import ConfigError
from icp.hypotheses import FLAG_NO, FLAG_YES, Direction, Hypothesis, Range, Strength, contradictions
from icp.profile import Attribute


def _texts(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _ranges(value: Any) -> Any:
    """One range or several: [51, 500] or [[51, 500], [1001, null]]."""
    is_one = isinstance(value, list) and bool(value) and not any(isinstance(end, list) for end in value)
    return [value] if is_one else value


def _day(value: Any) -> Any:
    """A day as YAML or a quoted text writes it; nothing for none."""
    if value is None or value == "":
        return None
    if isinstance(value, Moment):
        return value.date()
    try:
        return value if isinstance(value, Day) else Day.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a day. Write it as 2026-01-15, or say it in `note`") from None


class Entry(Section):
    """One belief as it is written down."""

    attribute: Annotated[str, Field(min_length=1)]
    direction: Direction
    strength: Strength
    values: Annotated[tuple[Scalar, ...], BeforeValidator(_texts)] = ()
    bins: Annotated[tuple[tuple[float | None, float | None], ...], BeforeValidator(_ranges)] = ()
    source: str = ""
    author: str = ""
    date: Annotated[Day | None, BeforeValidator(_day)] = None
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        is_scale = self.direction in ("higher", "lower")
        if is_scale and (self.values or self.bins):
            raise ValueError(f"`direction: {self.direction}` speaks of the whole scale; leave out `values` and `bins`")
        if self.values and self.bins:
            raise ValueError("give `values` (names) or `bins` (ranges of numbers), not both")
        if any(not str(value).strip() for value in self.values):
            raise ValueError("a value in `values` is empty; name it or take it out")
        for low, high in self.bins:
            if not all(end is None or math.isfinite(end) for end in (low, high)):
                raise ValueError("an end of a range in `bins` is a number; for an open end write null, not inf or nan")
            if (low is None and high is None) or (low is not None and high is not None and low > high):
                raise ValueError("a range in `bins` is [least, most], with null for an open end")
        return self


class HypothesesFile(Section):
    """The whole of hypotheses.yml."""

    hypotheses: Annotated[tuple[Entry, ...], Field(min_length=1)]


def read_hypotheses(path: Path) -> tuple[Hypothesis, ...]:
    """The beliefs written down in a file, checked against each other.

    Raises:
        ConfigError: the file is absent or malformed, or entries contradict or repeat each other; one line each.
    """
    if not path.is_file():
        raise ConfigError(f"{path} does not exist. Write it, or take `hypotheses:` out of icp.yml.")
    document = yaml_lines.read(path)
    try:
        file = HypothesesFile.model_validate(yaml_lines.plain(document))
    except ValidationError as error:
        raise ConfigError(yaml_lines.explain(path, document, HypothesesFile, error)) from None
    found = tuple(_hypothesis(entry, _line(document, i)) for i, entry in enumerate(file.hypotheses))
    _complain(path, _clashes(found))
    return found


def resolve(
    hypotheses: Sequence[Hypothesis], attributes: Sequence[Attribute], path: str | Path
) -> tuple[Hypothesis, ...]:
    """The same with the names attributes have in the feature frame; a declared one may be named without its prefix.

    Raises:
        ConfigError: a belief is about no attribute, says of one what its kind does not allow, or contradicts or repeats
            another under a different name.
    """
    known = {a.name.removeprefix("attr_"): a for a in attributes} | {a.name: a for a in attributes}
    problems: list[tuple[int, str]] = []
    found = []
    for hypothesis in hypotheses:
        column, _, member = hypothesis.attribute.partition("=")
        attribute = known.get(column)
        if attribute is None:
            names = sorted({name.removeprefix("attr_") for name in known})
            problems.append((hypothesis.line, f"{column}: {yaml_lines.unknown(column, names, 'attribute')} "
                             f"Known attributes: {', '.join(names)}."))  # fmt: skip
            continue
        problems += [(hypothesis.line, what) for what in _misfits(hypothesis, attribute, member)]
        full = f"{attribute.name}={member}" if member else attribute.name
        found.append(replace(hypothesis, attribute=full))
    _complain(Path(path), problems)
    _complain(Path(path), _clashes(found, {a.name for a in attributes if a.kind == "flag"}))
    return tuple(found)


def _clashes(hypotheses: Sequence[Hypothesis], flags: Collection[str] = ()) -> list[tuple[int, str]]:
    return [(h.line, f"{why}. Keep one of them.") for h, why in contradictions(hypotheses, flags)]


def _misfits(hypothesis: Hypothesis, attribute: Attribute, member: str) -> Iterator[str]:
    is_scale = hypothesis.direction in ("higher", "lower")
    if member and (attribute.kind != "set" or hypothesis.values):
        yield f"{attribute.name}={member}: `=` names one member of a set, without `values`. Name them all under `values`."
    elif attribute.kind == "numeric":
        if hypothesis.values:
            yield f"{attribute.name} is a number: give ranges in `bins`, such as [[51, 500]], not `values`."
        elif not is_scale and not hypothesis.bins:
            yield f"{attribute.name} is a number: say `direction: higher` or `lower`, or give ranges in `bins`."
    elif is_scale or hypothesis.bins:
        yield f"{attribute.name} is a {attribute.kind}: say `direction: in` or `out` and name its `values`."
    elif attribute.kind == "flag":
        yield from _flag_misfits(hypothesis, attribute)
    elif not hypothesis.values and not member:
        yield f"{attribute.name}: name the `values` that are {hypothesis.direction}."


def _flag_misfits(hypothesis: Hypothesis, attribute: Attribute) -> Iterator[str]:
    said = [value.strip().casefold() for value in hypothesis.values]
    odd = [v for v, plain in zip(hypothesis.values, said, strict=True) if plain not in FLAG_YES | FLAG_NO]
    if odd:
        yield f"{attribute.name} is yes or no, not {odd[0]!r}: write `values: [yes]`, `values: [no]`, or no `values` for yes."
    elif len({value in FLAG_NO for value in said}) > 1:
        yield f"{attribute.name}: yes and no together are every account. Keep the one that is {hypothesis.direction}."


def _hypothesis(entry: Entry, line: int) -> Hypothesis:
    ranges: tuple[Range, ...] = entry.bins
    return Hypothesis(
        attribute=entry.attribute,
        direction=entry.direction,
        strength=entry.strength,
        values=tuple(_text(value) for value in entry.values),
        bins=ranges,
        source=entry.source,
        author=entry.author,
        date=entry.date.isoformat() if entry.date else "",
        note=entry.note,
        line=line,
    )


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _line(document: Any, place: int) -> int:
    return yaml_lines.line_of(document, ("hypotheses", place))


def _complain(path: Path, problems: Sequence[tuple[int, str]]) -> None:
    if problems:
        raise ConfigError("\n".join(f"{path.name}, line {line}: {what}" for line, what in problems))
