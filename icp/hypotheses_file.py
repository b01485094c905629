"""hypotheses.yml -> hypotheses: what people believe about the ICP, who said it and when; every complaint has its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date as Day
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from icp import yaml_lines
from icp.config_schema import Scalar, Section
from icp.errors import ConfigError
from icp.hypotheses import Direction, Hypothesis, Range, Strength, contradictions
from icp.profile import Attribute


def _texts(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _ranges(value: Any) -> Any:
    """One range or several: [51, 500] or [[51, 500], [1001, null]]."""
    is_one = isinstance(value, list) and bool(value) and not any(isinstance(end, list) for end in value)
    return [value] if is_one else value


class Entry(Section):
    """One belief as it is written down."""

    attribute: Annotated[str, Field(min_length=1)]
    direction: Direction
    strength: Strength
    values: Annotated[tuple[Scalar, ...], BeforeValidator(_texts)] = ()
    bins: Annotated[tuple[tuple[float | None, float | None], ...], BeforeValidator(_ranges)] = ()
    source: str = ""
    author: str = ""
    date: Scalar = ""
    note: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        is_scale = self.direction in ("higher", "lower")
        if is_scale and (self.values or self.bins):
            raise ValueError(f"`direction: {self.direction}` speaks of the whole scale; leave out `values` and `bins`")
        if self.values and self.bins:
            raise ValueError("give `values` (names) or `bins` (ranges of numbers), not both")
        for low, high in self.bins:
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
    _complain(path, [(h.line, f"{why}. Keep one of them.") for h, why in contradictions(found)])
    return found


def resolve(
    hypotheses: Sequence[Hypothesis], attributes: Sequence[Attribute], path: str | Path
) -> tuple[Hypothesis, ...]:
    """The same with the names attributes have in the feature frame; a declared one may be named without its prefix.

    Raises:
        ConfigError: a belief is about no attribute, or says of one what its kind does not allow.
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
    return tuple(found)


def _misfits(hypothesis: Hypothesis, attribute: Attribute, member: str) -> Iterator[str]:
    is_scale = hypothesis.direction in ("higher", "lower")
    if attribute.kind == "numeric":
        if hypothesis.values:
            yield f"{attribute.name} is a number: give ranges in `bins`, such as [[51, 500]], not `values`."
        elif not is_scale and not hypothesis.bins:
            yield f"{attribute.name} is a number: say `direction: higher` or `lower`, or give ranges in `bins`."
        return
    if is_scale or hypothesis.bins:
        yield f"{attribute.name} is a {attribute.kind}: say `direction: in` or `out` and name its `values`."
    elif not hypothesis.values and not member and attribute.kind != "flag":
        yield f"{attribute.name}: name the `values` that are {hypothesis.direction}."


def _hypothesis(entry: Entry, line: int) -> Hypothesis:
    ranges: tuple[Range, ...] = entry.bins
    said_on = entry.date.isoformat()[:10] if isinstance(entry.date, Day) else str(entry.date)
    return Hypothesis(
        attribute=entry.attribute,
        direction=entry.direction,
        strength=entry.strength,
        values=tuple(_text(value) for value in entry.values),
        bins=ranges,
        source=entry.source,
        author=entry.author,
        date=said_on,
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
