"""The steps of a weekly look: what came since the ICP in force, read from the lake; nothing published is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flows.dbt_project
from icp.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from icp.calendar import Quarter
    from icp.config import Settings
    from icp.drift_report import DriftReport, MonitorState
    from icp.profile import Profile

SQL_TIME = "%Y-%m-%d %H:%M:%S"
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class MonitorPlan:
    """Everything decided before work starts: the revision watched and the settled weeks since its quarter.

    `weeks` are (number, start, end); of a best-customer label, whose outcomes come once a quarter, the numbers are those
    of the quarters' last weeks and the ranges are whole quarters. `is_backfilled`: nothing at all had been decided by
    then, the history was made afterwards; the ICP is the one that history puts there, and the headline says so.
    """

    settings: Settings
    icp: str
    revision: Path
    baseline: str
    as_of: datetime
    weeks: tuple[tuple[int, datetime, datetime], ...]
    is_backfilled: bool = False

    @property
    def last_week(self) -> int:
        return self.weeks[-1][0] if self.weeks else 0

    @property
    def day(self) -> str:
        """The date the report is of, in the company's own zone."""
        return f"{self.as_of.astimezone(self.settings.calendar.zone):%Y-%m-%d}"

    @property
    def folder(self) -> Path:
        return self.settings.lake / "monitor" / self.icp


def plan_monitor(settings: Settings, icp: str, as_of: datetime) -> MonitorPlan:
    """Find the ICP in force at that moment, by the decisions made until then, and the weeks that have settled since.

    Raises:
        ConfigError: no ICP was in force, or nothing had landed by then.
    """
    from icp.lake import Lake
    from icp.published import PublishedStore

    settings.icp(icp)
    calendar, store = settings.calendar, PublishedStore(settings.lake, icp)
    closed = calendar.last_closed(as_of)
    is_backfilled = not store.has_decided_by(as_of)
    revision = store.incumbent(calendar.previous(closed, -1).label, decided_by=None if is_backfilled else as_of)
    if revision is None:
        raise ConfigError(f"No ICP '{icp}' was in force on {as_of:%Y-%m-%d}: run `icp refresh` before `icp monitor`.")
    if not Lake(settings.lake).accepted_loads(as_of):
        raise ConfigError(f"Nothing has landed that was true by {as_of:%Y-%m-%d}. Run `icp ingest` first.")
    quarter = calendar.quarter(revision.parent.name)
    settled = as_of - timedelta(days=calendar.settle_days)
    weeks = (
        _weeks(quarter.end, settled) if settings.icp(icp).label.kind == "won" else _quarters(settings, quarter, settled)
    )
    baseline = f"{revision.parent.name}/{revision.name}"
    return MonitorPlan(settings, icp, revision, baseline, as_of, tuple(weeks), is_backfilled)


def _weeks(start: datetime, settled: datetime) -> list[tuple[int, datetime, datetime]]:
    count = max((settled - start) // WEEK, 0)
    return [(n + 1, start + n * WEEK, start + (n + 1) * WEEK) for n in range(count)]


def _quarters(settings: Settings, quarter: Quarter, settled: datetime) -> list[tuple[int, datetime, datetime]]:
    from icp.drift_tests import WEEKS

    calendar = settings.calendar
    found: list[tuple[int, datetime, datetime]] = []
    following = calendar.previous(quarter, -1)
    while following.end <= settled:
        found.append((WEEKS * (len(found) + 1), following.start, following.end))
        following = calendar.previous(following, -1)
    return found


@dataclass(frozen=True)
class Outcomes:
    """The label rows the ICP in force was derived on, and the settled outcomes since with their `week`."""

    before: pd.DataFrame = field(repr=False)
    since: pd.DataFrame = field(repr=False)


def read_outcomes(plan: MonitorPlan) -> Outcomes:
    """Build the features of the outcomes that came since with dbt, as a refresh would, and read the baseline's."""
    from flows.label import labelled_by
    from flows.population import in_watched_population
    from icp.feature_frame import read_features, read_label_rows
    from icp.window import comparable_outcomes

    scratch = plan.settings.lake / "cache" / "monitor"
    scratch.mkdir(parents=True, exist_ok=True)
    paths = {"features_path": str(scratch / "features.parquet"), "declared_path": str(scratch / "declared.parquet")}
    flows.dbt_project.build(
        plan.settings.dbt_project,
        select=("+fct_account_features", "+fct_account_declared_attributes"),
        variables=_variables(plan) | paths,
        warehouse=scratch / "warehouse.duckdb",
        scratch=plan.settings.lake / "cache",
    )
    frame = read_features(Path(paths["features_path"]), Path(paths["declared_path"]))
    frame = in_watched_population(plan.settings, plan.icp, frame, plan.revision)
    if plan.weeks:
        frame = labelled_by(plan.settings, plan.icp, frame, plan.as_of).frame
    before, _ = comparable_outcomes(read_label_rows(plan.revision), plan.revision.parent.name)
    return Outcomes(before, _with_week(frame, plan))


def _with_week(frame: pd.DataFrame, plan: MonitorPlan) -> pd.DataFrame:
    numbers = {_label(number): number for number, _, _ in plan.weeks}
    week = frame["outcome_quarter"].map(numbers)
    is_new = (frame["role"] == "label") & week.notna()
    return frame[is_new].assign(week=week[is_new].astype(int)).reset_index(drop=True)


def _label(week: int) -> str:
    return f"week {week:03d}"


def _variables(plan: MonitorPlan) -> dict[str, Any]:
    """What the features are as of; the quarters dbt knows are here the weeks (dbt only asks when each begins and ends)."""
    from flows.variables import feature_label
    from icp.lake import Lake

    settings = plan.settings
    ranges = [(_label(number), start, end) for number, start, end in _with_lead_in(plan)]
    last_end = plan.weeks[-1][2] if plan.weeks else plan.as_of
    return {
        "as_of": _sql(plan.as_of),
        "quarter_end": _sql(last_end),
        "quarters": [{"label": label, "start": _sql(start), "end": _sql(end)} for label, start, end in ranges],
        "timezone": settings.calendar.timezone,
        "landed": Lake(settings.lake).landed_files(plan.as_of),
        "declared_attributes": [{"name": a.name, "kind": a.kind} for a in settings.declared_attributes],
        "label": feature_label(settings.icp(plan.icp).label),
        "reporting_currency": settings.reporting_currency,
    }


def _with_lead_in(plan: MonitorPlan) -> Sequence[tuple[int, datetime, datetime]]:
    """The horizon of an outcome that takes quarters to know opens before the first quarter since; those come first."""
    label, calendar = plan.settings.icp(plan.icp).label, plan.settings.calendar
    if label.kind == "won":
        return plan.weeks
    own = calendar.quarter(plan.revision.parent.name)
    waits = label.horizon if label.kind == "good_customer" else label.horizon - 1
    earlier = [calendar.previous(own, n) for n in range(waits)]
    return [*((-n, q.start, q.end) for n, q in reversed(list(enumerate(earlier)))), *plan.weeks]


def _sql(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime(SQL_TIME)


def judge_drift(plan: MonitorPlan, outcomes: Outcomes) -> tuple[DriftReport, MonitorState]:
    """Look at everything watched, in the light of what the last run said."""
    from flows.reading import read_profile
    from icp.drift import Watch, monitor
    from icp.serialize import rounded

    profile: Profile = read_profile(plan.revision)
    section = plan.settings.icp(plan.icp).monitor
    watch = Watch(profile, plan.baseline, plan.day, plan.last_week, section.false_alarms_per_year)
    known = _remembered(plan)
    remembered = None if known and _is_look_back(plan, known) else known
    report, state = monitor(watch, outcomes.before, outcomes.since, remembered)
    if plan.is_backfilled:
        report = replace(report, headline=f"{report.headline} This ICP was approved only later (backfilled).")
    return rounded(report), state


def _remembered(plan: MonitorPlan) -> MonitorState | None:
    """What the newest run left.

    Raises:
        ConfigError: the file cannot be read; it says which, and that watching can start afresh without it.
    """
    from icp.drift_report import MonitorState
    from icp.serialize import from_json

    path = plan.folder / "state.json"
    if not path.exists():
        return None
    try:
        return from_json(MonitorState, path.read_text(encoding="utf-8"))
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}). Delete it to start watching afresh.") from None


def keep_report(plan: MonitorPlan, report: DriftReport, state: MonitorState) -> Path | None:
    """Write the report of the day, then what to remember; of a look back at an earlier day nothing is kept (None)."""
    from icp import atomic
    from icp.serialize import to_json

    known = _remembered(plan)
    if known is not None and _is_look_back(plan, known):
        return None
    path = plan.folder / f"{plan.day}.json"
    atomic.write_bytes(path, to_json(report).encode())
    atomic.write_bytes(plan.folder / "state.json", to_json(state).encode())
    return path


def _is_look_back(plan: MonitorPlan, known: MonitorState) -> bool:
    return str(plan.day) < known.as_of
