"""Sends news to every channel that is due to hear it and remembers who heard what; a failure is an answer, not an error."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from icp import atomic
from icp.alerts_schema import SECRET, AlertsSection, ChannelSection
from icp.errors import ConfigError
from icp.notify import mail, message, slack, teams, webhook
from icp.notify.http import DeliveryFailed, Target, post
from icp.notify.memory import Memory, Told, after, due, waiting
from icp.notify.message import Event, Message, News

LOCK_SECONDS = 120.0


@dataclass(frozen=True)
class Delivery:
    """What became of telling one channel: `error` is empty when the message arrived."""

    channel: str
    events: int
    error: str = ""


@dataclass(frozen=True)
class Teller:
    """The channels of a project and the place where it is remembered who was told what."""

    company: str
    alerts: AlertsSection
    lake: Path

    @property
    def folder(self) -> Path:
        return self.lake / "alerts"

    def tell(
        self, news: News, *, at: datetime, sent_at: datetime, only: Sequence[str] | None = None
    ) -> tuple[Delivery, ...]:
        """Send what is due to each channel (or `only` some). `at` is the moment the news are of, `sent_at` the clock's.

        What is due is written down before it is sent and crossed out when it has arrived: a killed run or an unreachable
        channel is made good by the next run. Channels that answer slowly delay each other, never the lake: its lock is free.
        """
        if not self.alerts.channels:
            return ()
        with self._locked():
            memories = self.memories()
            names = self.alerts.channels if only is None else only
            planned = {name: self._due(name, memories[name], news, at) for name in names}
            for name, events in planned.items():
                memories[name] = waiting(memories[name], events)
            self._keep(memories)
            return tuple(
                self._tell_one(memories, name, news, at, sent_at) for name, events in planned.items() if events
            )

    def would_send(self, news: News, *, at: datetime) -> dict[str, Message]:
        """The message each channel is due, by channel; nothing is sent or remembered."""
        memories = self.memories()
        planned = {name: self._due(name, memories[name], news, at) for name in self.alerts.channels}
        return {name: self._message(news, events, at) for name, events in planned.items() if events}

    def memories(self) -> dict[str, Memory]:
        """What each channel of icp.yml was told so far.

        Raises:
            ConfigError: the file cannot be read; it says what deleting it means.
        """
        path = self.folder / "state.json"
        kept: Mapping[str, Any] = {}
        try:
            kept = atomic.read_json(path)["channels"] if path.exists() else {}
            return {name: _memory(kept.get(name, {})) for name in self.alerts.channels}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"{path} cannot be read ({type(error).__name__})."
            raise ConfigError(
                f"{problem} Delete it to start afresh; what goes on now is then told once more."
            ) from None

    def _due(self, name: str, memory: Memory, news: News, at: datetime) -> tuple[Event, ...]:
        rest = timedelta(hours=self.alerts.cool_down_hours)
        return due(memory, news.events, least=self.alerts.channels[name].severity, cool_down=rest, at=at)

    def _tell_one(
        self, memories: dict[str, Memory], name: str, news: News, at: datetime, sent_at: datetime
    ) -> Delivery:
        events = tuple(memories[name].pending.values())
        try:
            send(self.alerts.channels[name], self._message(news, events, at), sent_at)
        except DeliveryFailed as error:
            return Delivery(name, len(events), str(error))
        except Exception as error:  # noqa: BLE001  one channel must not silence the others; its text may hold a secret
            return Delivery(name, len(events), f"unexpected {type(error).__name__}")
        memories[name] = after(memories[name], events, at)
        self._keep(memories)
        return Delivery(name, len(events))

    def _message(self, news: News, events: Sequence[Event], at: datetime) -> Message:
        allowed = news if self.alerts.include_account_names else message.without_accounts(news)
        return message.message(self.company, allowed, events, at=at.isoformat(), report_url=self.alerts.report_url)

    def _keep(self, memories: Mapping[str, Memory]) -> None:
        channels = {name: _plain(memory) for name, memory in memories.items()}
        atomic.write_json(self.folder / "state.json", {"schema_version": 1, "channels": channels})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock", timeout=LOCK_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            raise DeliveryFailed("another run has been sending alerts for two minutes") from None
        try:
            yield
        finally:
            lock.release()


def send(channel: ChannelSection, what: Message, sent_at: datetime, environ: Mapping[str, str] | None = None) -> None:
    """Send one message by one channel.

    Raises:
        DeliveryFailed: it did not arrive; says why, without any secret.
    """
    known = os.environ if environ is None else environ
    if channel.kind == "email":
        server = mail.Server(
            channel.host or "", channel.from_ or "", channel.to, channel.security or "starttls", channel.port,
            channel.username, _secret(channel.password, known) if channel.password else None, channel.timeout_seconds,
        )  # fmt: skip
        mail.send(server, mail.letter(what, server.sender, server.recipients, sent_at))
        return
    target = Target(_secret(channel.url, known), channel.allow_private, channel.timeout_seconds, channel.attempts)
    if channel.kind == "webhook":
        content = webhook.body(what)
        post(target, content, webhook.headers(what, content, _secret(channel.secret, known), sent_at))
        return
    post(target, json.dumps(payload(channel, what)).encode(), {"Content-Type": "application/json"})


def payload(channel: ChannelSection, what: Message) -> dict[str, Any]:
    """What a channel would be sent, as JSON: Block Kit, an Adaptive Card, the webhook's body, or the e-mail's parts."""
    makers: dict[str, Callable[[Message], dict[str, Any]]] = {"slack": slack.payload, "teams": teams.payload}
    if channel.kind == "email":
        return {"to": list(channel.to), "subject": f"[{what.severity}] {what.title}", "text": mail.as_text(what)}
    return makers.get(channel.kind, Message.to_dict)(what)


def _secret(value: str | None, environ: Mapping[str, str]) -> str:
    """A value that is written out, or that of the variable it names."""
    named = SECRET.fullmatch(value or "")
    if named is None:
        return value or ""
    if not environ.get(named[1]):
        raise DeliveryFailed(f"{named[1]} is not set in the environment of this run")
    return environ[named[1]].strip()


def _plain(memory: Memory) -> dict[str, Any]:
    told = {
        topic: {**asdict(last), "at": last.at.isoformat(), "begun_at": _iso(last.begun_at)}
        for topic, last in memory.told.items()
    }
    return {"told": told, "pending": {topic: asdict(event) for topic, event in memory.pending.items()}}


def _memory(kept: Mapping[str, Any]) -> Memory:
    told = {topic: _told(last) for topic, last in kept.get("told", {}).items()}
    return Memory(told, {topic: Event(**event) for topic, event in kept.get("pending", {}).items()})


def _told(last: Mapping[str, Any]) -> Told:
    begun = datetime.fromisoformat(last["begun_at"]) if last["begun_at"] else None
    return Told(last["phase"], last["occurrence"], datetime.fromisoformat(last["at"]), begun)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
