"""A new kind of facts to land: its table in the contract, staging, resolution to accounts, and a suite at the gate."""

from __future__ import annotations

from pathlib import Path

from icp import yaml_lines
from icp.contract import SOURCES_PAGE
from icp.errors import ConfigError
from icp.scaffold.writing import Scaffold, require_macro, require_name, require_own, template, write_new

_MAPPING = """      {name}:
        path: extracts/{name}_*.csv
        effective_at: {{from_filename: '{name}_(\\d{{4}}-\\d{{2}}-\\d{{2}})'}}
        columns: {{fact_id: id, account_id: account_id, occurred_on: date, what: type, amount: amount}}"""


def new_source(dbt_project: Path, name: str) -> Scaffold:
    """Add table `name` to the landing contract, with the models and the suite that make it usable by features.

    The table holds dated facts about companies; its columns are a start to be edited before the first load.

    Raises:
        ConfigError: the name is none, or the contract has a table of that name.
    """
    require_own(dbt_project)
    require_name(name, "source")
    require_macro(dbt_project, "landed")
    words = {"name": name, "label": name.replace("_", " ").capitalize()}
    page = dbt_project / SOURCES_PAGE
    contract = _with_table(page, name, template("source_table.yml", words))
    models, root = dbt_project / "models", dbt_project.parent
    written = write_new(
        root,
        {
            models / f"staging/stg_files__{name}.sql": template("source_staging.sql", words),
            models / f"intermediate/int_{name}__resolved.sql": template("source_resolved.sql", words),
            models / f"intermediate/int_{name}__resolved.yml": template("source.yml", words),
            root / f"expectations/landing/{name}.yml": template("source_suite.yml", words),
        },
    )
    page.write_text(contract, encoding="utf-8")
    return Scaffold(written, (page.relative_to(root),), _next_steps(page.relative_to(root), name))


def _with_table(page: Path, name: str, entry: str) -> str:
    """The contract with the table behind the others."""
    document = yaml_lines.read(page)
    if name in {table["name"] for source in document["sources"] for table in source["tables"]}:
        raise ConfigError(f"{page.name} has a table {name} already. Map it in icp.yml, or choose another name.")
    if document["sources"][-1]["name"] != "files":
        raise ConfigError(
            f"{page.name}: `files` must be the last of the sources, so that a table can be added. Move it."
        )
    return page.read_text(encoding="utf-8").rstrip("\n") + "\n" + entry


def _next_steps(page: Path, name: str) -> tuple[str, ...]:
    return (
        f"{page.as_posix()}: make the columns of {name} what your system has; the staging and int_ models follow them.",
        f"icp.yml: map your export, under the tables of a source:\n{_MAPPING.format(name=name)}",
        f"icp ingest: the load passes expectations/landing/{name}.yml, or waits in quarantine with the rows named.",
        f"icp new feature …: make attributes of ref('int_{name}__resolved').",
    )
