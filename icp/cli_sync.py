"""`icp sync`: destinations told about accounts, after a dry run somebody approved."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from icp.cli_options import DEFAULT_PROJECT, AsJson, Project, settings_of

sync_app = typer.Typer(
    no_args_is_help=True, help="Tell a CRM, a store, a table or a webhook: plan, apply, undo, status."
)


def _now() -> datetime:
    return datetime.now(UTC)


Destination = Annotated[str, typer.Argument(help="A destination of icp.yml.")]


@sync_app.command("plan")
def plan(name: Destination, project: Project = DEFAULT_PROJECT, as_json: AsJson = False) -> None:
    """Say what would be written, account by account. Sends nothing."""
    from flows import sync

    with sync.at_desk(settings_of(project), name, clock=_now) as desk:
        found = sync.plan(desk)
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else sync.in_words(found, name))


@sync_app.command("apply")
def apply(
    name: Destination,
    plan_name: Annotated[str, typer.Argument(metavar="PLAN", help="The plan to approve, as `icp sync plan` named it.")],
    create_properties: Annotated[
        bool, typer.Option("--create-properties", help="Make the properties HubSpot lacks.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who approves; the system user if absent.")] = None,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Approve a plan and carry it out, or go on with it. A plan that is done sends nothing."""
    from flows import sync

    with sync.at_desk(settings_of(project), name, clock=_now) as desk:
        who = by or getpass.getuser()
        done = sync.apply(desk, plan_name, by=who, at=_now(), create=create_properties)
    typer.echo(json.dumps(done, ensure_ascii=False))


@sync_app.command("undo")
def undo(
    name: Destination,
    plan_name: Annotated[str, typer.Argument(metavar="PLAN", help="The plan whose writes are taken back.")],
    project: Project = DEFAULT_PROJECT,
    as_json: AsJson = False,
) -> None:
    """Plan the way back from what a plan wrote. Sends nothing: apply the plan it names."""
    from flows import sync

    with sync.at_desk(settings_of(project), name, clock=_now) as desk:
        found = sync.plan_undo(desk, plan_name)
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else sync.in_words(found, name))


@sync_app.command("status")
def status(name: Destination, project: Project = DEFAULT_PROJECT) -> None:
    """Every plan of a destination with its approval and rows by state, as JSON lines, oldest first."""
    from flows import sync

    with sync.at_desk(settings_of(project), name, clock=_now, alone=False) as desk:
        for plan_name in desk.ledger.plans():
            typer.echo(json.dumps(sync.status(desk.ledger, plan_name), ensure_ascii=False))
