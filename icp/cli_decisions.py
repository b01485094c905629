"""The verbs of a person who decides: approve, reject, roll back; `icp.cli` adds them to the command line."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from icp.cli_options import DEFAULT_PROJECT, IcpName, Project, named_icp, settings_of

if TYPE_CHECKING:
    pass

Reason = Annotated[str, typer.Option(help="Why; kept in the approvals log.")]
By = Annotated[str | None, typer.Option(help="Who decides; the system user if absent.")]


def approve(
    revision: Annotated[str, typer.Argument(help="Quarter or quarter/revision to put in force.")],
    reason: Reason,
    by: By = None,
    icp: IcpName = None,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Make a published candidate the ICP in force."""
    _decide(project, icp, revision, "approved", by, reason)


def reject(
    revision: Annotated[str, typer.Argument(help="Quarter or quarter/revision to turn down.")],
    reason: Reason,
    by: By = None,
    icp: IcpName = None,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Turn a published revision down; if it was in force, the one approved before it serves again."""
    _decide(project, icp, revision, "rejected", by, reason)


def rollback(
    reason: Reason,
    to: Annotated[str | None, typer.Argument(help="Quarter to go back to; the one before if absent.")] = None,
    by: By = None,
    icp: IcpName = None,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Put the ICP that was in force before back; what it replaces is kept and can be approved again."""
    from flows.approvals import roll_back
    from flows.index_page import write_index
    from icp.lake import Lake
    from icp.published import PublishedStore

    settings = settings_of(project)
    store = PublishedStore(settings.lake, named_icp(settings, icp))
    with Lake(settings.lake).lock():
        answer = roll_back(store, to, by=by or getpass.getuser(), reason=reason, at=datetime.now(UTC))
        write_index(settings, store.icp)
    typer.echo(answer)


def _decide(
    project: Path,
    icp: str | None,
    reference: str,
    decision: Literal["approved", "rejected"],
    by: str | None,
    reason: str,
) -> None:
    from flows.index_page import write_index
    from flows.reading import decide_by_hand
    from icp.lake import Lake
    from icp.published import PublishedStore

    settings = settings_of(project)
    store, who = PublishedStore(settings.lake, named_icp(settings, icp)), by or getpass.getuser()
    with Lake(settings.lake).lock():
        answer = decide_by_hand(store, reference, decision, by=who, reason=reason, at=datetime.now(UTC))
        write_index(settings, store.icp)
    typer.echo(answer)
