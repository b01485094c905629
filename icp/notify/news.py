"""From what a run returns to what there is to tell: pure functions, one per kind of run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from icp.drift_report import DriftReport, Watched
from icp.errors import GateFailed, IcpError, LockHeld, NotEnoughEvidence, NotYet, TryLater
from icp.notify.message import Event, Fact, Kind, News, Severity

LONGEST = 600
FAILURES: tuple[Kind, ...] = ("gate_failed", "run_failed", "not_enough_evidence")


@dataclass(frozen=True)
class Subject:
    """Which run: its command, its ICP, and what it was about (a quarter, a source; empty for the monitor)."""

    command: str
    icp: str
    about: str = ""

    def topic(self, kind: Kind) -> str:
        """The topic under which failures of such runs are told and end."""
        return "/".join(part for part in (kind, self.command, self.icp, self.about) if part)


def of_revision(
    subject: Subject,
    *,
    revision: str,
    decision: str,
    verdict: str,
    reason: str,
    path: str,
    accounts: Sequence[str] = (),
) -> News:
    """A published revision: in force, or waiting for a person. A rejected one is no news."""
    name = f"{subject.icp}/{subject.about}/{revision}"
    facts = [Fact("Quarter", subject.about), Fact("Revision", revision), Fact("Decision", decision)]
    events: tuple[Event, ...] = ()
    if decision == "approved":
        events = (Event("published", "once", "info", f"published/{name}", name, verdict),)
    if decision == "held":
        do = f"Approve or reject it: icp approve {subject.about}/{revision} --icp {subject.icp} --reason ..."
        sentence = f"{verdict} Held: {reason.rstrip('.')}. {do}"
        events = (Event("held", "once", "warning", f"held/{name}", name, sentence),)
    return News("refresh", subject.icp, events, tuple(facts), path, tuple(accounts))


def of_lapse(icp: str, candidate: str, reason: str) -> News:
    """A candidate nobody answered in time."""
    name = f"{icp}/{candidate}"
    do = f"To put it in force all the same: icp approve {candidate} --icp {icp} --reason ..."
    event = Event(
        "lapsed", "once", "warning", f"lapsed/{name}", name, f"{candidate} of ICP {icp} lapsed: {reason}. {do}"
    )
    return News("approval", icp, (event,), (Fact("Revision", candidate),))


def of_monitor(report: DriftReport, path: str, known: Mapping[str, str]) -> News:
    """What drifts now and what has ceased to; `known` are the drifts somebody was told of, topic to occurrence."""
    lines = {f"drift/{report.icp}/{line.finding.key}": line for line in report.lines}
    drifting = [line for line in report.lines if line.state == "drift"]
    begun = [
        _drifting(topic, line, report.baseline, drifting) for topic, line in lines.items() if line.state == "drift"
    ]
    over = [_recovered(topic, lines.get(topic), was, report) for topic, was in sorted(known.items())]
    facts = (
        Fact("ICP watched", report.baseline),
        Fact("Week since", str(report.week)),
        Fact("Outcomes", f"{report.outcomes:,} ({report.wins:,} won)"),
        Fact("False alarms", f"at most {report.false_alarms_per_year:g} a year"),
    )
    return News("monitor", report.icp, (*begun, *(e for e in over if e)), facts, path)


def _drifting(topic: str, line: Watched, baseline: str, drifting: Sequence[Watched]) -> Event:
    sentence = " ".join((line.finding.sentence, *_known_of_it(line, drifting)))
    return Event("drift", "begins", "warning", topic, f"{baseline}#{line.since_week}", sentence)


def _known_of_it(line: Watched, drifting: Sequence[Watched]) -> Iterator[str]:
    """What has been told of the same attribute before: who comes and what wins move together where a market does."""
    for other in drifting:
        if other.finding.attribute == line.finding.attribute and other.since_week < line.since_week:
            of_what = "the mix" if other.finding.monitor == "population" else "what wins"
            yield f"Of the same attribute {of_what} has drifted since week {other.since_week}."


def _recovered(topic: str, line: Watched | None, occurrence: str, report: DriftReport) -> Event | None:
    """The end of a drift: the line is calm again, or a new ICP took the place of the one that drifted."""
    if line is not None and line.state == "drift":
        return None
    if not occurrence.startswith(f"{report.baseline}#"):
        sentence = f"{topic.split('/', 2)[2]}: a new ICP ({report.baseline}) is in force; watching starts anew with it."
        return Event("drift", "ends", "info", topic, occurrence, sentence)
    if line is None or line.state == "not enough data":
        return None
    return Event("drift", "ends", "info", topic, occurrence, line.finding.sentence)


def of_failure(subject: Subject, error: Exception, at: datetime) -> News | None:
    """Why a run did not finish; None when another run was simply at work, or when it waits for its extracts.

    Only the first line of a known error is told: what follows may show rows, and rows name accounts. An unexpected error
    is told by its name only.
    """
    if isinstance(error, LockHeld | NotYet):
        return None
    kind = failure_kind(error)
    passes = kind == "not_enough_evidence" or isinstance(error, TryLater)
    severity: Severity = "warning" if passes else "critical"
    text = next((line for line in str(error).splitlines() if line.strip()), "") if isinstance(error, IcpError) else ""
    sentence = shortened(text or f"{type(error).__name__}: an unexpected error, see the log of the run")
    event = Event(kind, "begins", severity, subject.topic(kind), at.isoformat(), sentence, repeats=True)
    others = tuple(_over(subject, other, at) for other in FAILURES if other != kind)
    facts = (Fact("Run", subject.command), *((Fact("About", subject.about),) if subject.about else ()))
    return News(subject.command, subject.icp, (event, *others), facts)


def failure_kind(error: Exception) -> Kind:
    """Under which heading an error is told."""
    if isinstance(error, GateFailed):
        return "gate_failed"
    return "not_enough_evidence" if isinstance(error, NotEnoughEvidence) else "run_failed"


def with_success(subject: Subject, news: News, at: datetime) -> News:
    """The news of a run that finished also end what was told of its failures."""
    return replace(news, events=(*news.events, *(_over(subject, kind, at) for kind in FAILURES)))


def _over(subject: Subject, kind: Kind, at: datetime) -> Event:
    run = " ".join(part for part in (subject.command, subject.icp, subject.about) if part)
    return Event(kind, "ends", "info", subject.topic(kind), at.isoformat(), f"The run ({run}) no longer fails so.")


def of_lateness(icp: str, quarter: str, *, readable_since: datetime | None, day: str) -> Event:
    """Whether the newest closed quarter has no revision although it could long have been read."""
    topic = f"quarter_late/{icp}"
    if readable_since is None:
        return Event("quarter_late", "ends", "info", topic, quarter, f"{quarter} of ICP {icp} is published.")
    sentence = (
        f"{quarter} of ICP {icp} could be read since {day} and is not published. "
        f"Run `icp refresh --quarter {quarter} --icp {icp}`, or look at why the scheduled run did not."
    )
    return Event("quarter_late", "begins", "warning", topic, quarter, sentence, repeats=True)


def shortened(text: str, limit: int = LONGEST) -> str:
    """A text of one line within a length, cut with an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
