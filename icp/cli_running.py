"""The verbs that keep a project running: past quarters in order, Prefect with a worker, a single process."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icp.cli_options import DEFAULT_PROJECT, Project, settings_of

if TYPE_CHECKING:
    pass

Home = Annotated[Path, typer.Option("--home", help="Folder with deployments.yaml and flows/.", show_default=True)]
DEFAULT_HOME = Path()


def backfill(
    first: Annotated[str, typer.Option("--from", help="The first quarter, such as 2024Q4.")],
    last: Annotated[str | None, typer.Option("--to", help="The last quarter; the last settled one if absent.")] = None,
    icp: Annotated[str | None, typer.Option("--icp", help="Only this ICP; all of the project if absent.")] = None,
    project: Project = DEFAULT_PROJECT,
    plain: Annotated[bool, typer.Option("--plain", help="Without Prefect: same steps, same bytes.")] = False,
) -> None:
    """Derive past quarters in order; what is published stays, what has new inputs becomes a further revision."""
    from flows.backfill import in_words
    from flows.by_hand import backfill_by_hand
    from flows.progress import shown

    settings = settings_of(project)
    with shown():
        done = backfill_by_hand(settings, icp=icp, first=first, last=last, now=datetime.now(UTC), plain=plain)
    for filled in done:
        typer.echo(in_words(filled))


def deploy(
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    automations: Annotated[bool, typer.Option("--automations", help="Also the ones of flows/automations.py.")] = False,
) -> None:
    """Put deployments.yaml, its work pool and, if asked, the automations on the server PREFECT_API_URL names."""
    from flows.deploying import deploy as put

    for line in put(settings_of(project), home, automations=automations):
        typer.echo(line)


def schedule(project: Project = DEFAULT_PROJECT, home: Home = DEFAULT_HOME) -> None:
    """Run the schedules of deployments.yaml in this one process, until it is stopped; no work pool, no worker."""
    from flows.deploying import keep_schedules

    keep_schedules(settings_of(project), home)


def up(
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    port: Annotated[int, typer.Option(help="Port of the server on this machine.")] = 4200,
) -> None:
    """Start a Prefect server and a worker on this machine, deploy, and keep both running until stopped."""
    from flows.deploying import up as run

    run(settings_of(project), home, port, typer.echo)
