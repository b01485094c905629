"""icp.yml -> Settings. The only reader of the environment: `ICP__LAKE=/data/lake` overrides `lake:` for one run.

Everything that can be wrong with the file is said here, with its line, before anything runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from icp import contract, yaml_lines
from icp.alerts_schema import AlertsSection
from icp.calendar import Calendar
from icp.config_destinations import DestinationSection
from icp.config_icp import IcpSettings
from icp.config_schema import ConfigFile, SourceSettings, TableMapping
from icp.contract import Contract
from icp.errors import ConfigError
from icp.hypotheses import Hypothesis
from icp.hypotheses_file import read_hypotheses
from icp.profile import Attribute
from icp.qualitative import Qualitative
from icp.qualitative_files import read_case_studies, read_personas, read_survey

__all__ = ["IcpSettings", "Settings", "SourceSettings", "json_schema", "load", "secret"]

OVERRIDE = "ICP__"
ATTRIBUTE_TABLE = "accounts"
ATTRIBUTE_PREFIX = "attr_"


@dataclass(frozen=True)
class Settings:
    """What a run is told: the checked content of icp.yml with all paths made absolute.

    `config_hash` identifies everything that was read, overrides included. `icp_hashes` identify what each ICP is made
    from, without the sections of the others: it goes into the published manifests, so that changing one ICP leaves the
    others as they are. Who is told (`alerts`, `destinations`) is left out of both: a new channel makes no new revision.
    """

    path: Path
    root: Path
    lake: Path
    dbt_project: Path
    company: str
    reporting_currency: str
    calendar: Calendar
    sources: Mapping[str, SourceSettings]
    icps: Mapping[str, IcpSettings]
    contract: Contract = field(repr=False)
    config_hash: str = ""
    icp_hashes: Mapping[str, str] = field(default_factory=dict, repr=False)
    hypotheses: Mapping[str, tuple[Hypothesis, ...]] = field(default_factory=dict, repr=False)
    qualitative: Mapping[str, Qualitative] = field(default_factory=dict, repr=False)
    alerts: AlertsSection = field(default_factory=AlertsSection)
    destinations: Mapping[str, DestinationSection] = field(default_factory=dict)

    @property
    def declared_attributes(self) -> tuple[Attribute, ...]:
        """The extra columns declared as candidate attributes, by name; `name` is the landed column, `attr_<name>`."""
        declared = {
            name: Attribute(
                name=ATTRIBUTE_PREFIX + name,
                kind=mapping.kind,
                family=mapping.family,
                label=mapping.label or name.replace("_", " ").capitalize(),
                unit=mapping.unit,
                cuts=mapping.cuts,
                description=mapping.description,
            )
            for source in self.sources.values()
            for table in source.tables.values()
            for name, mapping in table.attributes.items()
        }
        return tuple(declared[name] for name in sorted(declared))

    def icp(self, name: str) -> IcpSettings:
        """The section of one ICP."""
        if name not in self.icps:
            near = yaml_lines.unknown(name, self.icps, "ICP")
            raise ConfigError(f"There is no ICP {name!r} in icp.yml: {near}")
        return self.icps[name]

    def default_icp(self) -> str:
        """The ICP a person means who names none: the only one, or the one called main.

        Raises:
            ConfigError: there are several and none is called main.
        """
        if len(self.icps) == 1:
            return next(iter(self.icps))
        if "main" in self.icps:
            return "main"
        raise ConfigError(f"icp.yml has several ICPs: name one with --icp ({', '.join(self.icps)}).")

    def complain(self, where: yaml_lines.Location, what: str) -> ConfigError:
        """An error about one place of icp.yml, with its line."""
        return ConfigError(_located(self.path, yaml_lines.read(self.path), where, what))

    def source(self, name: str) -> SourceSettings:
        """The section of one source."""
        if name not in self.sources:
            raise ConfigError(f"There is no source {name!r} in icp.yml; it has {', '.join(self.sources) or 'none'}.")
        return self.sources[name]


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check icp.yml.

    Args:
        path: The file, or the folder it lies in.
        environ: Where overrides are read from; the process environment when None.

    Raises:
        ConfigError: Everything found wrong, one line each, with line numbers.
    """
    file = (path / "icp.yml" if path.is_dir() else path).absolute()
    document = yaml_lines.read(file)
    _override(document, os.environ if environ is None else environ)
    content = yaml_lines.plain(document)
    try:
        config = ConfigFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(yaml_lines.explain(file, document, ConfigFile, error)) from None
    dbt_project = _dbt_project(file.parent)
    landing = contract.load(dbt_project)
    problems = list(_against_contract(config, landing))
    if problems:
        raise ConfigError("\n".join(_located(file, document, where, what) for where, what in problems))
    return _settings(file, dbt_project, config, landing, content)


def secret(name: str) -> str:
    """A credential kept in the environment.

    Raises:
        ConfigError: The variable is not set or empty; the message names it.
    """
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"The environment variable {name} is not set. Put the credential there, not in icp.yml.")
    return value


def json_schema() -> dict[str, Any]:
    """The JSON Schema of icp.yml, for editors (`# yaml-language-server: $schema=icp.schema.json`)."""
    schema = ConfigFile.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "icp.yml", **schema}


def _settings(file: Path, dbt_project: Path, config: ConfigFile, landing: Contract, content: Any) -> Settings:
    believed = _hypotheses(file.parent, config)
    known = _qualitative(file.parent, config, believed)
    content = {name: section for name, section in content.items() if name not in ("alerts", "destinations")}
    return Settings(
        path=file,
        root=file.parent,
        lake=Path(os.path.normpath(file.parent / Path(config.lake).expanduser())),
        dbt_project=dbt_project,
        company=config.company,
        reporting_currency=config.reporting_currency,
        calendar=Calendar(**config.calendar.model_dump()),
        sources=config.sources,
        icps=config.icps,
        contract=landing,
        config_hash=_hash(content, believed, known),
        icp_hashes={
            name: _hash(_of_icp(content, name), _only(believed, name), _only(known, name)) for name in config.icps
        },
        hypotheses=believed,
        qualitative=known,
        alerts=config.alerts,
        destinations=config.destinations,
    )


def _hash(content: Any, believed: Mapping[str, tuple[Hypothesis, ...]], known: Mapping[str, Qualitative]) -> str:
    read = dict(content)
    if believed:
        read["hypotheses"] = {name: [asdict(h) for h in own] for name, own in believed.items()}
    if known:
        read["qualitative"] = {name: asdict(own) for name, own in known.items()}
    canonical = json.dumps(read, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _of_icp(content: Any, name: str) -> Any:
    """The file as it would read with this ICP alone; the same bytes where it is alone."""
    return {**content, "icps": _only(content["icps"], name)} if "icps" in content else content


def _only(sections: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {name: sections[name]} if name in sections else {}


def _hypotheses(root: Path, config: ConfigFile) -> dict[str, tuple[Hypothesis, ...]]:
    """What people believe, per ICP that names a file for it."""
    files = {name: icp.hypotheses for name, icp in config.icps.items() if icp.hypotheses}
    return {name: read_hypotheses(root / Path(path).expanduser()) for name, path in files.items()}


def _qualitative(
    root: Path, config: ConfigFile, believed: Mapping[str, tuple[Hypothesis, ...]]
) -> dict[str, Qualitative]:
    """What is known beside the numbers, per ICP that names a file for any of it."""
    return {
        name: Qualitative(
            read_personas(root / icp.personas) if icp.personas else (),
            read_case_studies(root / icp.case_studies) if icp.case_studies else (),
            read_survey(root / icp.survey, believed.get(name, ())) if icp.survey else (),
        )
        for name, icp in config.icps.items()
        if icp.personas or icp.case_studies or icp.survey
    }


def _dbt_project(root: Path) -> Path:
    """The project's own dbt project, or the one that comes with this package (beside it; inside an installed one)."""
    package = Path(__file__).resolve().parent
    candidates = (root / "dbt_project", package.parent / "dbt_project", package / "_project" / "dbt_project")
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def _override(document: Any, environ: Mapping[str, str]) -> None:
    """Put `ICP__A__B=value` at `a: {b: value}`; the value is read as YAML, so that numbers stay numbers."""
    from ruamel.yaml import YAML

    for name in sorted(key for key in environ if key.startswith(OVERRIDE)):
        *sections, key = name.removeprefix(OVERRIDE).lower().split("__")
        target = document
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{name} in the environment: `{section}` is not a section of icp.yml. Unset it.")
        target[key] = YAML(typ="safe").load(environ[name])


def _located(file: Path, document: Any, where: yaml_lines.Location, what: str) -> str:
    line = yaml_lines.line_of(document, where)
    return f"{file.name}, line {line}: {'.'.join(str(part) for part in where)}: {what}"


def _against_contract(config: ConfigFile, landing: Contract) -> Iterator[tuple[yaml_lines.Location, str]]:
    for source_name, source in config.sources.items():
        for name, mapping in source.tables.items():
            where = ("sources", source_name, "tables", name)
            if name in landing.tables:
                yield from _table_problems(where, mapping, landing.tables[name])
            else:
                yield where, yaml_lines.unknown(name, landing.tables, "table")
    yield from _attribute_problems(config)
    if "accounts" not in {name for source in config.sources.values() for name in source.tables}:
        yield ("sources",), "no source maps `accounts`, which is required: map the companies of your CRM."


def _table_problems(
    where: yaml_lines.Location, mapping: TableMapping, table: contract.Table
) -> Iterator[tuple[yaml_lines.Location, str]]:
    for name in mapping.columns:
        column = table.column(name)
        if column is None:
            yield (*where, "columns", name), yaml_lines.unknown(name, table.mappable, f"column of {table.name}")
        elif column.derived:
            yield (*where, "columns", name), f"is filled by landing ({column.derived}). Map `website` instead."
    lacking = [name for name in table.required_columns if name not in mapping.columns]
    if lacking:
        yield (*where, "columns"), f"{table.name} needs a mapping for {', '.join(lacking)}."
    if mapping.attributes and table.name != ATTRIBUTE_TABLE:
        yield (*where, "attributes"), f"attributes can be declared on `{ATTRIBUTE_TABLE}` only."


def _attribute_problems(config: ConfigFile) -> Iterator[tuple[yaml_lines.Location, str]]:
    seen: dict[str, str] = {}
    for source_name, source in config.sources.items():
        accounts = source.tables.get(ATTRIBUTE_TABLE)
        for name, mapping in (accounts.attributes if accounts else {}).items():
            if seen.setdefault(name, mapping.kind) != mapping.kind:
                where = ("sources", source_name, "tables", ATTRIBUTE_TABLE, "attributes", name)
                yield where, f"is {mapping.kind} here and {seen[name]} in another source. Use one kind."
