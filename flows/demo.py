"""The main job on the bundled company: eight quarters through the real flows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from flows.by_hand import ingest_by_hand, refresh_by_hand
from flows.progress import say

FIRST_QUARTER, LAST_QUARTER = "2024Q4", "2026Q3"


def run_demo(directory: Path, *, quarters: int, plain: bool) -> list[str]:
    """Create the company if it is not there, land its extracts, refresh its last quarters; answers lines to print."""
    from icp.config import load
    from icp.demo import create

    say("inventing the demo company")
    create(directory)
    settings = load(directory / "icp.yml")
    now = datetime.now(UTC)
    ingest_by_hand(settings, source=None, now=now, plain=plain)
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
