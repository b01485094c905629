"""Whether a quarter's extracts are there yet: a scheduled refresh waits for them rather than tell half a quarter."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from icp.errors import NotYet

if TYPE_CHECKING:
    from icp.calendar import Quarter
    from icp.config import Settings


def require_extracts(settings: Settings, icp: str, quarter: Quarter) -> None:
    """Stop while an extract that the quarter's outcomes are read from is older than the quarter's end.

    What is waited for: the newest accepted load of `accounts` and of the tables the label needs, from every source that
    brings one, must have been true at the end of the quarter or later; where icp.yml lets its source lag
    (`may_be_stale_days`), so many days earlier. A load true only after the quarter is read ends the waiting too: nothing
    better will come. Other tables are never waited for; the report says how old they are.

    Raises:
        NotYet: it names each table, how new its newest extract is, and what is needed.
    """
    needed = _needed(settings, icp)
    found = _newest(settings, needed)
    lines = []
    for table, source in sorted(needed):
        least = quarter.end - timedelta(days=settings.source(source).may_be_stale_days or 0)
        newest = found.get((table, source))
        if newest is None or newest < least:
            lines.append(
                f"  {table} (source {source}): {_day(settings, newest)}, needed one of {_day(settings, least)}"
            )
    if lines:
        told = "\n".join(lines)
        raise NotYet(
            f"{quarter.label} waits for its extracts; nothing was published and nothing is lost.\n{told}\n"
            "The next scheduled run looks again. A source that comes less often: may_be_stale_days.\n"
            f"To refresh with what is there: icp refresh --quarter {quarter.label} --icp {icp}"
        )


def _needed(settings: Settings, icp: str) -> set[tuple[str, str]]:
    """The tables that are waited for, each with every source that brings it: half of one is not the table."""
    from flows.label import label_requirements

    config = settings.icp(icp)
    outcomes = "revenue" if config.label.kind == "best_customer" else "opportunities"
    wanted = {"accounts", outcomes, *(rule.family for rule in label_requirements(config))}
    return {(name, source) for source, section in settings.sources.items() for name in section.tables if name in wanted}


def _newest(settings: Settings, needed: set[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """When the newest accepted extract of each table was true, source by source."""
    from icp.lake import Lake

    newest: dict[tuple[str, str], datetime] = {}
    for load in Lake(settings.lake).accepted_loads():
        for name in load.tables:
            own = (name, load.source)
            if own in needed:
                newest[own] = max(load.effective_at, newest.get(own, load.effective_at))
    return newest


def _day(settings: Settings, instant: datetime | None) -> str:
    if instant is None:
        return "none has landed"
    return f"{instant.astimezone(settings.calendar.zone):%Y-%m-%d}"
