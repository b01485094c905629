"""What the index page of an ICP is made from: its published revisions as they stand, and the looks between quarters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from icp.drift_report import DriftReport
from icp.profile import Profile
from icp.track_record import TrackedQuarter

Standing = Literal[
    "in force", "was in force", "approved", "held", "replaced", "rejected", "rolled back", "lapsed", "undecided"
]


@dataclass(frozen=True)
class IndexedRevision:
    """One published revision and what became of it.

    Attributes:
        quarter: Its quarter.
        number: Its revision number.
        standing: What it is now; "was in force" for the approval of an earlier quarter, "approved" for one that another
            approval of its quarter replaced, "replaced" for a candidate in whose place a later revision is decided about.
        sentence: What it found changed, as published.
        moved: Accounts that changed tier, None where there was nothing to compare.
        compared: Accounts with a tier before and after.
        decided: Who decided last, when and why; empty while nobody has.
        files: The files of it to link to, of those that are there.
        profile: The ICP, None where the files cannot be read (made by an older version, or damaged).
    """

    quarter: str
    number: int
    standing: Standing
    sentence: str = ""
    moved: int | None = None
    compared: int | None = None
    decided: str = ""
    files: tuple[str, ...] = ()
    profile: Profile | None = None

    @property
    def path(self) -> str:
        """The folder, relative to the page."""
        return f"{self.quarter}/r{self.number}"


@dataclass(frozen=True)
class IndexData:
    """Everything on the page; `revisions` and `looks` oldest first, `unread` names files that could not be read,
    `beside` the other ICPs in force, each with a page that holds the two together."""

    company: str
    icp: str
    revisions: tuple[IndexedRevision, ...]
    looks: tuple[DriftReport, ...] = ()
    record: tuple[TrackedQuarter, ...] = ()
    unread: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
