"""Between quarters: has anything moved since the ICP in force was made? Weekly, with a stated rate of false alarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.progress import say
from flows.steps import Runner, as_task, plainly
from icp.errors import SEVERITY, ConfigError, IcpError

if TYPE_CHECKING:
    from icp.config import Settings
    from icp.drift_report import DriftReport, Watched

QUIET = ("ok", "not enough data")


@dataclass(frozen=True)
class MonitorResult:
    """What one look found and where it is kept; a look back before the newest run is kept nowhere."""

    report: DriftReport
    path: Path | None


def monitor(settings: Settings, *, icp: str, as_of: datetime, run: Runner = plainly) -> MonitorResult:
    """Look at population, concept and performance once; safe to repeat, published revisions are never touched.

    Raises:
        ConfigError: no ICP was in force at that moment, or nothing had landed.
        GateFailed: a data test of the dbt project failed.
        LockHeld: another run is writing to this lake.
    """
    from flows import monitor_steps as steps
    from flows.index_page import write_index
    from icp.lake import Lake

    with Lake(settings.lake).lock():
        plan = steps.plan_monitor(settings, icp, as_of)
        say("reading what came since")
        outcomes = run(steps.read_outcomes)(plan)
        say("looking for drift")
        report, state = run(steps.judge_drift)(plan, outcomes)
        path = run(steps.keep_report)(plan, report, state)
        if path is not None:
            write_index(settings, icp)
    return MonitorResult(report, path)


def monitor_and_tell(settings: Settings, *, icp: str, as_of: datetime, run: Runner = plainly) -> MonitorResult:
    """`monitor`, kept in the ledger of runs and told to the channels of icp.yml; raises what `monitor` does."""
    from flows.approvals import let_lapse
    from flows.telling import Subject, observed, of_monitor

    settings.icp(icp)
    let_lapse(settings, as_of)
    return observed(
        settings,
        Subject("monitor", icp),
        lambda: monitor(settings, icp=icp, as_of=as_of, run=run),
        of_monitor,
        at=as_of,
        clock=lambda: datetime.now(UTC),
        to_prefect=run is as_task,
    )


class SomeIcpsNotWatched(IcpError):
    """Of several ICPs some could not be watched; the others were, and are told of."""

    def __init__(self, failed: Mapping[str, IcpError], watched: int) -> None:
        self.exit_code = min((error.exit_code for error in failed.values()), key=SEVERITY.index)
        told = "\n".join(f"  {icp} (exit {error.exit_code}): {error}" for icp, error in failed.items())
        super().__init__(f"{len(failed)} of {len(failed) + watched} ICPs could not be watched.\n{told}")


def monitor_all(
    settings: Settings,
    *,
    as_of: datetime,
    run: Runner = plainly,
    leave: Callable[[str, MonitorResult], None] = lambda icp, result: None,
) -> tuple[MonitorResult, ...]:
    """Watch every ICP of icp.yml that was ever published, in its order; one that fails does not stop the others.

    `leave` is given each result as it comes, under the name of its ICP.

    Raises:
        ConfigError: no ICP of icp.yml was ever published.
        SomeIcpsNotWatched: after all were tried.
    """
    from icp.published import PublishedStore

    published = [icp for icp in settings.icps if PublishedStore(settings.lake, icp).quarters()]
    if not published:
        raise ConfigError("No ICP has been published yet, so there is nothing to watch. Run `icp refresh` first.")
    results: list[MonitorResult] = []
    failed: dict[str, IcpError] = {}
    for icp in published:
        say(f"ICP {icp}")
        try:
            results.append(monitor_and_tell(settings, icp=icp, as_of=as_of, run=run))
            leave(icp, results[-1])
        except IcpError as error:
            failed[icp] = error
    if failed:
        raise SomeIcpsNotWatched(failed, len(results))
    return tuple(results)


@flow(flow_run_name="icp-monitor-{icp}")
def icp_monitor(project: str = "icp.yml", icp: str = "main", as_of: str | None = None) -> MonitorResult:
    """Watch one ICP between quarters (as of now, or of a date)."""
    from icp.config import load

    settings = load(Path(project))
    result = monitor_and_tell(settings, icp=icp, as_of=moment(settings, as_of, datetime.now(UTC)), run=as_task)
    _leave_artifact(icp, result)
    return result


@flow(flow_run_name="icp-monitor-all")
def icp_monitor_all(project: str = "icp.yml", as_of: str | None = None) -> tuple[MonitorResult, ...]:
    """Watch every ICP of the project between quarters; it fails in the end when one of them could not be watched."""
    from icp.config import load

    settings = load(Path(project))
    return monitor_all(settings, as_of=moment(settings, as_of, datetime.now(UTC)), run=as_task, leave=_leave_artifact)


def _leave_artifact(icp: str, result: MonitorResult) -> None:
    create_markdown_artifact(
        markdown=as_markdown(result.report), key=artifact_key(icp), description=result.report.headline
    )


def artifact_key(icp: str) -> str:
    """Under which Prefect shows an ICP's drift; its keys admit no underscore."""
    return f"icp-{icp.replace('_', '-')}-drift"


def moment(settings: Settings, as_of: str | None, now: datetime) -> datetime:
    """The instant a person means by a date: its midnight in the company's zone; now when nothing is said.

    Raises:
        ConfigError: it is no date, or lies in the future.
    """
    from icp.errors import ConfigError

    if as_of is None:
        return now
    try:
        day = datetime.strptime(as_of, "%Y-%m-%d").replace(tzinfo=settings.calendar.zone)
    except ValueError:
        raise ConfigError(f"--as-of {as_of!r} is not a date. Write it as 2026-11-16.") from None
    if day > now:
        raise ConfigError(f"--as-of {as_of} is in the future: only what is known can be looked at.")
    return day.astimezone(UTC)


def as_markdown(report: DriftReport) -> str:
    """The report for the Prefect page, whose tables cut long cells: the headline, what has just changed, what drifts or may.

    Everything else is named by state; its figures are in `lake/monitor/<icp>/<date>.json`.
    """
    lines = [f"**{_cell(report.headline)}**", ""]
    lines += _section("Since the last run", [f"- **{a.event}**: {_cell(a.sentence)}" for a in report.alerts])
    for state, title in (("drift", "Drifting"), ("watch", "Perhaps beginning to")):
        lines += _section(title, [f"- {_cell(_told(line))}" for line in report.lines if line.state == state])
    quiet: dict[tuple[str, str], list[str]] = {}
    for line in report.lines:
        if line.state in QUIET:
            quiet.setdefault((line.finding.monitor, line.state), []).append(line.finding.label)
    named = [f"- {monitor}, {state}: {_cell(', '.join(labels))}" for (monitor, state), labels in quiet.items()]
    lines += _section("Everything else that is watched", named)
    lines.append(f"At most {report.false_alarms_per_year:g} false alarms a year over everything watched together.")
    return "\n".join([*lines, ""])


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""] if lines else []


def _told(line: Watched) -> str:
    """A line with the monitor that saw it; drift lasts until several looks were calm, whatever the last one could see."""
    since = f", since week {line.since_week}" if line.state == "drift" else ""
    return f"{line.finding.sentence} ({line.finding.monitor}{since})"


def as_text(report: DriftReport) -> str:
    """The report for a terminal: the headline, the state of each monitor, and the lines that are not plainly quiet."""
    states = [f"  {name}: {state}" for name, state in report.monitors.items()]
    told = [line for line in report.lines if line.state not in QUIET or line.finding.monitor == "performance"]
    lines = [f"  [{line.state}] {_told(line)}" for line in told]
    alerts = [f"  {alert.event}: {alert.sentence}" for alert in report.alerts]
    return "\n".join([report.headline, *states, *lines, *(["Since the last run:", *alerts] if alerts else [])])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
