"""What the verbs of the command line share: the options that name a project and an ICP, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from icp.config import Settings

Project = Annotated[Path, typer.Option("--project", "-p", help="The project's icp.yml.", show_default=True)]
IcpName = Annotated[
    str | None, typer.Option("--icp", help="Which ICP of the project; the only one, or main, if absent.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as JSON on stdout.")]
DEFAULT_PROJECT = Path("icp.yml")


def settings_of(project: Path) -> Settings:
    """The project's settings, with the process made silent and private before anything heavy is imported."""
    from flows.environment import prepare
    from icp.config import load

    settings = load(project)
    prepare(settings.root.resolve())
    return settings


def named_icp(settings: Settings, icp: str | None) -> str:
    """The ICP meant; one that is no longer in icp.yml can be read and decided on as long as its history is there."""
    if icp is None:
        return settings.default_icp()
    if not (settings.lake / "published" / icp).is_dir():
        settings.icp(icp)
    return icp
