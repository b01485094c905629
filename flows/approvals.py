"""Decisions about candidates: the policy's guards, a person's answer, the deadline, the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from icp.errors import ConfigError

if TYPE_CHECKING:
    from flows.refresh_steps import Derived, Plan
    from icp.config import Settings
    from icp.published import Decision, PublishedStore

Answer = Literal["approved", "rejected"]
DEADLINE = "the deadline"


def apply_policy(plan: Plan, working: Path, derived: Derived) -> Derived:
    """The policy's answer, now that it is known who would change tier and what the gates found."""
    from icp.approval import guarded
    from icp.publication import read_migration
    from icp.report.migration import tier_moves

    section, moves = plan.config.approval, tier_moves(read_migration(working))
    warned = tuple(_warnings(working)) if section.hold_on_warnings else ()
    approval = guarded(
        derived.approval,
        derived.profile,
        moved=moves.moved,
        compared=moves.compared,
        most_moves=section.most_tier_moves,
        warnings=warned,
    )
    return replace(derived, approval=approval)


def _warnings(working: Path) -> Iterator[str]:
    for path in sorted((working / "gates").glob("*.json")):
        findings = json.loads(path.read_text(encoding="utf-8"))
        yield from (f"{path.stem}: {warning['rule']}" for warning in findings.get("warnings", ()))


@dataclass(frozen=True)
class Waiting:
    """A held candidate: which, since when and why, and until when it waits (None: for ever)."""

    icp: str
    quarter: str
    revision: int
    since: datetime
    reason: str
    until: datetime | None

    @property
    def name(self) -> str:
        return f"{self.quarter}/r{self.revision}"


def waiting(settings: Settings) -> list[Waiting]:
    """Every candidate of icp.yml's ICPs that waits for a person, oldest quarter first within each ICP."""
    from icp.approval import lapses_at
    from icp.published import PublishedStore

    found = []
    for icp, section in settings.icps.items():
        for held in PublishedStore(settings.lake, icp).waiting():
            since = datetime.fromisoformat(held.at)
            until = lapses_at(since, section.approval.deadline_days)
            found.append(Waiting(icp, held.quarter, held.revision, since, held.reason, until))
    return found


def let_lapse(settings: Settings, now: datetime) -> list[Waiting]:
    """Record of every candidate nobody answered in time that it has lapsed; the ICP in force stays. Safe to repeat.

    Every run of any kind does this first. Where another run holds the lake nothing is recorded: the next run does it.
    """
    from icp.errors import LockHeld
    from icp.lake import Lake

    if not any(_is_over(candidate, now) for candidate in waiting(settings)):
        return []
    try:
        with Lake(settings.lake).lock():
            over = [candidate for candidate in waiting(settings) if _is_over(candidate, now)]
            for candidate in over:
                _record_lapse(settings, candidate, now)
    except LockHeld:
        return []
    return over


def _record_lapse(settings: Settings, candidate: Waiting, now: datetime) -> None:
    from flows.index_page import write_index
    from flows.telling import tell
    from icp.notify.news import of_lapse
    from icp.published import PublishedStore

    days = settings.icp(candidate.icp).approval.deadline_days
    reason = f"nobody answered within {days} days (approval.deadline_days); the ICP in force stays"
    store = PublishedStore(settings.lake, candidate.icp)
    store.record_decision(candidate.quarter, candidate.revision, "lapsed", by=DEADLINE, reason=reason, at=now)
    write_index(settings, candidate.icp)
    tell(settings, of_lapse(candidate.icp, candidate.name, reason), at=now)


def _is_over(candidate: Waiting, now: datetime) -> bool:
    return candidate.until is not None and candidate.until <= now


def answer_form(
    settings: Settings, icp: str, name: str, decision: Answer, *, by: str, reason: str, now: datetime
) -> tuple[bool, str]:
    """Record what a form said, unless the candidate no longer waits; whether it counted, and what is in force now.

    A form that is answered after somebody decided at a terminal, after the deadline, or after a later revision of the
    quarter was held or decided about, changes nothing: the answer says who decided what and when.
    """
    from flows.index_page import write_index
    from flows.reading import decide_by_hand
    from icp.lake import Lake
    from icp.published import PublishedStore

    let_lapse(settings, now)
    store = PublishedStore(settings.lake, icp)
    quarter, revision = _parsed(name)
    with Lake(settings.lake).lock():
        standing = settled_by(store, quarter, revision)
        if standing is not None:
            return False, f"This answer came too late and changes nothing: {in_words(standing)} {in_force(store)}"
        told = decide_by_hand(store, name, decision, by=by, reason=reason, at=now)
        write_index(settings, icp)
    return True, told


def settled_by(store: PublishedStore, quarter: str, revision: int) -> Decision | None:
    """Why a candidate waits no longer: what was decided of it, or of a later revision that took its place; None: it waits."""
    later, own = store.replaced_by(quarter, revision), store.decision_on(quarter, revision)
    return later or (own if own and own.decision != "held" else None)


def roll_back(store: PublishedStore, to: str | None, *, by: str, reason: str, at: datetime) -> str:
    """Put the ICP that was in force before back, or the one of the quarter `to`; what it replaces is kept, withdrawn.

    Raises:
        ConfigError: nothing is in force, nothing was in force before it, or `to` never was.
    """
    if not reason.strip():
        raise ConfigError("--reason is empty: whoever reads the log in a year needs to know why.")
    current = store.current()
    if current is None:
        raise ConfigError(f"No ICP {store.icp} is in force, so there is nothing to roll back.")
    target = _approved(store, to) if to else None
    withdrawn: list[tuple[str, int]] = []
    while current and (target is None or (current["quarter"], current["revision"]) != target):
        withdrawn.append((current["quarter"], current["revision"]))
        store.record_decision(*withdrawn[-1], "rolled_back", by=by, reason=reason, at=at)
        current = store.current()
        if target is None:
            break
    if not withdrawn:
        raise ConfigError(f"{to} is in force already.")
    names = ", ".join(f"{quarter}/r{revision}" for quarter, revision in withdrawn)
    return f"{names} rolled back by {by}. {in_force(store)}"


def _approved(store: PublishedStore, to: str) -> tuple[str, int]:
    """The approval that a quarter, or a revision, names."""
    quarter, _, number = to.partition("/r")
    standing = store.standing_in(quarter)
    if standing is None or (number and number != str(standing.revision)):
        known = (store.standing_in(name) for name in store.quarters())
        approved = ", ".join(f"{d.quarter}/r{d.revision}" for d in known if d) or "none"
        raise ConfigError(
            f"{to} is not approved, so it cannot be rolled back to; approved are {approved}. "
            f"To put another revision in force: icp approve {to} --reason ..."
        )
    return standing.quarter, standing.revision


def in_force(store: PublishedStore) -> str:
    """What is in force now, as a sentence."""
    current = store.current()
    return f"{current['quarter']}/r{current['revision']} is the ICP in force." if current else "No ICP is in force."


def in_words(decision: Decision) -> str:
    """A decision as a sentence: what, by whom, when, why."""
    name = f"{decision.quarter}/r{decision.revision}"
    return f"{name} {decision.decision.replace('_', ' ')} {decision.at[:16]} by {decision.by}: {decision.reason}."


def _parsed(name: str) -> tuple[str, int]:
    quarter, _, number = name.partition("/r")
    if not number.isdigit():
        raise ConfigError(f"{name!r} names no revision. Write it as 2026Q3/r1.")
    return quarter, int(number)
