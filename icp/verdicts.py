"""The vocabulary of a diff: what can be said about an attribute, a segment and a whole quarter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from icp.profile import Axis, Estimate, Family

Verdict = Literal["changed", "stable", "no evidence", "cannot tell at this n"]
Outcome = Literal["first profile", "changed", "no evidence", "cannot tell at this n"]
Direction = Literal["enters", "leaves"]
Cause = Literal["real change", "evidence gained", "evidence faded"]
PartName = Literal["mix", "effect", "coverage", "level", "label", "bins"]


@dataclass(frozen=True)
class MembershipChange:
    """A criterion that enters or leaves the ICP, and why.

    A *real change* was tested; *evidence gained* and *faded* mean that the market may be as it was and only what can be
    shown about it moved. `is_in_force` is False while it waits for the next refit of the points.
    """

    attribute: str
    label: str
    direction: Direction
    cause: Cause
    is_in_force: bool


@dataclass(frozen=True)
class BinChange:
    """One bin before and now: odds of winning against the average opportunity of the newest quarter."""

    key: str
    label: str
    share_before: float
    share_now: float
    before: Estimate
    now: Estimate
    change: Estimate


@dataclass(frozen=True)
class ShareMove:
    """A detectable move of odds as a share of the wins: from `before`, which `group` has, to `now`."""

    group: str
    before: float
    now: float

    @property
    def points(self) -> float:
        """Percentage points moved."""
        return 100 * abs(self.now - self.before)


@dataclass(frozen=True)
class AttributeChange:
    """The verdict on one attribute.

    *Changed*: tested and shown. *Stable*: shown to be as it was. *No evidence*: tested, nothing shown either way. *Cannot
    tell at this n*: not tested, or even a typical move of x 4 would have gone unseen.
    `detectable` is the odds multiplier a change needs to be seen four times in five, `detectable_share` the same as what
    it would do to the largest group's share of the wins; None where it was not tested.
    `is_mix_driven` marks a difference that goes away once the earlier quarters are weighted to today's mix of accounts.
    """

    attribute: str
    label: str
    family: Family
    axis: Axis
    verdict: Verdict
    p_value: float | None
    q_value: float | None
    is_mix_driven: bool
    detectable: float | None
    bins: tuple[BinChange, ...]
    reason: str = ""
    detectable_share: ShareMove | None = None


@dataclass(frozen=True)
class EnteringSegment:
    """A level that came into view this quarter; `is_change` when it also wins more or less than its place would say."""

    attribute: str
    label: str
    level: str
    share_before: float
    share_now: float
    opportunities: int
    wins: int
    rate: Estimate
    rate_of_others: float
    q_value: float
    is_change: bool


@dataclass(frozen=True)
class ShiftPart:
    """What one cause moved a share of the wins by (0.1 is ten points); credible when beyond chance and worth naming."""

    name: PartName
    value: Estimate
    is_credible: bool


@dataclass(frozen=True)
class BinShift:
    """One bin's share of the wins before and now; the values of the `parts` add up to the `shift` exactly.

    `worked_before` and `worked_now` are its shares of the opportunities.
    """

    key: str
    label: str
    before: float
    now: float
    worked_before: float
    worked_now: float
    shift: Estimate
    parts: tuple[ShiftPart, ...]

    def part(self, name: PartName) -> ShiftPart | None:
        """What one cause moved; None where it cannot have moved anything."""
        return next((part for part in self.parts if part.name == name), None)


@dataclass(frozen=True)
class CriterionShift:
    """Why the winners differ in one criterion. `credible` are the causes that are; the `sentence` is empty without one.

    Without bins nothing could be said, and the `reason` is why.
    """

    attribute: str
    label: str
    credible: tuple[PartName, ...]
    sentence: str
    bins: tuple[BinShift, ...]
    reason: str = ""


@dataclass(frozen=True)
class Decomposition:
    """Why the new quarter's winners differ from those of the window before, criterion by criterion.

    Without criteria nothing could be said, and the `reason` is why. `notes` tell of a changed label or changed bins.
    """

    wins_before: int
    wins_now: int
    criteria: tuple[CriterionShift, ...]
    notes: tuple[str, ...] = ()
    reason: str = ""
    version: int = 1

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is worth saying, in the criteria's order."""
        return tuple(c.sentence for c in self.criteria if c.sentence)


@dataclass(frozen=True)
class ProfileDiff:
    """The newest quarter against the window before it. `sentence` is the verdict in words.

    `detectable_share` is the detectable move of odds for a group with a third of the wins. `decomposition` says why the
    winners differ; None in the first quarter.
    """

    icp: str
    before_quarter: str | None
    quarter: str
    outcome: Outcome
    sentence: str
    opportunities: int
    wins: int
    criteria: int
    detectable: float | None
    attributes: tuple[AttributeChange, ...]
    entering: tuple[EnteringSegment, ...]
    memberships: tuple[MembershipChange, ...]
    change_points: Mapping[str, str] = field(default_factory=dict)
    detectable_share: ShareMove | None = None
    decomposition: Decomposition | None = None

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of the attributes whose effect changed, a segment that entered counting for its attribute."""
        segments = (s.attribute for s in self.entering if s.is_change)
        return tuple(dict.fromkeys([*(a.attribute for a in self.attributes if a.verdict == "changed"), *segments]))

    @property
    def is_change(self) -> bool:
        """Whether the ICP changed, beyond chance and beyond a change in who came."""
        return bool(self.changed)
