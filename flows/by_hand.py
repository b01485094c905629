"""Flows started from a terminal: under Prefect in this process, or plainly where Prefect is not wanted."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.ingest import IngestResult
    from flows.monitor import MonitorResult
    from flows.refresh import IcpOutcome, RefreshResult
    from icp.config import Settings
    from icp.errors import IcpError


def refresh_by_hand(settings: Settings, *, icp: str, quarter: str | None, now: datetime, plain: bool) -> RefreshResult:
    """Refresh one quarter and say what came of it; the bytes published are the same either way."""
    from flows.refresh import icp_refresh, refresh_and_tell

    if plain:
        return refresh_and_tell(settings, icp=icp, quarter=quarter, now=now)
    label = quarter or settings.calendar.last_closed(now).label
    result: RefreshResult = icp_refresh(project=str(settings.path), icp=icp, quarter=label)
    return result


def refresh_all_by_hand(
    settings: Settings, *, quarter: str | None, now: datetime, plain: bool
) -> tuple[tuple[IcpOutcome, ...], IcpError | None]:
    """Refresh every ICP; what became of each, and the error to end with when one of them failed."""
    from flows.refresh import SomeIcpsFailed, icp_refresh_all, refresh_all

    try:
        if plain:
            return refresh_all(settings, quarter=quarter, now=now), None
        label = quarter or settings.calendar.last_closed(now).label
        outcomes: tuple[IcpOutcome, ...] = icp_refresh_all(project=str(settings.path), quarter=label)
    except SomeIcpsFailed as failure:
        return failure.outcomes, failure
    return outcomes, None


def ingest_by_hand(settings: Settings, *, source: str | None, now: datetime, plain: bool) -> IngestResult:
    """Land what is new of one source or of all."""
    from flows.ingest import icp_ingest, ingest_and_tell

    if plain:
        return ingest_and_tell(settings, source=source, extracted_at=now)
    result: IngestResult = icp_ingest(project=str(settings.path), source=source)
    return result


def monitor_by_hand(settings: Settings, *, icp: str, as_of: str | None, now: datetime, plain: bool) -> MonitorResult:
    """Look once for drift between quarters; what is written is the same either way."""
    from flows.monitor import icp_monitor, moment, monitor_and_tell

    if plain:
        return monitor_and_tell(settings, icp=icp, as_of=moment(settings, as_of, now))
    result: MonitorResult = icp_monitor(project=str(settings.path), icp=icp, as_of=as_of)
    return result
