"""Who was told what: decides which events are due for a channel. Pure; the lake keeps it between runs.

A channel is told differences between what is true and what it was told, never raw alerts: a run that was killed before it
told, or a delivery that failed, is made good by the next run, and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from icp.notify.message import SEVERITIES, Event, Severity

KEPT = 1000  # topics that are over; the oldest are forgotten first


@dataclass(frozen=True)
class Told:
    """The last thing a channel was told about a topic; `begun_at` is when it last heard that the state began."""

    phase: str
    occurrence: str
    at: datetime
    begun_at: datetime | None = None


@dataclass(frozen=True)
class Memory:
    """What one channel was told, and what it should have been told but could not be reached."""

    told: Mapping[str, Told] = field(default_factory=dict)
    pending: Mapping[str, Event] = field(default_factory=dict)


def due(
    memory: Memory, events: Iterable[Event], *, least: Severity, cool_down: timedelta, at: datetime
) -> tuple[Event, ...]:
    """The events a channel must be told now: new ones and those of earlier runs that did not reach it."""
    newest = {**memory.pending, **{event.topic: event for event in events}}
    return tuple(event for event in newest.values() if _is_due(memory, event, least, cool_down, at))


def _is_due(memory: Memory, event: Event, least: Severity, cool_down: timedelta, at: datetime) -> bool:
    told = memory.told.get(event.topic)
    if event.phase == "ends":
        return told is not None and told.phase == "begins"
    if SEVERITIES.index(event.severity) < SEVERITIES.index(least):
        return False
    if told is None:
        return True
    if event.phase == "once":
        return False
    rested = at - (told.begun_at or told.at) >= cool_down
    return rested if told.phase == "ends" else event.repeats and rested and told.occurrence != event.occurrence


def waiting(memory: Memory, events: Iterable[Event]) -> Memory:
    """What to remember before telling: the events that are due, until they have arrived."""
    return replace(memory, pending={event.topic: event for event in events})


def after(memory: Memory, events: Iterable[Event], at: datetime) -> Memory:
    """What to remember once the events have arrived."""
    told = dict(memory.told)
    for event in events:
        before = told.pop(event.topic, None)
        begun = at if event.phase == "begins" else (before.begun_at if before else None)
        told[event.topic] = Told(event.phase, event.occurrence, at, begun)
    over = sorted((topic for topic, last in told.items() if last.phase != "begins"), key=lambda topic: told[topic].at)
    for topic in over[: max(len(over) - KEPT, 0)]:
        del told[topic]
    return Memory(told, {})


def going_on(memories: Iterable[Memory], prefix: str) -> dict[str, str]:
    """Topics below a prefix that some channel believes to be going on, each with its occurrence."""
    found: dict[str, str] = {}
    for memory in memories:
        found |= {topic: last.occurrence for topic, last in memory.told.items() if last.phase == "begins"}
        found |= {topic: event.occurrence for topic, event in memory.pending.items() if event.phase == "begins"}
    return {topic: occurrence for topic, occurrence in found.items() if topic.startswith(prefix)}
