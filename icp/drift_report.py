"""The vocabulary of drift: what is watched between quarters, in which state it is, and what a weekly report says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from icp.profile import Estimate

Monitor = Literal["population", "concept", "performance"]
State = Literal["ok", "watch", "drift", "not enough data"]
Event = Literal["entered", "recovered"]

MONITORS: tuple[Monitor, ...] = ("population", "concept", "performance")


@dataclass(frozen=True)
class Finding:
    """What one look says about one thing that is watched, before the past is considered.

    `look` is the week (since the profile's quarter) whose data were looked at. `is_calm` says that there is no sign of
    trouble any more: several calm looks running end a drift. `threshold` is what the p-value (population, concept: the
    q-value) had to stay above at this look.
    """

    monitor: Monitor
    name: str
    label: str
    look: int
    verdict: State
    sentence: str
    p_value: float | None = None
    q_value: float | None = None
    threshold: float | None = None
    is_calm: bool = False
    psi: float | None = None
    excess: float | None = None
    odds_ratio: Estimate | None = None
    odds_ratio_expected: Estimate | None = None
    e_value: float | None = None
    detectable: float | None = None

    @property
    def key(self) -> str:
        return f"{self.monitor}/{self.name}"

    @property
    def attribute(self) -> str:
        """The attribute it is about; a level that was hardly there before is watched under `attribute:level`."""
        return self.name.split(":", 1)[0]


@dataclass(frozen=True)
class Watched:
    """One line of the report: the finding of the last look and the state it is in, the past considered."""

    finding: Finding
    state: State
    since_week: int


@dataclass(frozen=True)
class Alert:
    """Something has just begun to drift, or has just recovered; a state that goes on is no alert."""

    key: str
    event: Event
    sentence: str


@dataclass(frozen=True)
class Remembered:
    """What is kept about one line between runs. `calm` counts calm looks running while it drifts."""

    state: State
    since_week: int
    look: int
    calm: int = 0


@dataclass(frozen=True)
class MonitorState:
    """What is kept between runs; it belongs to one revision of one ICP and starts anew with the next.

    `as_of` is the day of the newest run, empty in files of before it was kept.
    """

    baseline: str
    lines: Mapping[str, Remembered] = field(default_factory=dict)
    as_of: str = ""


@dataclass(frozen=True)
class DriftReport:
    """What has moved since the ICP in force was made, with the promise under which it is said.

    `state` is the worst of the lines'. `baseline` is the revision watched, `week` the last complete and settled week
    since its quarter ended (0: none yet).
    """

    icp: str
    baseline: str
    profile_quarter: str
    as_of: str
    week: int
    outcomes: int
    wins: int
    state: State
    headline: str
    monitors: Mapping[Monitor, State]
    lines: tuple[Watched, ...]
    alerts: tuple[Alert, ...]
    false_alarms_per_year: float

    @property
    def is_drift(self) -> bool:
        return self.state == "drift"
