"""Verbs about sources: `icp doctor` says what is missing, `icp fake-vendors` plays the vendors on this machine."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from icp.cli_options import DEFAULT_PROJECT, Project


def doctor(project: Project = DEFAULT_PROJECT) -> None:
    """Check what a run needs: versions, disk, lock, and one cheap call per source for credentials and scopes."""
    from flows.doctor import check
    from icp.config import load

    findings = check(load(project))
    for finding in findings:
        typer.echo(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.what}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(2)


def fake_vendors(
    directory: Annotated[Path, typer.Option(help="A demo project, as `icp demo` makes it.")] = Path("demo"),
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8766,
    as_of: Annotated[str, typer.Option("--as-of", help="The day the portal stands at.")] = "2026-10-02",
    fault: Annotated[
        list[str] | None, typer.Option(help="Spoil a call: NUMBER:FAULT, such as 3:cut. May be repeated.")
    ] = None,
    google_key: Annotated[
        Path | None, typer.Option("--google-key", help="Write the key file of a service account that GA4 accepts here.")
    ] = None,
) -> None:
    """Serve the demo company as HubSpot, Salesforce, BuiltWith and Wappalyzer would, with keys, pages, limits and faults.

    The key of all but Salesforce is FAKE_VENDORS_TOKEN, Salesforce's connected app fake-client with the secret fake-secret. Its web
    activity is served as GA4 and PostHog would.
    """
    from icp.errors import ConfigError
    from icp.fake_vendors import salesforce
    from icp.fake_vendors.ga4 import service_account
    from icp.fake_vendors.portal import portal_of_demo
    from icp.fake_vendors.server import FAULTS, FakeVendors, Script

    faults = {}
    for entry in fault or ():
        number, _, name = entry.partition(":")
        known = (*FAULTS, *salesforce.FAULTS)
        if not number.isdigit() or name not in known:
            raise ConfigError(f"--fault {entry}: write NUMBER:FAULT with one of {', '.join(known)}.")
        faults[int(number)] = name
    if not (directory / "extracts/crm").is_dir():
        raise ConfigError(f"{directory} is no demo project: it has no extracts/crm. Run `icp demo` first.")
    try:
        day = datetime.fromisoformat(as_of)
    except ValueError:
        raise ConfigError(f"--as-of {as_of} is no day; write 2026-10-02.") from None
    now = day if day.tzinfo else day.replace(hour=23, minute=59, tzinfo=UTC)
    token = os.environ.get("FAKE_VENDORS_TOKEN", Script().token)
    server = FakeVendors(portal_of_demo(directory, now), Script(token=token, faults=faults), port)
    typer.echo(f"{server.url} speaks HubSpot. In icp.yml: `hubspot: {{base_url: {server.url}}}`.")
    typer.echo(f"It speaks Salesforce too: `salesforce: {{login_url: {server.url}}}`.")
    typer.echo("And BuiltWith and Wappalyzer, each with that `base_url`.")
    typer.echo(f"It speaks GA4 and PostHog too: `base_url: {server.url}` in `ga4:` or `posthog:`.")
    if google_key is not None:
        google_key.write_text(json.dumps(service_account(server.url)), encoding="utf-8")
        google_key.chmod(0o600)
    server.serve_forever()
