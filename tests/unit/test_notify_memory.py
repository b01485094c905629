"""Nothing is told twice, nothing is lost, the end of a state is told once and only to who heard of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import http_sink

from icp.alerts_schema import AlertsSection
from icp.drift_report import DriftReport, Finding, Monitor, State, Watched
from icp.errors import ConfigError, GateFailed, IcpError, LockHeld, NotEnoughEvidence
from icp.notify.deliver import Teller
from icp.notify.memory import Memory, after, due, going_on, waiting
from icp.notify.message import Event, News, message
from icp.notify.news import Subject, of_failure, of_lateness, of_monitor, of_revision, with_success

START = datetime(2026, 10, 5, 7, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=2):
        yield


def report(state: State, *, week: int = 3, baseline: str = "2026Q2/r1", since: int = 2) -> DriftReport:
    sentence = {"drift": "Employees 1-10 win less often than before.", "ok": "Employees 1-10 are calm."}.get(
        state, state
    )
    finding = Finding("concept", "employees", "Employees", week, state, sentence)
    lines = (Watched(finding, state, since),)
    return DriftReport("main", baseline, baseline[:6], "2026-10-05", week, 40, 10, state, "", {}, lines, (), 0.2)


def look(memory: Memory, state: State, at: datetime, **more: object) -> tuple[Memory, list[str]]:
    """One weekly look that reaches the channel; answers what was told."""
    news = of_monitor(report(state, **more), "", going_on([memory], "drift/main/"))  # type: ignore[arg-type]
    events = due(memory, news.events, least="warning", cool_down=DAY, at=at)
    return after(waiting(memory, events), events, at), [event.phase for event in events]


def test_a_drift_is_told_once_and_its_end_once() -> None:
    memory, told = Memory(), []
    states: list[State] = ["ok", "drift", "drift", "not enough data", "drift", "ok", "ok", "watch", "drift"]
    for week, state in enumerate(states):
        memory, phases = look(memory, state, START + week * 7 * DAY)
        told += [f"{week} {phase}" for phase in phases]
    assert told == ["1 begins", "5 ends", "8 begins"]


def test_a_drift_that_comes_back_within_the_cool_down_waits_for_its_end() -> None:
    memory, _ = look(Memory(), "drift", START)
    memory, ended = look(memory, "ok", START + HOUR)
    memory, back = look(memory, "drift", START + 2 * HOUR)
    memory, rested = look(memory, "drift", START + DAY)
    assert (ended, back, rested) == (["ends"], [], ["begins"])


def test_a_second_fact_of_one_attribute_says_what_was_told_of_it_and_stands_beside_it() -> None:
    def line(monitor: Monitor, name: str, since: int, sentence: str) -> Watched:
        return Watched(Finding(monitor, name, name, 8, "drift", sentence), "drift", since)

    mix, wins = line("population", "industry", 4, "Mix moved."), line("concept", "industry:Care", 8, "Care wins.")
    lines = (mix, line("population", "country", 8, "Countries moved."), wins)
    news = of_monitor(replace(report("drift"), lines=lines), "", {})
    assert [event.sentence for event in news.events] == [
        "Mix moved.", "Countries moved.", "Care wins. Of the same attribute the mix has drifted since week 4.",
    ]  # fmt: skip
    told = message("Lumenworks", news, news.events, report_url=None, at="")
    assert [event.topic.split("/", 2)[2] for event in told.events] == [
        "population/country", "concept/industry:Care", "population/industry",
    ]  # fmt: skip


def test_a_new_icp_ends_the_drift_of_the_one_before() -> None:
    memory, _ = look(Memory(), "drift", START)
    _, phases = look(memory, "not enough data", START + 7 * DAY, baseline="2026Q3/r1", week=0)
    assert phases == ["ends"]


def test_a_drift_that_ended_untold_is_never_told() -> None:
    news = of_monitor(report("drift"), "", {})
    memory = waiting(Memory(), due(Memory(), news.events, least="info", cool_down=DAY, at=START))
    over = of_monitor(report("ok"), "", going_on([memory], "drift/main/"))
    assert due(memory, over.events, least="info", cool_down=DAY, at=START + DAY) == ()


def test_a_channel_hears_only_what_is_grave_enough_and_the_end_of_that() -> None:
    subject = Subject("refresh", "main", "2026Q3")
    news = of_revision(subject, revision="r1", decision="approved", verdict="Stable.", reason="", path="")
    assert due(Memory(), news.events, least="warning", cool_down=DAY, at=START) == ()
    failed = of_failure(subject, NotEnoughEvidence("Too few wins."), START)
    assert failed is not None
    assert due(Memory(), failed.events, least="critical", cool_down=DAY, at=START) == ()
    heard = due(Memory(), failed.events, least="warning", cool_down=DAY, at=START)
    done = with_success(subject, news, START)
    ends = due(after(Memory(), heard, START), done.events, least="warning", cool_down=DAY, at=START)
    assert [(e.kind, e.phase) for e in ends] == [("not_enough_evidence", "ends")]


def test_a_failure_that_goes_on_is_told_again_only_after_the_cool_down() -> None:
    subject, memory, told = Subject("refresh", "main", "2026Q3"), Memory(), []
    for hour in range(0, 60, 6):
        at = START + hour * HOUR
        news = of_failure(subject, GateFailed("gate features: refused"), at)
        assert news is not None
        events = due(memory, news.events, least="info", cool_down=DAY, at=at)
        memory = after(waiting(memory, events), events, at)
        told += [hour for _ in events]
    assert told == [0, 24, 48]


def test_a_failure_names_no_row_and_another_run_at_work_is_no_news() -> None:
    subject = Subject("ingest", "")
    news = of_failure(subject, GateFailed("1 load refused.\n  FAILED row 7: Acme Secret Ltd"), START)
    assert news is not None and "Acme" not in str(news)
    unexpected = of_failure(subject, KeyError("Acme Secret Ltd"), START)
    assert unexpected is not None and "Acme" not in str(unexpected) and "KeyError" in unexpected.events[0].sentence
    assert of_failure(subject, LockHeld("another run"), START) is None
    empty = of_failure(subject, IcpError(""), START)
    assert empty is not None and empty.events[0].sentence


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["ok", "drift", "watch"]), st.booleans(), st.integers(1, 200)), max_size=30))
def test_what_arrives_alternates_whatever_fails_on_the_way(looks: list[tuple[State, bool, int]]) -> None:
    memory, arrived, at = Memory(), [], START
    for state, reached, hours in looks:
        at += hours * HOUR
        news = of_monitor(report(state), "", going_on([memory], "drift/main/"))
        events = due(memory, news.events, least="info", cool_down=DAY, at=at)
        memory = waiting(memory, events)
        if reached:
            memory = after(memory, events, at)
            arrived += [event.phase for event in events]
    assert arrived == ["begins" if n % 2 == 0 else "ends" for n in range(len(arrived))]


def teller(lake: Path, *urls: str, **more: object) -> Teller:
    channels = {
        f"c{n}": {
            "kind": "webhook",
            "url": url,
            "secret": "${ENV:ICP_TEST_SECRET}",
            "allow_private": True,
            "attempts": 2,
        }
        for n, url in enumerate(urls)
    }
    return Teller("Lumenworks", AlertsSection.model_validate({"channels": channels, **more}), lake)


def news_of_run(run: int) -> News:
    events = (
        Event("drift", "begins", "warning", "drift/main/concept/employees", "2026Q2/r1#2", "Employees drift."),
        Event("published", "once", "info", f"published/main/2026Q2/r{run // 50}", "r", "Published."),
    )
    return News("monitor", "main", events, accounts=("Acme Secret Ltd",))


def test_a_storm_of_a_hundred_runs_tells_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICP_TEST_SECRET", "s")
    with http_sink(500, 500, 200, 500) as sink, ThreadPoolExecutor(4) as pool:
        own = teller(tmp_path, sink.url)
        list(pool.map(lambda run: own.tell(news_of_run(run), at=START + run * HOUR, sent_at=START), range(100)))
    accepted = [json.loads(request.body) for request in sink.requests[2:]]
    unique = {body["key"]: body for body in accepted}
    ids = [event["id"] for body in unique.values() for event in body["events"]]
    assert len(ids) == len(set(ids)) == 3
    assert all(body["accounts"] == [] for body in accepted)


def test_a_delivery_that_failed_is_made_good_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICP_TEST_SECRET", "s")
    with http_sink(500, 500) as down, http_sink() as up:
        own = teller(tmp_path, down.url, up.url)
        first = own.tell(news_of_run(1), at=START, sent_at=START)
        again = own.tell(News("ingest", ""), at=START + HOUR, sent_at=START)
        third = own.tell(News("ingest", ""), at=START + DAY, sent_at=START)
    assert [(d.channel, d.error) for d in first] == [("c0", "it answered 500"), ("c1", "")]
    assert [(d.channel, d.events, d.error) for d in again] == [("c0", 2, "")]
    assert third == ()
    assert len(up.requests) == 1
    assert "s3cr3t" not in (tmp_path / "alerts/state.json").read_text()


def test_one_broken_channel_does_not_silence_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICP_TEST_SECRET", "s")
    address = {"from": "icp@example.com", "to": ["a@example.com"]}
    broken = {"kind": "email", "host": f"{'x' * 70}.example.com", "security": "none", **address}
    with http_sink() as sink:
        whole = {"kind": "webhook", "url": sink.url, "secret": "${ENV:ICP_TEST_SECRET}", "allow_private": True}
        alerts = AlertsSection.model_validate({"channels": {"broken": broken, "whole": whole}})
        told = Teller("Lumenworks", alerts, tmp_path).tell(news_of_run(1), at=START, sent_at=START)
    assert [(d.channel, bool(d.error)) for d in told] == [("broken", True), ("whole", False)]
    assert len(sink.requests) == 1


def test_names_leave_only_when_asked(tmp_path: Path) -> None:
    shown = teller(tmp_path, "https://example.com", include_account_names=True).would_send(news_of_run(1), at=START)
    hidden = teller(tmp_path, "https://example.com").would_send(news_of_run(1), at=START)
    assert shown["c0"].accounts == ("Acme Secret Ltd",) and hidden["c0"].accounts == ()
    assert not (tmp_path / "alerts").exists()


def test_a_memory_that_cannot_be_read_says_what_deleting_it_means(tmp_path: Path) -> None:
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts/state.json").write_text('{"channels": {"c0": {"told": {"x": {}}}}}')
    with pytest.raises(ConfigError, match="Delete it to start afresh"):
        teller(tmp_path, "https://example.com").memories()


def test_a_late_quarter_is_told_and_its_publication_ends_it() -> None:
    late = of_lateness("main", "2026Q3", readable_since=START, day="2026-10-06")
    done = of_lateness("main", "2026Q3", readable_since=None, day="")
    memory = after(Memory(), due(Memory(), [late], least="info", cool_down=DAY, at=START), START)
    assert due(memory, [late], least="info", cool_down=DAY, at=START + 30 * DAY) == ()
    assert [e.phase for e in due(memory, [done], least="info", cool_down=DAY, at=START)] == ["ends"]
    assert "2026-10-06" in late.sentence
