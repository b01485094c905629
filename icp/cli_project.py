"""The verbs that make files of a project: `icp init`, `icp new feature|source|destination`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icp.cli_options import DEFAULT_PROJECT, Project

new_app = typer.Typer(no_args_is_help=True, help="Scaffold a feature, a source or a destination, with a passing test.")

Name = Annotated[str, typer.Argument(help="In lower case, such as support_tickets.")]


@new_app.command("feature")
def feature(
    name: Name,
    family: Annotated[
        str, typer.Option(help="firmographic, technographic, behavioural or relationship.")
    ] = "firmographic",
    kind: Annotated[str, typer.Option(help="numeric, category, flag or set.")] = "numeric",
    label: Annotated[str | None, typer.Option(help="What readers see; made of the name if absent.")] = None,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """A new attribute: SQL, its page with meta and a unit test, its name on the list. No Python."""
    from icp.scaffold.feature import new_feature

    typer.echo(new_feature(_dbt_project(project), name, family=family, kind=kind, label=label).in_words())


@new_app.command("source")
def source(name: Name, project: Project = DEFAULT_PROJECT) -> None:
    """A new kind of facts to land: contract, staging, resolution to accounts, suite and unit test."""
    from icp.scaffold.source import new_source

    typer.echo(new_source(_dbt_project(project), name).in_words())


@new_app.command("destination")
def destination(name: Name, project: Project = DEFAULT_PROJECT) -> None:
    """The list one system is sent: serving model, exposure, unit test and outbound suite."""
    from icp.scaffold.destination import new_destination

    typer.echo(new_destination(_dbt_project(project), name).in_words())


def init(
    directory: Annotated[Path, typer.Argument(help="Folder of the project.")] = Path(),
) -> None:
    """Lay down a project: icp.yml, dbt project, suites, flows, deployments, CI. Overwrites nothing."""
    from icp.scaffold.project import init as lay_down

    scaffold, kept = lay_down(directory)
    if kept:
        typer.echo(f"Kept as they are: {', '.join(kept)}")
    typer.echo(scaffold.in_words() if scaffold.written else "Nothing to write: the project is complete.")


def check(project: Project = DEFAULT_PROJECT) -> None:
    """Say what is wrong with icp.yml and the features' pages, line by line; needs no data."""
    from flows.project_check import check_project
    from icp.config import load

    settings = load(project)
    own = check_project(settings)
    typer.echo(f"{settings.path.name} and the dbt project are sound; {own} feature(s) of your own.")


def _dbt_project(project: Path) -> Path:
    from icp.config import load

    return load(project).dbt_project
