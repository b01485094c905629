"""The pages and models on which a dbt project declares its features, and what is wrong with them before dbt is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icp import attributes, yaml_lines
from icp.errors import ConfigError

PREFIX = "feat_account__"
FRAME = "fct_account_features"
LIST = "added_features"
PROJECT_FILE = "dbt_project.yml"
FOLDER = Path("models/features")
TESTS = {
    "primary_key": "primary_key: {arguments: {columns: [observation_id]}}",
    "known_before_observation": "known_before_observation: {arguments: {known_at: <newest date of a row>}}",
}
BOTH = "observed_in_time"  # the two in one pass
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_CLOCK = re.compile(r"\b(current_date|current_timestamp|localtimestamp|getdate|now\s*\(|today\s*\()", re.IGNORECASE)
_SOURCE = re.compile(r"\{\{\s*(source|landed)\s*\(")
_REF = re.compile(r"ref\(\s*['\"](\w+)['\"]")
_QUOTED = re.compile(r"['\"](\w+)['\"]")
_DATED = re.compile(r"\b(observed_at|observed_on|int_account_attributes__as_of)\b")


@dataclass(frozen=True)
class Page:
    """One model's entry on a page: where it stands, and what it says."""

    path: Path
    document: Any
    position: int

    @property
    def entry(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["models"][self.position]
        return found

    @property
    def columns(self) -> dict[str, tuple[int, Mapping[str, Any]]]:
        """By name, each column's position on the page and what is said of it."""
        return {str(entry.get("name")): (position, entry) for position, entry in _entries(self.entry.get("columns"))}

    @property
    def tests(self) -> set[str]:
        """Names of the generic tests on the model as a whole."""
        found = [test for key in ("data_tests", "tests") for test in _listed(self.entry.get(key))]
        return {str(next(iter(test), "")) if isinstance(test, Mapping) else str(test) for test in found}

    @property
    def fact_dates(self) -> set[str]:
        """What the test against the future is told to be the newest date of a row."""
        tests = [test for key in ("data_tests", "tests") for _, test in _entries(self.entry.get(key))]
        found = [test.get(name) for test in tests for name in ("known_before_observation", BOTH)]
        given = [_mapping(test).get("arguments", test) for test in found if test is not None]
        return {str(_mapping(arguments).get("known_at")) for arguments in given}

    def line(self, *location: int | str) -> int:
        """The line (from 1) of a place within the entry."""
        return yaml_lines.line_of(self.document, ("models", self.position, *location))


def added_models(dbt_project: Path) -> tuple[str, ...]:
    """The feature models `added_features` lists, in its order: `support` stands for feat_account__support.

    Raises:
        ConfigError: dbt_project.yml cannot be read, or the list is no list of names.
    """
    document = yaml_lines.read(dbt_project / PROJECT_FILE)
    names = yaml_lines.plain(_mapping(document.get("vars")).get(LIST) or [])
    if not isinstance(names, list) or not all(isinstance(name, str) and _NAME.match(name) for name in names):
        line = yaml_lines.line_of(document, ("vars", LIST))
        raise ConfigError(
            f"{PROJECT_FILE}, line {line}: {LIST} is a list of names in lower case, such as [support]. Mend it."
        )
    return tuple(PREFIX + name for name in names)


def check(dbt_project: Path) -> None:
    """Everything wrong with the features of a dbt project that can be seen without data.

    Raises:
        ConfigError: one line per problem: the file, the line, what is wrong and what to do.
    """
    problems = list(_problems(dbt_project))
    if problems:
        raise ConfigError("\n".join(problems))


def pages(dbt_project: Path) -> dict[str, Page]:
    """By model, its entry on a page of the features folder."""
    found = {}
    for path in sorted(p for ending in ("*.yml", "*.yaml") for p in (dbt_project / FOLDER).rglob(ending)):
        document = yaml_lines.read(path)
        for position, entry in _entries(document.get("models")):
            found[str(entry.get("name"))] = Page(path, document, position)
    return found


def declared(page: Page) -> dict[str, Mapping[str, Any]]:
    """By column name, what it says in `meta.icp`; columns that say nothing are no attributes."""
    meta = {name: _meta(entry) for name, (_, entry) in page.columns.items()}
    return {name: icp for name, icp in meta.items() if icp is not None}


def own_columns(dbt_project: Path) -> set[str]:
    """The attributes the team's own features add."""
    described = pages(dbt_project)
    return {column for name in added_models(dbt_project) if name in described for column in declared(described[name])}


def _problems(dbt_project: Path) -> Iterator[str]:
    described, models, added = pages(dbt_project), _models(dbt_project), added_models(dbt_project)
    taken = dict.fromkeys(described[FRAME].columns if FRAME in described else (), FRAME)
    if FRAME in described:
        yield from _declarations(dbt_project, described[FRAME])
    for name in added:
        if added.count(name) > 1 or name not in models:
            yield _of_the_list(dbt_project, name, is_twice=added.count(name) > 1)
            continue
        yield from _of_the_model(dbt_project, models[name])
        if name not in described:
            yield f"{_place(dbt_project, models[name], 1)}: {name} has no page. Add {name}.yml beside it with its columns."
            continue
        yield from _of_the_page(dbt_project, described[name], name)
        for column in declared(described[name]):
            owner = taken.setdefault(column, name)
            if owner != name:
                yield f"{_column_place(dbt_project, described[name], column)}: {column} is a column of {owner} already. Rename it."
    yield from _unused(dbt_project, models, added)


def _models(dbt_project: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((dbt_project / FOLDER).rglob(f"{PREFIX}*.sql"))}


def _of_the_list(dbt_project: Path, name: str, *, is_twice: bool) -> str:
    document = yaml_lines.read(dbt_project / PROJECT_FILE)
    line, short = yaml_lines.line_of(document, ("vars", LIST)), name.removeprefix(PREFIX)
    what = (
        "is listed twice. Keep one" if is_twice else f"has no model {FOLDER}/{name}.sql. Run `icp new feature {short}`"
    )
    return f"{_place(dbt_project, dbt_project / PROJECT_FILE, line)}: {LIST}: {short} {what}, or take it off the list."


def _of_the_model(dbt_project: Path, path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split("--", maxsplit=1)[0]
        if found := _CLOCK.search(code):
            word = found.group(0).rstrip("( ")
            yield f"{_place(dbt_project, path, number)}: {word} reads the clock. Use observed_at, or {{{{ as_of() }}}}."
        if _SOURCE.search(code):
            yield f"{_place(dbt_project, path, number)}: only staging reads sources. Read the staging model with ref()."
    if not _DATED.search(text):
        yield (
            f"{_place(dbt_project, path, 1)}: nothing is compared with observed_at, so the future would be read. "
            "Join int_account_observations and keep only rows dated before its observed_at."
        )


def _of_the_page(dbt_project: Path, page: Page, name: str) -> Iterator[str]:
    place = _place(dbt_project, page.path, page.line())
    if not page.entry.get("description"):
        yield f"{place}: {name} has no description. Say what it counts, and as of when."
    for test, remedy in TESTS.items():
        if not {test, BOTH} & page.tests:
            yield f"{place}: {name} does not test {test}. Add to its data_tests:  - {remedy}"
    if page.fact_dates & {"observed_at", "observed_on"}:
        yield (
            f"{place}: known_before_observation of {name} compares the observation with itself, which proves nothing. "
            "Give known_at the newest date among the facts of a row, such as max(happened_at) as newest_fact_at."
        )
    if not _mapping(_mapping(page.entry.get("config")).get("contract")).get("enforced"):
        yield f"{place}: {name} has no contract. Add `config: {{contract: {{enforced: true}}}}` and each column's data_type."
    if not declared(page):
        yield (
            f"{place}: no column of {name} has meta, so it adds no attribute. Add to the column:  "
            "config: {meta: {icp: {family: firmographic, kind: numeric, label: …}}}"
        )
    yield from _declarations(dbt_project, page)


def _declarations(dbt_project: Path, page: Page) -> Iterator[str]:
    for column, meta in declared(page).items():
        _, entry = page.columns[column]
        described = {"description": entry.get("description", ""), "meta": {"icp": meta}}
        place = _column_place(dbt_project, page, column)
        if not described["description"]:
            yield f"{place}: {column} has no description. Readers of the report see it; add one."
        try:
            attributes.from_columns({column: described}, str(page.entry["name"]))
        except ConfigError as problem:
            yield f"{place}: {problem}"


def _unused(dbt_project: Path, models: Mapping[str, Path], added: tuple[str, ...]) -> Iterator[str]:
    texts = [path.read_text(encoding="utf-8") for path in (dbt_project / "models").rglob("*.sql")]
    read = {name for text in texts for name in _REF.findall(text)}
    read |= {PREFIX + name for text in texts if f"'{PREFIX}' ~" in text for name in _QUOTED.findall(text)}  # in a loop
    for name, path in models.items():
        if name not in read and name not in added:
            short = name.removeprefix(PREFIX)
            yield f"{_place(dbt_project, path, 1)}: nothing reads {name}. Add {short} to {LIST} in {PROJECT_FILE}, or remove it."


def _meta(column: Mapping[str, Any]) -> Mapping[str, Any] | None:
    meta = _mapping(_mapping(column.get("config")).get("meta") or column.get("meta"))
    if "icp" not in meta:
        return None
    return yaml_lines.plain(meta["icp"]) if isinstance(meta["icp"], Mapping) else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _entries(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    """The mappings of a list with their positions; what is of another shape is left for dbt to complain about."""
    return [(position, entry) for position, entry in enumerate(_listed(value)) if isinstance(entry, Mapping)]


def _column_place(dbt_project: Path, page: Page, column: str) -> str:
    return _place(dbt_project, page.path, page.line("columns", page.columns[column][0]))


def _place(dbt_project: Path, path: Path, line: int) -> str:
    return f"{path.relative_to(dbt_project.parent).as_posix()}, line {line}"
