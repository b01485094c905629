"""The verbs about refused loads: list them, let one pass, forget one; `icp.cli` adds them to the command line."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from icp.cli_options import DEFAULT_PROJECT, AsJson, Project, settings_of

quarantine_app = typer.Typer(no_args_is_help=True, help="Loads a gate refused: nothing of them is lost.")


@quarantine_app.command("list")
def quarantine_list(project: Project = DEFAULT_PROJECT, as_json: AsJson = False) -> None:
    """Every refused load with the rules it broke."""
    from flows.reading import quarantined

    typer.echo(quarantined(settings_of(project).lake, as_json=as_json))


@quarantine_app.command("release")
def quarantine_release(
    load_id: str,
    reason: Annotated[str, typer.Option(help="Why the load is good after all; kept in its manifest.")],
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Accept a refused load as it is."""
    from icp.lake import Lake
    from icp.sources.failures import settle_refusal

    lake = Lake(settings_of(project).lake)
    released = lake.release(load_id, reason=reason, by=getpass.getuser(), at=datetime.now(UTC))
    settle_refusal(lake, released.source)
    typer.echo(f"{load_id} accepted.")


@quarantine_app.command("drop")
def quarantine_drop(
    load_id: str,
    project: Project = DEFAULT_PROJECT,
    reason: Annotated[str, typer.Option(help="Why; kept in quarantine's log.")] = "",
) -> None:
    """Forget a refused load; its extract stays where it is and the next ingest tries it again."""
    from icp.lake import Lake

    Lake(settings_of(project).lake).drop(load_id, reason=reason, by=getpass.getuser(), at=datetime.now(UTC))
    typer.echo(f"{load_id} dropped; its extract is tried again by the next ingest.")
