"""Drift between quarters: is the ICP in force still true, and how often would this page cry wolf?

One budget of false alarms a year is shared by all monitors, attributes and weekly looks together. An alert is given
when something begins to drift and when it has recovered, not while it lasts. All of it is a function of the revision
in force, of the outcomes that have come (and settled) since, and of what was said before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.diff import compare
from icp.drift_age import grown_older
from icp.drift_monitors import Mix, block_of, last_look, watch_concept, watch_population
from icp.drift_performance import TopTier, watch_performance
from icp.drift_report import MONITORS, Alert, DriftReport, Finding, Monitor, MonitorState, Remembered, State, Watched
from icp.label_rows import LabelRows, read_label_rows
from icp.points import card_of
from icp.profile import Profile
from icp.stats import Floats
from icp.tiers import place
from icp.verdicts import ProfileDiff

__all__ = ["Watch", "monitor"]

Weeks = NDArray[np.int64]

FALSE_ALARMS_PER_YEAR = 0.20
SHARES: Mapping[Monitor, float] = {"population": 0.25, "concept": 0.25, "performance": 0.5}
CALM_LOOKS: Mapping[Monitor, int] = {"population": 2, "concept": 2, "performance": 4}
BLOCKS_PER_YEAR = 4
MIN_TOP_SHARE = 0.10
_ORDER: tuple[State, ...] = ("not enough data", "ok", "watch", "drift")


@dataclass(frozen=True)
class Watch:
    """What is watched: the profile in force, its revision's name, the moment, and the budget of false alarms."""

    profile: Profile
    baseline: str
    as_of: str
    week: int
    false_alarms_per_year: float = FALSE_ALARMS_PER_YEAR

    def alpha(self, monitor: Monitor) -> float:
        """False-alarm probability of one monitor per block of 13 weeks."""
        return self.false_alarms_per_year / BLOCKS_PER_YEAR * SHARES[monitor]


def monitor(
    watch: Watch, before: pd.DataFrame, since: pd.DataFrame, remembered: MonitorState | None
) -> tuple[DriftReport, MonitorState]:
    """Look at everything watched and say what has begun to drift, what has recovered, and what nobody can tell.

    Args:
        watch: the profile and the week that is told.
        before: the label rows the profile in force was derived on (its revision's features).
        since: settled outcomes since its quarter ended, with `week` (1, 2, ...) of the decision.
        remembered: what the last run returned; of another baseline, or None, means a fresh start.

    Weeks that no run has looked at are caught up first, each with its own share of the budget: the state is that of
    weekly runs, however rarely somebody looks, and `alerts` holds what happened in all of these weeks.
    """
    known = remembered if remembered and remembered.baseline == watch.baseline else MonitorState(watch.baseline)
    alerts: list[Alert] = []
    for week in range(_weeks_seen(known) + 1, watch.week):
        past = replace(watch, week=week)
        found = _findings(past, before, _until(since, week), is_catching_up=True)
        report, known = assemble(past, found, _until(since, week), known)
        alerts += report.alerts
    own = _until(since, watch.week)
    report, state = assemble(watch, _findings(watch, before, own), own, known)
    return replace(report, alerts=(*alerts, *report.alerts)), state


def _weeks_seen(known: MonitorState) -> int:
    """The last week a run has looked at; 0 at a fresh start."""
    return max((line.look for line in known.lines.values()), default=0)


def _until(since: pd.DataFrame, week: int) -> pd.DataFrame:
    return since[since["week"].between(1, week)].reset_index(drop=True)


def assemble(
    watch: Watch, findings: Iterable[Finding], since: pd.DataFrame, known: MonitorState
) -> tuple[DriftReport, MonitorState]:
    """The report and what to remember, given what this look found and what was known."""
    lines, alerts, kept = [], [], dict(known.lines)
    for finding in findings:
        kept[finding.key], alert = advance(finding, known.lines.get(finding.key))
        lines.append(Watched(finding, kept[finding.key].state, kept[finding.key].since_week))
        alerts += [alert] if alert else []
    states: dict[Monitor, State] = {
        name: _worst(line.state for line in lines if line.finding.monitor == name) for name in MONITORS
    }
    report = DriftReport(
        icp=watch.profile.icp,
        baseline=watch.baseline,
        profile_quarter=watch.profile.quarter,
        as_of=watch.as_of,
        week=watch.week,
        outcomes=len(since),
        wins=int(since["is_won"].astype(bool).sum()) if len(since) else 0,
        state=_worst(states.values()),
        headline="",
        monitors=states,
        lines=tuple(lines),
        alerts=tuple(alerts),
        false_alarms_per_year=watch.false_alarms_per_year,
    )
    return replace(report, headline=_headline(report)), MonitorState(watch.baseline, kept, watch.as_of)


def advance(finding: Finding, known: Remembered | None) -> tuple[Remembered, Alert | None]:
    """The state of one line after a look: drift is entered at once and left after several calm looks running.

    A look that was already taken changes nothing, however often a run is repeated.
    """
    if known is None:
        known = Remembered("not enough data", finding.look, -1)
    if finding.look <= known.look:
        return known, None
    if known.state == "drift":
        return _drifting(finding, known)
    since = known.since_week if finding.verdict == known.state else finding.look
    alert = Alert(finding.key, "entered", finding.sentence) if finding.verdict == "drift" else None
    return Remembered(finding.verdict, since, finding.look), alert


def _drifting(finding: Finding, known: Remembered) -> tuple[Remembered, Alert | None]:
    if finding.verdict == "not enough data":
        return replace(known, look=finding.look), None
    calm = known.calm + 1 if finding.is_calm and finding.verdict != "drift" else 0
    if calm < CALM_LOOKS[finding.monitor]:
        return replace(known, look=finding.look, calm=calm), None
    alert = Alert(finding.key, "recovered", finding.sentence)
    return Remembered(finding.verdict, finding.look, finding.look), alert


# -- what is looked at -------------------------------------------------------------------------------------------------


def _findings(
    watch: Watch, before: pd.DataFrame, since: pd.DataFrame, *, is_catching_up: bool = False
) -> list[Finding]:
    """What this week's look finds; of a week caught up, population and concept only when it was a look of theirs."""
    if not watch.profile.fit.criteria:
        return []
    new = _rows(since, watch.profile)
    weeks = _weeks(since, new)
    look = last_look(watch.week)
    performance = watch_performance(_top_tier(watch, new, weeks), watch.week, watch.alpha("performance"))
    if is_catching_up and look != watch.week:
        return [performance]
    old = _rows(before, watch.profile)
    diff = _compared(watch.profile, before, since, look) if look else None
    return [
        performance,
        *watch_population(_mixes(watch, (old, before), (new, since), weeks), watch.week, watch.alpha("population")),
        *watch_concept(diff, look, watch.alpha("concept")),
    ]


def _rows(frame: pd.DataFrame, profile: Profile) -> LabelRows:
    return read_label_rows(frame, profile.bins)


def _weeks(since: pd.DataFrame, rows: LabelRows) -> Weeks:
    return np.asarray(since["week"].loc[rows.codes.index].to_numpy(dtype=np.int64))


def _compared(profile: Profile, before: pd.DataFrame, since: pd.DataFrame, look: int) -> ProfileDiff:
    """The quarterly change test, the block's outcomes so far being the new quarter."""
    quarter = f"{profile.quarter}+"  # sorts after the profile's own quarter and names no other
    block = since[since["week"].between(block_of(look)[0] + 1, look)].assign(outcome_quarter=quarter)
    frame = pd.concat([before, block.drop(columns="week")], ignore_index=True)
    return compare(profile, profile, frame, quarter)


def _mixes(
    watch: Watch, old: tuple[LabelRows, pd.DataFrame], new: tuple[LabelRows, pd.DataFrame], weeks: Weeks
) -> list[Mix]:
    """Accounts per bin of every criterion and per tier; an account worked several times counts once on each side.

    The side since is the block of the last look: what an account did in other blocks takes nothing from it.

    Args:
        watch: what is watched.
        old: the rows the profile was derived on, and the frame they were read from.
        new: the same of what came since.
        weeks: the week of each row since.
    """
    profile, sides = watch.profile, (old[0], new[0])
    counts = (1 / old[0].repeats, _once_per_block(new[0], weeks, last_look(watch.week)))
    frames = tuple(frame.loc[rows.codes.index] for rows, frame in (old, new))
    mixes = []
    for criterion in (*profile.fit.criteria, *profile.intent.criteria):
        name = criterion.attribute
        labels = tuple(b.label for b in profile.bins.bins[name])
        states = (rows.codes[name].to_numpy(dtype=np.int64) for rows in sides)
        before, since = (_Accounts(s, own) for s, own in zip(states, counts, strict=True))
        mix = _mix((name, criterion.label), labels, before, since, weeks, watch.week)
        aged = grown_older(name, frames[0], counts[0], frames[1], counts[1], profile.bins)
        mixes.append(replace(mix, aged=aged))
    tiers = tuple(f"tier {tier.name}" for tier in profile.tiers)
    before, since = (_Accounts(_places(profile, rows), own) for rows, own in zip(sides, counts, strict=True))
    return [*mixes, _mix(("fit_tier", "Tiers"), tiers, before, since, weeks, watch.week)]


def _once_per_block(rows: LabelRows, weeks: Weeks, look: int) -> Floats:
    """What each row counts for: the rows of one account within the block so far share 1, rows outside it count 0."""
    inside = (weeks > block_of(look)[0]) & (weeks <= look)
    repeats = np.bincount(rows.groups, inside.astype(float), minlength=1)[rows.groups]
    return np.where(inside, 1 / np.maximum(repeats, 1.0), 0.0)


@dataclass(frozen=True)
class _Accounts:
    """The state of each row and what the row counts for."""

    states: Weeks
    counts: Floats


def _mix(
    name: tuple[str, str], labels: tuple[str, ...], before: _Accounts, since: _Accounts, weeks: Weeks, last: int
) -> Mix:
    table = np.zeros((last, len(labels)))
    np.add.at(table, (weeks - 1, since.states), since.counts)
    old = np.zeros(len(labels))
    np.add.at(old, before.states, before.counts)
    return Mix(*name, labels, old, table)


def _places(profile: Profile, rows: LabelRows) -> Weeks:
    scores = card_of(profile.fit, profile.bins).score(rows.codes)
    return place(scores, tuple((tier.name, tier.min_score) for tier in profile.tiers))


def _top_tier(watch: Watch, new: LabelRows, weeks: Weeks) -> TopTier:
    """The best tier, with the next ones as long as together they held under a tenth of the outcomes out of fold."""
    tiers = watch.profile.tiers
    held = np.cumsum([t.opportunities for t in tiers]) / max(sum(t.opportunities for t in tiers), 1)
    count = min(int(np.searchsorted(held, MIN_TOP_SHARE)) + 1, len(tiers) - 1)
    wins, all_ = (np.array([getattr(t, name) for t in tiers], dtype=float) for name in ("wins", "opportunities"))
    before = [
        part for own in (slice(None, count), slice(count, None)) for part in (wins[own].sum(), (all_ - wins)[own].sum())
    ]
    table = np.zeros((watch.week, 4))
    column = 2 * (_places(watch.profile, new) >= count) + (new.won < 0.5)
    np.add.at(table, (weeks - 1, column), 1.0)
    names = [t.name for t in tiers[:count]]
    label = f"Tier {names[0]}" if count == 1 else f"Tiers {names[0]}-{names[-1]} together"
    return TopTier(label, np.array(before), table)


def _worst(states: Iterable[State]) -> State:
    return max(states, key=_ORDER.index, default="not enough data")


def _headline(report: DriftReport) -> str:
    head = f"{report.outcomes} outcomes in {report.week} settled weeks since the ICP of {report.profile_quarter}"
    drifting = [line.finding.label for line in report.lines if line.state == "drift"]
    watched = [line.finding.label for line in report.lines if line.state == "watch"]
    if not report.lines:
        return f"Nothing to watch: the ICP of {report.profile_quarter} has no criteria."
    if drifting:
        return f"Drift: {', '.join(dict.fromkeys(drifting))} ({head})."
    if watched:
        return f"No drift; worth watching: {', '.join(dict.fromkeys(watched))} ({head})."
    if report.state == "not enough data":
        return f"Not enough data yet to say whether the ICP still holds ({head})."
    return f"No drift ({head})."
