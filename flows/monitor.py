"""Between quarters: has anything moved since the ICP in force was made? Weekly, with a stated rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.progress import say
from flows.steps import Runner, as_task, plainly

if TYPE_CHECKING:
    from icp.config import Settings
    from icp.drift_report import DriftReport


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
    from flows.telling import Subject, observed, of_monitor

    settings.icp(icp)
    return observed(
        settings,
        Subject("monitor", icp),
        lambda: monitor(settings, icp=icp, as_of=as_of, run=run),
        of_monitor,
        at=as_of,
        clock=lambda: datetime.now(UTC),
        to_prefect=run is as_task,
    )


@flow(flow_run_name="icp-monitor-{icp}")
def icp_monitor(project: str = "icp.yml", icp: str = "main", as_of: str | None = None) -> MonitorResult:
    """Watch one ICP between quarters (as of now, or of a date)."""
    from icp.config import load

    settings = load(Path(project))
    result = monitor_and_tell(settings, icp=icp, as_of=moment(settings, as_of, datetime.now(UTC)), run=as_task)
    create_markdown_artifact(
        markdown=as_markdown(result.report), key=f"icp-{icp}-drift", description=result.report.headline
    )
    return result


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
    """The report for the Prefect page: the headline, what has just changed, and a line for everything watched."""
    alerts = [f"- **{alert.event}**: {_cell(alert.sentence)}" for alert in report.alerts]
    rows = [f"| {line.finding.monitor} | {line.state} | {_cell(line.finding.sentence)} |" for line in report.lines]
    budget = f"At most {report.false_alarms_per_year:g} false alarms a year over everything watched together."
    table = ["| watched | state | |", "|---|---|---|", *rows] if rows else []
    return "\n".join([f"# {_cell(report.headline)}", "", *alerts, "", *table, "", budget, ""])


def as_text(report: DriftReport) -> str:
    """The report for a terminal: the headline, the state of each monitor, and the lines that are not plainly quiet."""
    states = [f"  {name}: {state}" for name, state in report.monitors.items()]
    quiet = ("ok", "not enough data")
    told = [line for line in report.lines if line.state not in quiet or line.finding.monitor == "performance"]
    lines = [f"  [{line.state}] {line.finding.sentence}" for line in told]
    alerts = [f"  {alert.event}: {alert.sentence}" for alert in report.alerts]
    return "\n".join([report.headline, *states, *lines, *(["Since the last run:", *alerts] if alerts else [])])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
