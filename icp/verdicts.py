"""The vocabulary of a diff: what can be said about an attribute, a segment and a whole quarter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from icp.profile import Axis, Estimate, Family

Verdict = Literal["changed", "stable", "cannot tell"]
Outcome = Literal["first profile", "changed", "no change", "cannot tell"]
Direction = Literal["enters", "leaves"]
Cause = Literal["real change", "evidence gained", "evidence faded"]


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
class AttributeChange:
    """The verdict on one attribute.

    `detectable` is the odds multiplier a change needs to be seen four times in five; None where it was not tested.
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
class ProfileDiff:
    """The newest quarter against the window before it. `sentence` is the verdict in words."""

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

    @property
    def changed(self) -> tuple[str, ...]:
        """Names of the attributes whose effect changed, a segment that entered counting for its attribute."""
        segments = (s.attribute for s in self.entering if s.is_change)
        return tuple(dict.fromkeys([*(a.attribute for a in self.attributes if a.verdict == "changed"), *segments]))

    @property
    def is_change(self) -> bool:
        """Whether the ICP changed, beyond chance and beyond a change in who came."""
        return bool(self.changed)
