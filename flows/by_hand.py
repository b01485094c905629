"""Flows started from a terminal: under Prefect in this process, or plainly where Prefect is not wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from icp.errors import IcpError, NotYet, ServerLost

UNREACHABLE = ("Failed to reach API", "Timed out while attempting to connect to ephemeral")
NEEDED_ANYWAY = ("dbt.cli.main", "great_expectations")  # seconds to load, while our server comes up

if TYPE_CHECKING:
    from flows.backfill import Backfilled
    from flows.ingest import IngestResult
    from flows.monitor import MonitorResult
    from flows.refresh import IcpOutcome, RefreshResult
    from icp.config import Settings


def refresh_by_hand(
    settings: Settings, *, icp: str, quarter: str | None, now: datetime, plain: bool, wait: bool = False
) -> RefreshResult:
    """Refresh one quarter and say what came of it; the bytes published are the same either way."""
    from flows.refresh import icp_refresh, refresh_and_tell

    if plain:
        return refresh_and_tell(settings, icp=icp, quarter=quarter, now=now, wait=wait)
    label = quarter or settings.calendar.last_closed(now).label
    with _a_server_answers():
        result: RefreshResult = _not_yet(icp_refresh(project=str(settings.path), icp=icp, quarter=label, wait=wait))
    return result


def refresh_all_by_hand(
    settings: Settings, *, quarter: str | None, now: datetime, plain: bool, wait: bool = False
) -> tuple[tuple[IcpOutcome, ...], IcpError | None]:
    """Refresh every ICP; what became of each, and the error to end with when one of them failed."""
    from flows.refresh import SomeIcpsFailed, icp_refresh_all, refresh_all

    try:
        if plain:
            return refresh_all(settings, quarter=quarter, now=now, wait=wait), None
        label = quarter or settings.calendar.last_closed(now).label
        with _a_server_answers():
            answer = icp_refresh_all(project=str(settings.path), quarter=label, wait=wait)
            outcomes: tuple[IcpOutcome, ...] = _not_yet(answer)
    except SomeIcpsFailed as failure:
        return failure.outcomes, failure
    return outcomes, None


def backfill_by_hand(
    settings: Settings, *, icp: str | None, first: str, last: str | None, now: datetime, plain: bool
) -> tuple[Backfilled, ...]:
    """Refresh past quarters in order, for one ICP or for all."""
    from flows.backfill import backfill, quarters_to_fill

    def one(name: str, label: str) -> RefreshResult:
        return refresh_by_hand(settings, icp=name, quarter=label, now=now, plain=plain)

    icps, quarters = (icp,) if icp else tuple(settings.icps), quarters_to_fill(settings, first, last, now)
    with nullcontext() if plain else _a_server_answers():  # one for all quarters
        return backfill(settings, icps=icps, quarters=quarters, refresh_one=one)


def ingest_by_hand(settings: Settings, *, source: str | None, now: datetime, plain: bool) -> IngestResult:
    """Land what is new of one source or of all."""
    from flows.ingest import icp_ingest, ingest_and_tell

    if plain:
        return ingest_and_tell(settings, source=source, extracted_at=now)
    with _a_server_answers():
        result: IngestResult = icp_ingest(project=str(settings.path), source=source)
    return result


def monitor_by_hand(settings: Settings, *, icp: str, as_of: str | None, now: datetime, plain: bool) -> MonitorResult:
    """Look once for drift between quarters; what is written is the same either way."""
    from flows.monitor import icp_monitor, moment, monitor_and_tell

    if plain:
        return monitor_and_tell(settings, icp=icp, as_of=moment(settings, as_of, now))
    with _a_server_answers():
        result: MonitorResult = icp_monitor(project=str(settings.path), icp=icp, as_of=as_of)
    return result


def _not_yet(answer: Any) -> Any:
    """What a flow answered; a flow that only waits answers a string, which at a terminal is an ending of its own."""
    if isinstance(answer, str):
        raise NotYet(answer)
    return answer


@contextmanager
def _a_server_answers() -> Iterator[None]:
    """A server for the flow inside: the one that is named, or one of our own that starts while libraries load.

    Raises:
        ServerLost: the server did not answer, or not until the end; what to do is said instead of a traceback of its client.
        TryLater: none is named and our own could not be started; nothing was begun.
    """
    import httpx

    try:
        with _server():
            yield
    except IcpError:
        raise
    except Exception as error:
        if not isinstance(error, httpx.TransportError) and not any(words in str(error) for words in UNREACHABLE):
            raise
        address = os.environ.get("PREFECT_API_URL", "a server of its own")
        raise ServerLost(
            f"Prefect's server ({address}) does not answer. Start it, unset PREFECT_API_URL, or run the same command with "
            "--plain: the same steps, the same bytes, without Prefect. Whatever was begun is continued by the next run."
        ) from error


@contextmanager
def _server() -> Iterator[None]:
    """Point flows at a server: that of the environment or of Prefect's own settings, else one for as long as this is open."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.local_server import local_server

    if PREFECT_API_URL.value():
        yield
        return
    with local_server() as ready:
        for library in NEEDED_ANYWAY:
            import_module(library)
        ready()
        with temporary_settings({PREFECT_API_URL: os.environ["PREFECT_API_URL"]}):
            try:
                yield
            finally:
                _send_what_waits()


def _send_what_waits() -> None:
    """Events and logs leave in the background; once our server has gone nobody would take them."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=10)
