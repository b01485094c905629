"""The main job on the bundled company: eight quarters through the real flows."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from flows.progress import say
from icp.demo import create

FIRST_QUARTER, LAST_QUARTER = "2024Q4", "2026Q3"


def run_demo(directory: Path, *, quarters: int, plain: bool, vendors: bool = False) -> list[str]:
    """Create the company if it is not there, land its extracts, refresh its last quarters; answers lines to print.

    With `vendors` the company's CRM is pulled over HubSpot's protocol from a server on this machine, not read from files.
    """
    from flows.demo_vendors import use_builtwith, use_hubspot
    from flows.local_server import local_server

    server = nullcontext(_nothing_to_wait_for) if plain else local_server()
    with server as server_is_ready:
        say("inventing the demo company")
        create(directory)
        if vendors:
            use_hubspot(directory)
            use_builtwith(directory)
        server_is_ready()
        return _refresh_all(directory, quarters=quarters, plain=plain, vendors=vendors)


def _refresh_all(directory: Path, *, quarters: int, plain: bool, vendors: bool) -> list[str]:
    from flows.by_hand import ingest_by_hand, refresh_by_hand
    from flows.demo_vendors import land_through_vendors
    from flows.ingest import raise_if_refused
    from icp.config import load

    settings = load(directory / "icp.yml")
    now = datetime.now(UTC)
    if vendors:
        land_through_vendors(settings, now, lookups=quarters)
    else:
        raise_if_refused(ingest_by_hand(settings, source=None, now=now, plain=plain))
    calendar = settings.calendar
    labels = [q.label for q in calendar.range(calendar.quarter(FIRST_QUARTER), calendar.quarter(LAST_QUARTER))]
    lines, fresh = [], 0
    for label in labels[-quarters:]:
        say(f"refreshing {label}")
        result = refresh_by_hand(settings, icp="main", quarter=label, now=now, plain=plain)
        fresh += result.status == "published"
        lines.append(f"{label}  {result.verdict}")
    if not fresh:
        lines.insert(0, "Nothing new: every quarter was already published, nothing was written.")
    lines.append(f"\nReport: {result.revision / 'report.html'}" if result.revision else "")
    return lines


def _nothing_to_wait_for() -> None:
    """Without Prefect no server is started."""
