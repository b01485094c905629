"""The verbs that tell people and look back at runs; `icp.cli` adds them to the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from icp.cli_options import DEFAULT_PROJECT, Project, settings_of

if TYPE_CHECKING:
    pass


def alert(
    test: Annotated[bool, typer.Option("--test", help="Send a harmless test message.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, send nothing.")] = False,
    channel: Annotated[str | None, typer.Option(help="Only this channel; all if absent.")] = None,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Tell the channels what is due, try them with a test, or print the JSON they would be sent."""
    from flows.alert_by_hand import due_now, test_messages, would_be_sent
    from icp.errors import DeliveryError

    settings, now = settings_of(project), datetime.now(UTC)
    if dry_run:
        typer.echo(json.dumps(would_be_sent(settings, channel, now, test=test), indent=2, ensure_ascii=False))
        return
    deliveries = test_messages(settings, channel, now) if test else due_now(settings, channel, now)
    for delivery in deliveries:
        typer.echo(f"{delivery.channel}: {f'NOT DELIVERED: {delivery.error}' if delivery.error else 'delivered'}")
    if not deliveries:
        typer.echo("Nothing is due: every channel was told what goes on now.")
    failed = [delivery.channel for delivery in deliveries if delivery.error]
    if failed:
        raise DeliveryError(
            f"Not delivered to {', '.join(failed)}. Mend the channel in icp.yml, then try it with --test."
        )


def runs(
    last: Annotated[int, typer.Option(min=1, help="How many of the newest runs.")] = 20,
    project: Project = DEFAULT_PROJECT,
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout.")] = False,
) -> None:
    """Every ingest, refresh and monitor with its outcome, newest first; no Prefect needed."""
    from icp.runs import Ledger, as_line

    found = Ledger(settings_of(project).lake).newest(last)
    if as_json:
        typer.echo(json.dumps({"schema_version": 1, "runs": found}, indent=2, ensure_ascii=False))
        return
    for run in found:
        typer.echo(as_line(run))
    if not found:
        typer.echo("No run yet.")
