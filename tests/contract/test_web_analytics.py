"""GA4 and PostHog against the server that speaks their protocols: every fault, every cursor, nothing lost, nothing twice."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from http.server import BaseHTTPRequestHandler

import pandas as pd
import pytest
from web_logs import DAY, FIRST, KEY, NOW, google_key, landed, portal, project, row, served, standing

from flows.doctor import check
from flows.ingest import ingest, raise_if_refused
from icp.errors import ConfigError, TryLater
from icp.fake_vendors.ga4 import service_account
from icp.fake_vendors.loopback import LoopbackServer, answering
from icp.fake_vendors.posthog import PostHog
from icp.fake_vendors.server import FAULTS, Script, serving
from icp.fake_vendors.visits import COLUMNS
from icp.lake import Lake
from icp.sources.kinds import module_of

KINDS = ("ga4", "posthog")
FATAL = {"daily_limit", "schema_change", "missing_scope"}
PASSING = sorted(set(FAULTS) - FATAL)
ONCE = [(KINDS[n % 2] if fault != "token_expiry" else "ga4", fault) for n, fault in enumerate(PASSING)]
"""Each fault at one of the two vendors; the campaign `web_analytics` has all of them at both, at several calls."""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOG_PERSONAL_API_KEY", KEY)


@pytest.fixture
def connect(tmp_path, monkeypatch):
    """A project of the kind that pulls from the server."""

    def connected(server, kind, folder="p", **more):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", google_key(tmp_path, server.url))
        return project(tmp_path / folder, server.url, kind, **more)

    return connected


def script(kind: str, **more) -> Script:
    return Script(token=KEY, **more)


def accepted(settings, at=NOW) -> int:
    """The pull alone: the gate has tests of its own."""
    lake = Lake(settings.lake)
    with lake.lock():
        loads = list(module_of(settings.source("web").kind).pull(settings, "web", lake, extracted_at=at))
        return sum(lake.accept(staged, {}).tables["web_activity"].rows for staged in loads)


@pytest.mark.parametrize(("kind", "fault"), ONCE)
def test_no_fault_loses_or_doubles_a_row(connect, kind, fault, call=4) -> None:
    held = portal()
    with serving(held, script(kind, faults={call: fault}, slow_seconds=0.6)) as server:
        settings = connect(server, kind, timeout=0.4 if fault == "slow" else 10)
        accepted(settings)
        assert server.calls > call
        assert (server.renewals > 0) == (fault == "token_expiry")
    if fault == "shrinking_list":  # rows read before the vendor changed its mind are mended by the next pull
        with serving(held, script(kind)) as server:
            accepted(connect(server, kind), NOW + timedelta(minutes=5))
    assert standing(settings) == served(held.visits)
    rows = landed(settings)
    assert len({(r["_load_id"], r["website"], r["activity_date"]) for r in rows}) == len(rows)
    assert Lake(settings.lake).accepted_loads()[0].cursors == {"web_activity": "2026-05-31"}


def test_a_row_that_vanishes_after_it_was_read_hides_no_other(connect, kind="ga4") -> None:
    held = portal()
    with serving(held, script(kind, faults={6: "shrinking_list"})) as server:  # the last page of the visits
        settings = connect(server, kind)
        accepted(settings)
        before = standing(settings)
        accepted(settings, NOW + timedelta(minutes=5))
    assert set(before) >= set(served(held.visits))
    assert standing(settings) == served(held.visits)


@pytest.mark.parametrize("most", [1, 7])
def test_a_server_that_sends_fewer_rows_than_asked_for_is_read_to_the_end(connect, most) -> None:
    held = portal()
    with serving(held, script("posthog")) as server:
        next(each for each in server.protocols if isinstance(each, PostHog)).most_rows = most
        settings = connect(server, "posthog")
        accepted(settings)
    assert standing(settings) == served(held.visits)


@pytest.mark.parametrize("page_size", [20, 100])  # the page repeated has rows, or is the empty one behind the last
def test_a_page_of_other_days_is_asked_for_again(connect, page_size) -> None:
    held = portal()
    lines = "page_size: {}\n      days_per_query: {}"
    with serving(held, script("posthog", faults={4: "duplicate_page"})) as server:  # the first of the second stretch
        settings = connect(server, "posthog", swap=(lines.format(20, 20), lines.format(page_size, 7)))
        accepted(settings)
    assert standing(settings) == served(held.visits)


@pytest.mark.parametrize("kind", KINDS)
def test_days_are_read_again_and_replaced_never_added_up(connect, kind) -> None:
    held = portal()
    with serving(held, script(kind)) as server:
        settings = connect(server, kind)
        result = ingest(settings, source=None, extracted_at=NOW)
        raise_if_refused(result)
        [note] = result.notes
        assert "name no company: 80 (not set), 60 (no company domain)" in note
        assert accepted(settings, NOW + timedelta(hours=1)) == 0
        held.now = later = NOW + timedelta(days=2)
        late = [
            row(NOW.date() - DAY * 3, "company2.com", 9),  # events that arrived late
            row(NOW.date() - DAY * 2, "late.com", 1),
            row(NOW.date() - DAY * 2, "(not set)", 0),  # found out whose they were
            row(NOW.date(), "today.com", 1),
        ]
        held.visits.put(pd.DataFrame(late)[COLUMNS], later)
        assert accepted(settings, later) == 4
        assert accepted(settings, later + timedelta(hours=1)) == 0
    assert standing(settings) == served(held.visits, later)
    gone = [r for r in landed(settings) if r["website"] == "(not set)" and r["activity_date"] == NOW.date() - DAY * 2]
    assert [r["visits"] for r in gone] == [4.0, 0.0]
    assert Lake(settings.lake).accepted_loads()[-1].cursors == {"web_activity": "2026-06-02"}


@pytest.mark.parametrize(
    ("kind", "fault", "error", "says"),
    [
        ("ga4", "daily_limit", TryLater, "limit of calls is used up"),
        ("posthog", "daily_limit", TryLater, "limit of calls is used up"),
        ("ga4", "schema_change", TryLater, "metricHeaders lack sessions"),
        ("posthog", "schema_change", TryLater, "it lacks day"),
        ("ga4", "missing_scope", ConfigError, "viewer of the property"),
        ("posthog", "missing_scope", ConfigError, "query:read"),
        ("posthog", "token_expiry", ConfigError, "Make a new personal API key"),
    ],
)
def test_what_cannot_pass_stops_at_once_and_keeps_nothing(connect, kind, fault, error, says) -> None:
    with serving(portal(), script(kind, faults={2: fault})) as server:
        settings = connect(server, kind)
        with pytest.raises(error, match=says):
            accepted(settings)
        assert server.calls <= 3
    assert landed(settings) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_vendor_that_answers_html_is_for_later(connect, kind) -> None:
    with serving(portal(), script(kind, faults=dict.fromkeys(range(1, 9), "html"))) as server:
        with pytest.raises(TryLater, match=r"answered HTML \(3 attempts\)"):
            raise_if_refused(ingest(connect(server, kind), source="web", extracted_at=NOW))


class _Oddly(BaseHTTPRequestHandler):
    """PostHog, were its rows of another shape: `rows` answers the first query rightly and the others with these."""

    rows: object = ()

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]["query"]
        columns = re.findall(r"AS (one|said_\d|events)", query)
        is_first = columns == ["one"]
        body = json.dumps({"columns": columns, "results": [[1]] if is_first else self.rows}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("rows", [[], [None], [[1, 2], [3, 4]], [7]])
def test_an_answer_of_another_shape_is_said_by_doctor(connect, rows) -> None:
    with answering(LoopbackServer(type("Oddly", (_Oddly,), {"rows": rows}))) as server:
        found = [finding.what for finding in check(connect(server, "posthog")) if not finding.ok]
    assert len(found) == 1 and "PostHog answered" in found[0]


def test_a_vendor_that_is_down_is_for_later(connect, monkeypatch) -> None:
    with serving(portal()) as server:
        settings = {kind: connect(server, kind, folder=kind) for kind in KINDS}
    for each in settings.values():
        result = ingest(each, source=None, extracted_at=NOW)
        assert len(result.accepted) == 1  # the CRM landed
        with pytest.raises(TryLater):
            raise_if_refused(result)


UNKNOWN = {
    "ga4": ("customEvent:company_domain", "customEvent:nope", "no dimension or metric customEvent:nope"),
    "posthog": ("properties.$groups.company", "nope.domain", "Unable to resolve field: nope"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_dimension_is_named(connect, kind) -> None:
    known, unknown, says = UNKNOWN[kind]
    with serving(portal(), script(kind)) as server:
        settings = connect(server, kind, swap=(f"company: {known}", f"company: {unknown}"))
        [found] = [finding.what for finding in check(settings) if not finding.ok]
        result = ingest(settings, source="web", extracted_at=NOW)
    assert says in found
    with pytest.raises(ConfigError, match="nope"):
        raise_if_refused(result)


def test_a_property_no_event_has_is_said(connect) -> None:
    with serving(portal(), script("posthog")) as server:
        settings = connect(server, "posthog", swap=("company: properties.$groups.company", "company: properties.nope"))
        [found] = [finding.what for finding in check(settings) if not finding.ok]
        [note] = ingest(settings, source="web", extracted_at=NOW).notes
    assert "no event of the last 30 days holds properties.nope" in found
    assert "name no company: " in note and "of 2" in note


@pytest.mark.parametrize("kind", KINDS)
def test_doctor_says_what_is_missing(connect, kind, monkeypatch) -> None:
    with serving(portal(), script(kind)) as server:
        settings = connect(server, kind)
        assert all(finding.ok for finding in check(settings))
        name = {"ga4": "GOOGLE_APPLICATION_CREDENTIALS", "posthog": "POSTHOG_PERSONAL_API_KEY"}[kind]
        monkeypatch.delenv(name)
        found = [finding.what for finding in check(settings) if not finding.ok]
    assert [f"{name} is not set" in what for what in found] == [True]


def test_a_wrong_clock_of_ours_changes_nothing(connect) -> None:
    """The login is dated by Google, the window ends at the vendor's yesterday, in the property's time zone."""
    held = portal()
    held.visits.zone = "Asia/Tokyo"
    held.now = NOW.replace(hour=20)  # already 2 June in Tokyo
    held.visits.put(pd.DataFrame([row(NOW.date(), "tokyo.com")])[COLUMNS], NOW)
    with serving(held, script("ga4")) as server:
        settings = connect(server, "ga4")
        accepted(settings, NOW - timedelta(days=40))
    assert standing(settings) == served(held.visits, held.now, until=NOW.date())
    assert ("tokyo.com", NOW.date()) in standing(settings)


def test_an_empty_property_lands_nothing(connect) -> None:
    held = portal()
    held.visits.deliveries.clear()
    for kind in KINDS:
        with serving(held, script(kind)) as server:
            assert accepted(connect(server, kind, folder=kind)) == 0


def test_a_key_that_is_none_is_refused_without_repeating_it(connect, tmp_path, monkeypatch) -> None:
    with serving(portal(), script("ga4")) as server:
        settings = connect(server, "ga4")
        for content, says in (("{", "no JSON"), ('{"private_key": "SECRET"}', "lacks client_email, token_uri")):
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", content)
            with pytest.raises(ConfigError, match=says) as told:
                raise_if_refused(ingest(settings, source="web", extracted_at=NOW))
            assert "SECRET" not in str(told.value)


def test_another_way_to_name_companies_replaces_what_the_old_one_made(connect) -> None:
    held = portal()
    with serving(held, script("ga4")) as server:
        accepted(connect(server, "ga4"))
        settings = connect(server, "ga4", swap=("pages:", "own_domains: [company1.com]\n      pages:"))
        accepted(settings, NOW + timedelta(hours=1))
    assert len([load for load in Lake(settings.lake).accepted_loads() if load.source == "web"]) == 1
    assert {site for site, _ in standing(settings)} >= {"(own site)", "company2.com"}
    assert "company1.com" not in {site for site, _ in standing(settings)}
    assert sum(v[0] for v in standing(settings).values()) == sum(v[0] for v in served(held.visits).values())


def test_no_more_days_are_read_again_than_asked_for(connect) -> None:
    held = portal()
    with serving(held, script("ga4")) as server:
        settings = connect(server, "ga4")
        accepted(settings)
        held.now = later = NOW + timedelta(days=1)
        held.visits.put(pd.DataFrame([row(FIRST, "ancient.com"), row(NOW.date(), "new.com")])[COLUMNS], later)
        assert accepted(settings, later) == 1
    assert ("ancient.com", FIRST) not in standing(settings)


@pytest.mark.parametrize("kind", KINDS)
def test_no_person_and_no_key_is_written_anywhere(connect, kind, tmp_path, caplog) -> None:
    caplog.set_level("DEBUG")
    held = portal()
    person, address, query = (
        "jane.doe@company1.com",
        "203.0.113.77",
        "https://www.company2.com/pricing?mail=jane.doe%40x.com",
    )
    rows = [row(NOW.date() - DAY, said) for said in (person, address, query)]
    held.visits.put(pd.DataFrame(rows)[COLUMNS], NOW - timedelta(days=300))
    with serving(held, script(kind)) as server:
        settings = connect(server, kind)
        raise_if_refused(ingest(settings, source=None, extracted_at=NOW))
        server.script.faults = {server.calls + 1: "missing_scope"}
        assert ingest(settings, source="web", extracted_at=NOW + timedelta(hours=1)).failed
        tokens = {KEY, server.token, service_account(server.url)["private_key"].splitlines()[1]}
    yesterday = {r["website"]: r["visits"] for r in landed(settings) if r["activity_date"] == NOW.date() - DAY}
    assert yesterday["company1.com"] >= 2
    assert yesterday["company2.com"] >= 2
    assert yesterday["(no company domain)"] == 3 + 2
    told = caplog.text + "".join(p.read_bytes().decode("latin-1") for p in settings.lake.rglob("*") if p.is_file())
    for secret in ("jane", address, "mail=", *tokens):
        assert secret not in told


def test_days_are_read_again_for_three_days_at_least(tmp_path) -> None:
    for old, new, says in (
        ("since:", "lookback_days: 2\n      since:", "lookback_days"),
        ("kind: ga4", "kind: ga4\n    tables: {web_activity: {columns: {}}}", "by itself: remove `tables`"),
        ("company: customEvent:company_domain", "own_domains: []", "company"),
    ):
        with pytest.raises(ConfigError, match=says):
            project(tmp_path, "http://127.0.0.1:9", "ga4", swap=(old, new))
