"""What is told: one grouped message per run, made of events. Pure, versioned, the same for every channel."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

SCHEMA_VERSION = 1

Severity = Literal["info", "warning", "critical"]
Kind = Literal[
    "published", "held", "lapsed", "drift", "gate_failed", "run_failed", "quarter_late", "not_enough_evidence", "test"
]
# once: a fact, told once for ever. begins: a state that lasts until `ends`; the end is told only to who heard of it.
Phase = Literal["once", "begins", "ends"]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
WORDS: dict[Kind, str] = {
    "published": "published",
    "held": "waits for approval",
    "lapsed": "lapsed without an answer",
    "drift": "drift",
    "gate_failed": "gate failed",
    "run_failed": "run failed",
    "quarter_late": "quarter late",
    "not_enough_evidence": "not enough evidence",
    "test": "test",
}


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    `topic` is what it is about (a line of the monitor, one revision, the runs of one command): the state of a topic is
    told once. `occurrence` tells one beginning of a state from the next, so that `id` names this very event.
    `repeats` says that a state that goes on is told again after the cool-down; a drift never is.
    """

    kind: Kind
    phase: Phase
    severity: Severity
    topic: str
    occurrence: str
    sentence: str
    repeats: bool = False

    @property
    def id(self) -> str:
        """The same for the same event, whenever and wherever it is told."""
        return hashlib.sha256(f"{self.topic}\0{self.phase}\0{self.occurrence}".encode()).hexdigest()[:32]

    @property
    def word(self) -> str:
        """The kind in a word or two, for headings and bullets."""
        return f"{WORDS[self.kind]}: recovered" if self.phase == "ends" else WORDS[self.kind]


@dataclass(frozen=True)
class Fact:
    """One fact beside the events: a short label and its value."""

    label: str
    value: str


@dataclass(frozen=True)
class News:
    """What one run has to tell, before it is known who was told what. `path` is the report's, from the lake."""

    command: str
    icp: str
    events: tuple[Event, ...] = ()
    facts: tuple[Fact, ...] = ()
    path: str = ""
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Message:
    """What one channel is sent after one run.

    `accounts` is empty unless icp.yml says `include_account_names: true`. `link` is empty without `report_url`.
    """

    company: str
    command: str
    icp: str
    severity: Severity
    title: str
    events: tuple[Event, ...]
    facts: tuple[Fact, ...] = ()
    path: str = ""
    link: str = ""
    accounts: tuple[str, ...] = ()
    at: str = ""

    @property
    def key(self) -> str:
        """The idempotency key: equal events make an equal key, so that a receiver can drop a repetition."""
        return hashlib.sha256("\0".join(sorted(event.id for event in self.events)).encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """The published shape of a message (`schema_version` 1); what the generic webhook is sent."""
        events = [{"id": e.id, **{k: v for k, v in asdict(e).items() if k != "repeats"}} for e in self.events]
        body = {"schema_version": SCHEMA_VERSION, "key": self.key, **asdict(self), "events": events}
        return {**body, "accounts": list(self.accounts), "facts": [asdict(fact) for fact in self.facts]}


def _about(topic: str) -> str:
    """Where a topic stands among others: what drifts of one attribute stands together, whichever monitor saw it."""
    kind, *more = topic.split("/", 3)
    return f"{kind}/{more[0]}/{more[2].split(':', 1)[0]}" if kind == "drift" and len(more) == 3 else topic


def message(company: str, news: News, events: Sequence[Event], *, at: str, report_url: str | None) -> Message:
    """Group the events that are due into one message, the gravest first."""
    ordered = sorted(events, key=lambda e: (-SEVERITIES.index(e.severity), _about(e.topic), e.topic, e.phase))
    severity = ordered[0].severity
    return Message(
        company, news.command, news.icp, severity, _title(company, news, ordered), tuple(ordered),
        news.facts, news.path, _link(news.path, report_url), news.accounts, at,
    )  # fmt: skip


def _link(path: str, report_url: str | None) -> str:
    if report_url is None or not path.startswith("published/"):
        return ""
    return f"{report_url.rstrip('/')}/{path.removeprefix('published/')}"


def _title(company: str, news: News, events: Sequence[Event]) -> str:
    words = list(dict.fromkeys(event.word for event in events))
    name = f"{company} ICP {news.icp}" if news.icp else company
    return f"{name}: {', '.join(words)}"


def without_accounts(news: News) -> News:
    """The same news with no account named."""
    return replace(news, accounts=())


def drill(name: str) -> Event:
    """A harmless event to try a channel with."""
    sentence = f"This is a test of the channel {name}. No action is needed."
    return Event("test", "once", "info", f"test/{name}", name, sentence)
