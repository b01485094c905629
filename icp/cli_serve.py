"""The verb that shows what is published: `icp serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from icp.cli_options import DEFAULT_PROJECT, Project


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others reach it only if you change this.")
    ] = "127.0.0.1",
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Show the published reports in a browser on this machine, read-only, until Ctrl-C."""
    from flows.serve import is_loopback, origin, site
    from icp.config import load

    with site(load(project).lake / "published", host, port) as server:
        typer.echo(f"http://{origin(host, int(server.server_address[1]))}/")
        if not is_loopback(host):
            typer.echo("Whoever can reach this address can read every report and list.", err=True)
        server.serve_forever()
