"""Around every run: the ledger, the alerts, Prefect's events. What is told may fail; the run it tells of never does for it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from icp.errors import ConfigError, IcpError, NotYet
from icp.notify.message import News
from icp.notify.news import Subject, failure_kind, of_failure, shortened, with_success
from icp.runs import Ledger, RunRecord

if TYPE_CHECKING:
    from flows.ingest import IngestResult
    from flows.monitor import MonitorResult
    from flows.refresh import RefreshResult
    from icp.config import Settings
    from icp.notify.deliver import Delivery

__all__ = ["Subject", "observed", "of_ingest", "of_monitor", "of_refresh"]

R = TypeVar("R")
_log = logging.getLogger("icp.alerts")


@dataclass(frozen=True)
class Told:
    """What one finished run has to say: to the ledger, to the channels, to Prefect."""

    record: RunRecord
    news: News
    prefect_events: tuple[tuple[str, dict[str, Any]], ...] = ()


Describe = Callable[["Settings", Subject, R, datetime, RunRecord], Told]


def observed(
    settings: Settings,
    subject: Subject,
    work: Callable[[], R],
    describe: Describe[R],
    *,
    at: datetime,
    clock: Callable[[], datetime],
    to_prefect: bool,
) -> R:
    """Run `work`, write it into the ledger and tell what came of it; answers and raises what `work` does.

    Args:
        settings: The project.
        subject: Which run this is.
        work: The run itself.
        describe: Turns its result into what there is to tell.
        at: The moment the run is about; cool-downs are counted on it.
        clock: The edge's clock, for when the run began and ended.
        to_prefect: Whether Prefect watches, so that its events are emitted.
    """
    started = clock()
    record = RunRecord(subject.command, subject.icp, subject.about, _iso(started), _iso(at))
    entry = _Entry(settings, at, clock, to_prefect)
    entry.begin(record, started)
    try:
        result = work()
    except Exception as error:
        entry.end(_failed(subject, error, at, record))
        raise
    except BaseException:
        entry.write(replace(record, ended=_iso(clock()), exit_code=130, outcome="interrupted"))
        raise
    entry.end_well(lambda: describe(settings, subject, result, at, record), record)
    return result


@dataclass
class _Entry:
    """One line of the ledger while its run goes on; nothing it does can fail the run."""

    settings: Settings
    at: datetime
    clock: Callable[[], datetime]
    to_prefect: bool
    path: Path | None = field(default=None)

    def begin(self, record: RunRecord, started: datetime) -> None:
        try:
            self.path = Ledger(self.settings.lake).begin(record, started)
        except OSError as error:
            _log.warning("This run is not in the ledger: %s", error)

    def write(self, record: RunRecord) -> None:
        if self.path is None:
            return
        try:
            Ledger(self.settings.lake).end(self.path, record)
        except OSError as error:
            _log.warning("The end of this run is not in the ledger: %s", error)

    def end_well(self, tell: Callable[[], Told], record: RunRecord) -> None:
        try:
            told = tell()
        except Exception as error:  # noqa: BLE001  the run is done and published: what it says of itself must not undo it
            _log.warning("What came of this run could not be told: %s", error)
            told = Told(replace(record, exit_code=0, outcome="ok"), News(record.command, record.icp))
        self.end(told)

    def end(self, told: Told) -> None:
        record = replace(told.record, ended=_iso(self.clock()))
        self.write(record)
        deliveries = self._deliver(told.news)
        if deliveries:
            self.write(replace(record, alerts=tuple(asdict(delivery) for delivery in deliveries)))
        if self.to_prefect:
            _emit(told)

    def _deliver(self, news: News) -> Sequence[Delivery]:
        return tell(self.settings, news, at=self.at, sent_at=self.clock())


def tell(settings: Settings, news: News, *, at: datetime, sent_at: datetime | None = None) -> Sequence[Delivery]:
    """Send news to the channels; what does not arrive is warned of and sent again with the next run."""
    from icp.notify.deliver import Delivery

    try:
        deliveries: Sequence[Delivery] = teller(settings).tell(news, at=at, sent_at=sent_at or at)
    except Exception as error:  # noqa: BLE001  an alert that fails must never fail the run it tells of
        text = shortened(str(error)) if isinstance(error, IcpError) else type(error).__name__
        deliveries = (Delivery("all", len(news.events), text),)
    for failed in (delivery for delivery in deliveries if delivery.error):
        _log.warning("Alert not delivered to %s: %s. The next run tries again.", failed.channel, failed.error)
    return deliveries


def teller(settings: Settings) -> Any:
    """The channels of a project and what they were told."""
    from icp.notify.deliver import Teller

    return Teller(settings.company, settings.alerts, settings.lake)


def _failed(subject: Subject, error: Exception, at: datetime, record: RunRecord) -> Told:
    kind = failure_kind(error)
    outcome = "waiting" if isinstance(error, NotYet) else kind
    news = of_failure(subject, error, at) or News(subject.command, subject.icp)
    reason = news.events[0].sentence if news.events else shortened(str(error))
    code = error.exit_code if isinstance(error, IcpError) else 1
    facts = {"run": subject.command, "about": subject.about, "reason": reason}
    emitted = (("icp.gate.failed", facts),) if kind == "gate_failed" else ()
    return Told(replace(record, exit_code=code, outcome=outcome, reason=reason), news, emitted)


def of_refresh(settings: Settings, subject: Subject, result: RefreshResult, at: datetime, record: RunRecord) -> Told:
    """A refresh that published, or found nothing new; the newest quarter's revision is told even when it is not new."""
    from icp.published import PublishedStore

    store = PublishedStore(settings.lake, subject.icp)
    if result.revision is None:
        return Told(replace(record, exit_code=0, outcome=result.status), News("refresh", subject.icp))
    news, kept = revision_news(settings, subject, result.revision, result.verdict)
    is_newest = store.quarters()[-1] == subject.about
    told = news if result.status == "published" or is_newest else replace(news, events=())
    full = replace(kept, exit_code=0, outcome=result.status, started=record.started, reason=result.verdict)
    candidate = {"revision": kept.revision, "decision": kept.decision, "verdict": result.verdict}
    emitted = (("icp.refresh.candidate", candidate),) if result.status == "published" else ()
    return Told(full, with_success(subject, told, at), emitted)


def revision_news(settings: Settings, subject: Subject, revision: Path, verdict: str) -> tuple[News, RunRecord]:
    """What there is to tell of a published revision, and the facts of it that the ledger keeps."""
    from icp.notify.news import of_revision
    from icp.published import PublishedStore

    store = PublishedStore(settings.lake, subject.icp)
    manifest = store.manifest(revision)
    decision = store.decision_on(subject.about, manifest["revision"])
    gates = {path.stem: bool(_json(path).get("success")) for path in sorted((revision / "gates").glob("*.json"))}
    news = of_revision(
        subject,
        revision=revision.name,
        decision=decision.decision if decision else "",
        verdict=verdict,
        reason=decision.reason if decision else "",
        path=(revision / "report.html").relative_to(settings.lake.absolute()).as_posix(),
        accounts=_risers(revision) if settings.alerts.include_account_names else (),
    )
    name = f"{subject.about}/{revision.name}"
    record = RunRecord(
        "refresh", subject.icp, subject.about, "", manifest["as_of"],
        revision=name, decision=decision.decision if decision else "", gates=gates,
    )  # fmt: skip
    return news, record


def _risers(revision: Path, most: int = 10) -> tuple[str, ...]:
    """The accounts that rose furthest, by name; only read when icp.yml allows names to leave."""
    import csv

    with (revision / "lists" / "risers.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for _, row in zip(range(most), csv.DictReader(file), strict=False)]
    return tuple(row["account_name"] or row["account_id"] for row in rows)


def of_monitor(settings: Settings, subject: Subject, result: MonitorResult, at: datetime, record: RunRecord) -> Told:
    """A look for drift. A look back at an earlier day tells nothing: later looks have told already."""
    report = result.report
    done = replace(record, exit_code=0, outcome=report.state, reason=report.headline, revision=report.baseline)
    if result.path is None:
        return Told(done, News("monitor", subject.icp))
    path = result.path.relative_to(settings.lake).as_posix()
    news = with_success(subject, drift_news(settings, report, path), at)
    emitted = tuple(
        (
            "icp.drift.detected" if alert.event == "entered" else "icp.drift.recovered",
            {"key": alert.key, "sentence": alert.sentence, "baseline": report.baseline, "as_of": report.as_of},
        )
        for alert in report.alerts
    )
    return Told(done, replace(news, events=(*news.events, *lateness(settings, at))), emitted)


def drift_news(settings: Settings, report: Any, path: str) -> News:
    """What drifts and what has ceased to, for the channels that know of it."""
    from icp.notify.memory import going_on
    from icp.notify.news import of_monitor as news_of

    known = going_on(teller(settings).memories().values(), f"drift/{report.icp}/")
    return news_of(report, path, known)


def of_ingest(settings: Settings, subject: Subject, result: IngestResult, at: datetime, record: RunRecord) -> Told:
    """An ingest: refused loads are a failed gate and failed sources a failed run, even where others were accepted."""
    late = lateness(settings, at)
    if result.quarantined or result.failed:
        from flows.ingest import raise_if_refused

        try:
            raise_if_refused(result)
        except IcpError as error:
            told = _failed(subject, error, at, record)
            return replace(told, news=replace(told.news, events=(*told.news.events, *late)))
    outcome = "accepted" if result.accepted else "nothing_new"
    reason = f"{len(result.accepted)} load(s), {result.rows:,} rows"
    news = with_success(subject, News("ingest", "", late), at)
    return Told(replace(record, exit_code=0, outcome=outcome, reason=reason), news)


def lateness(settings: Settings, at: datetime) -> tuple[Any, ...]:
    """Per ICP, whether the newest closed quarter is overdue; an ICP that was never published is not late, it is new."""
    from datetime import timedelta

    from icp.notify.news import of_lateness
    from icp.published import PublishedStore

    calendar, events = settings.calendar, []
    quarter = calendar.last_closed(at)
    readable = calendar.as_of(quarter)
    for name in settings.icps:
        known = PublishedStore(settings.lake, name).quarters()
        if not known:
            continue
        if quarter.label in known:
            events.append(of_lateness(name, quarter.label, readable_since=None, day=""))
        elif readable + timedelta(days=settings.alerts.late_after_days) <= at:
            day = f"{readable.astimezone(calendar.zone):%Y-%m-%d}"
            events.append(of_lateness(name, quarter.label, readable_since=readable, day=day))
    return tuple(events)


def _emit(told: Told) -> None:
    """Hand the events to Prefect; a server that does not take them fails nothing."""
    from prefect.events import emit_event

    name = told.news.icp or "landing"
    resource = {"prefect.resource.id": f"icp.{name}", "prefect.resource.name": f"ICP {name}"}
    for event, payload in told.prefect_events:
        try:
            emit_event(event=event, resource=resource, payload=payload)
        except Exception as error:  # noqa: BLE001  the run is done; only its event is lost, and that is said
            _log.warning("Prefect did not take the event %s (%s).", event, type(error).__name__)


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no JSON object.")
    return content


def _iso(moment: datetime) -> str:
    return moment.isoformat()
