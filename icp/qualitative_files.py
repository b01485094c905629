"""personas.yml, case_studies.csv and the survey -> qualitative input; every complaint names the file and its line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError

from icp import yaml_lines
from icp.config_base import Scalar, Section
from icp.errors import ConfigError
from icp.hypotheses import FLAG_NO, FLAG_YES, Hypothesis
from icp.profile import Attribute
from icp.qualitative import Answer, CaseStudy, Fits, Persona, Qualitative, claimed

CASE_STUDY_COLUMNS = ("title", "link", "fits", "date")
SURVEY_COLUMNS = ("respondent", "role", "claim", "agrees", "date")


def _list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_list)]
Values = Annotated[tuple[Scalar, ...], BeforeValidator(_list), Field(min_length=1)]


class PersonaEntry(Section):
    """One persona as it is written down."""

    name: Text
    roles: Texts = ()
    jobs_to_be_done: Annotated[Texts, Field(min_length=1)]
    current_way: Text
    problem: Text
    limits: Texts = ()
    how_we_help: Text
    objections: Texts = ()
    fits: dict[str, Values] = Field(default_factory=dict)


class PersonasFile(Section):
    """The whole of personas.yml."""

    personas: Annotated[tuple[PersonaEntry, ...], Field(min_length=1)]


def read_personas(path: Path) -> tuple[Persona, ...]:
    """The personas written down in a file.

    Raises:
        ConfigError: the file is absent or malformed, or two personas have one name.
    """
    if not path.is_file():
        raise ConfigError(f"{path} does not exist. Write it, or take `personas:` out of icp.yml.")
    document = yaml_lines.read(path)
    try:
        file = PersonasFile.model_validate(yaml_lines.plain(document))
    except ValidationError as error:
        raise ConfigError(yaml_lines.explain(path, document, PersonasFile, error)) from None
    found = tuple(_persona(e, yaml_lines.line_of(document, ("personas", i))) for i, e in enumerate(file.personas))
    seen: dict[str, int] = {}
    problems = [
        (persona.line, f"{persona.name} is described in line {seen[persona.name.casefold()]} already. Keep one.")
        for persona in found
        if seen.setdefault(persona.name.casefold(), persona.line) != persona.line
    ]
    _complain(path, problems)
    return found


def _persona(entry: PersonaEntry, line: int) -> Persona:
    fits = tuple((name, tuple(_text(value) for value in values)) for name, values in entry.fits.items())
    return Persona(**entry.model_dump(exclude={"fits"}), fits=fits, line=line)


def _text(value: Scalar) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def read_case_studies(path: Path) -> tuple[CaseStudy, ...]:
    """The case studies of a CSV with `title,link,fits,date`; `fits` is `industry=software; technologies=dbt`.

    Raises:
        ConfigError: the file is absent or not such a table, or a row is incomplete.
    """
    found, problems = [], []
    for line, row in _rows(path, CASE_STUDY_COLUMNS, "case_studies"):
        own = list(_case_study_problems(row))
        problems += [(line, what) for what in own]
        if not own:
            found.append(CaseStudy(row["title"], row["link"], _fits(row["fits"]), row["date"], line))
    _complain(path, problems)
    return tuple(found)


def _case_study_problems(row: dict[str, str]) -> Iterator[str]:
    if not row["title"]:
        yield "title is empty: say what the case study is called."
    if urlsplit(row["link"]).scheme not in ("http", "https"):
        yield f"{row['link']!r} is not a link. Write it as https://…"
    parts = [part.partition("=") for part in row["fits"].split(";")]
    if not all(name.strip() and value.strip() for name, _, value in parts):
        yield f"{row['fits']!r}: write what it fits as `industry=software; technologies=dbt`."
    yield from _day_problems(row["date"])


def _fits(text: str) -> Fits:
    fits: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        name, _, value = (piece.strip() for piece in part.partition("="))
        fits[name] = (*fits.get(name, ()), value)
    return tuple(fits.items())


def read_survey(path: Path, hypotheses: Sequence[Hypothesis]) -> tuple[Answer, ...]:
    """The answers of a CSV with `respondent,role,claim,agrees,date`; a claim is one entry of hypotheses.yml.

    Raises:
        ConfigError: the file is absent or not such a table, a row is incomplete, or a claim is no stated belief or
            more than one.
    """
    found, problems = [], []
    for line, row in _rows(path, SURVEY_COLUMNS, "survey"):
        own = list(_answer_problems(row, hypotheses))
        problems += [(line, what) for what in own]
        if not own:
            agrees = row["agrees"].casefold() in FLAG_YES
            found.append(Answer(row["respondent"], row["role"], row["claim"], agrees, row["date"], line))
    _complain(path, problems)
    return tuple(found)


def _answer_problems(row: dict[str, str], hypotheses: Sequence[Hypothesis]) -> Iterator[str]:
    if not row["respondent"]:
        yield "respondent is empty: say who answered; a number will do."
    if row["agrees"].casefold() not in FLAG_YES | FLAG_NO:
        yield f"{row['agrees']!r} is not an answer: write yes or no; leave the row out where somebody cannot say."
    matches = claimed(row["claim"], hypotheses)
    if not matches:
        known = ", ".join(dict.fromkeys(h.attribute for h in hypotheses)) or "none (name a file under `hypotheses:`)"
        yield f"{row['claim']!r} is no claim of hypotheses.yml. It has: {known}."
    elif len(matches) > 1:
        lines = ", ".join(str(h.line) for h in matches)
        yield f"{row['claim']!r} is said in lines {lines} of hypotheses.yml: add a value, as in `industry=software`."
    yield from _day_problems(row["date"])


def _day_problems(text: str) -> Iterator[str]:
    try:
        is_day = date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_day = False
    if not is_day:
        yield f"{text!r} is not a date. Write it as 2026-09-30."


def resolve_qualitative(
    found: Qualitative, attributes: Sequence[Attribute], personas: str | Path, case_studies: str | Path
) -> Qualitative:
    """The same with the names attributes have in the feature frame; a declared one may be named without its prefix.

    Raises:
        ConfigError: something fits an attribute that does not exist, or a number, which has no values to name.
    """
    known = {a.name.removeprefix("attr_"): a for a in attributes} | {a.name: a for a in attributes}
    for path, entries in ((personas, found.personas), (case_studies, found.case_studies)):
        problems = [(e.line, what) for e in entries for name, _ in e.fits for what in _misfits(name, known)]
        _complain(Path(path), problems)
    return replace(
        found,
        personas=tuple(replace(p, fits=tuple((known[n].name, v) for n, v in p.fits)) for p in found.personas),
        case_studies=tuple(replace(c, fits=tuple((known[n].name, v) for n, v in c.fits)) for c in found.case_studies),
    )


def _misfits(name: str, known: dict[str, Attribute]) -> Iterator[str]:
    attribute = known.get(name)
    if attribute is None:
        yield f"{name}: {yaml_lines.unknown(name, sorted({n.removeprefix('attr_') for n in known}), 'attribute')}"
    elif attribute.kind == "numeric":
        yield f"{name} is a number: `fits` names values of a category, a flag or a set."


def _rows(path: Path, columns: Sequence[str], key: str) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist. Write it, or take `{key}:` out of icp.yml.") from None
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} is not UTF-8 text (byte {problem.start}). Save it as UTF-8.") from None
    reader = csv.DictReader(text.splitlines())
    header = [name.strip() for name in reader.fieldnames or ()]
    lacking = [name for name in columns if name not in header]
    if lacking:
        told = f"the column {', '.join(lacking)} is missing. The header is {','.join(columns)}."
        raise ConfigError(f"{path.name}, line 1: {told}")
    reader.fieldnames = header
    for row in reader:
        yield reader.line_num, {name: (row[name] or "").strip() for name in columns}


def _complain(path: Path, problems: Sequence[tuple[int, str]]) -> None:
    if problems:
        raise ConfigError("\n".join(f"{path.name}, line {line}: {what}" for line, what in problems))
