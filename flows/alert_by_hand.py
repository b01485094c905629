"""`icp alert`: what the channels would be told now, from what the lake holds, and test messages."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from flows.telling import Subject, drift_news, lateness, revision_news, teller
from icp.errors import ConfigError
from icp.notify import message
from icp.notify.deliver import Delivery, payload, send
from icp.notify.http import DeliveryFailed
from icp.notify.message import News

if TYPE_CHECKING:
    from icp.config import Settings


def would_be_sent(settings: Settings, channel: str | None, now: datetime, *, test: bool) -> list[dict[str, Any]]:
    """Per channel (and ICP) the JSON it would be sent; nothing is sent and nothing is remembered."""
    names = _channels(settings, channel)
    if test:
        return [_shown(settings, name, _test(settings, name, now)) for name in names]
    found = []
    for news in present(settings, now):
        planned = teller(settings).would_send(news, at=now)
        found += [_shown(settings, name, planned[name]) for name in names if name in planned]
    return found


def _shown(settings: Settings, name: str, what: message.Message) -> dict[str, Any]:
    return {
        "channel": name,
        "kind": settings.alerts.channels[name].kind,
        "body": payload(settings.alerts.channels[name], what),
    }


def test_messages(settings: Settings, channel: str | None, now: datetime) -> list[Delivery]:
    """Send a harmless message to each channel (or one), whatever its severity; nothing is remembered."""
    return [_try(settings, name, now) for name in _channels(settings, channel)]


def _try(settings: Settings, name: str, now: datetime) -> Delivery:
    try:
        send(settings.alerts.channels[name], _test(settings, name, now), now)
    except DeliveryFailed as error:
        return Delivery(name, 1, str(error))
    return Delivery(name, 1)


def _test(settings: Settings, name: str, now: datetime) -> message.Message:
    news = News("alert --test", "", (), (message.Fact("Channel", name),))
    url = settings.alerts.report_url
    return message.message(settings.company, news, [message.drill(name)], at=now.isoformat(), report_url=url)


def due_now(settings: Settings, channel: str | None, now: datetime) -> list[Delivery]:
    """Tell the channels what is due now, deliveries that failed before among it."""
    names = _channels(settings, channel)
    own = teller(settings)
    told: list[Delivery] = []
    for news in present(settings, now):
        told += own.tell(news, at=now, sent_at=now, only=names)
    return told


def present(settings: Settings, now: datetime) -> list[News]:
    """What goes on, one grouped piece of news per ICP: its newest revision, what drifts, whether a quarter is late."""
    late = lateness(settings, now)
    found = []
    for name in settings.icps:
        parts = [part for part in (_revision(settings, name), _drift(settings, name)) if part]
        events = [event for part in parts for event in part.events]
        events += [event for event in late if event.topic == f"quarter_late/{name}"]
        facts = tuple(fact for part in parts for fact in part.facts)
        path = next((part.path for part in parts if part.path), "")
        accounts = tuple(account for part in parts for account in part.accounts)
        found.append(News("alert", name, tuple(events), facts, path, accounts))
    return found


def _revision(settings: Settings, icp: str) -> News | None:
    from flows.publishing import published_verdict
    from icp.published import PublishedStore

    store = PublishedStore(settings.lake, icp)
    quarters = store.quarters()
    revision = store.latest(quarters[-1]) if quarters else None
    if revision is None:
        return None
    return revision_news(settings, Subject("refresh", icp, quarters[-1]), revision, published_verdict(revision))[0]


def _drift(settings: Settings, icp: str) -> News | None:
    """The newest report of the monitor; what it says of the ICP in force before the last one is no news."""
    from icp.drift_report import DriftReport
    from icp.serialize import from_json

    reports = sorted((settings.lake / "monitor" / icp).glob("????-??-??.json"))
    if not reports:
        return None
    report = from_json(DriftReport, reports[-1].read_text(encoding="utf-8"))
    return drift_news(settings, report, reports[-1].relative_to(settings.lake).as_posix())


def _channels(settings: Settings, channel: str | None) -> list[str]:
    known = settings.alerts.channels
    if not known:
        raise ConfigError("icp.yml has no channel: add one under `alerts: channels:` (docs/how-to/alerts.md).")
    if channel is not None and channel not in known:
        raise ConfigError(f"There is no channel {channel!r} in icp.yml; it has {', '.join(known)}.")
    return [channel] if channel else list(known)
