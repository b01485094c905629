"""BuiltWith and Wappalyzer against the server that speaks their protocols: every fault, the budget, the order, the key."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from killing import killed_in_call, start_pull
from sites import COMPANIES, DAY, KEY, SOURCE, landed, looked_up, portal, project, sighting, with_accounts

from flows.doctor import check
from flows.ingest import ingest, raise_if_refused
from icp.config import load
from icp.errors import ConfigError, TryLater
from icp.fake_vendors.server import FAULTS, Script, serving
from icp.sources.failures import stale
from icp.sources.lookup_ledger import spent_by_month

KINDS = sorted(SOURCE)
FATAL = {"daily_limit", "schema_change", "missing_scope", "token_expiry"}
PASSING = sorted(set(FAULTS) - FATAL - {"shrinking_list"})
KNOWN = COMPANIES - COMPANIES // 10
CALLS = COMPANIES // 8
ONCE = [(KINDS[n % 2], fault) for n, fault in enumerate(PASSING)]
"""Each fault at one of the two vendors; the campaign `lookup_faults` has all of them at both, at every call."""


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SOURCE.values():
        monkeypatch.setenv(name, KEY)


def spent(settings) -> int:
    return sum(spent_by_month(settings.lake / "source_state/technographics").values())


def keys(settings) -> Counter[tuple[str, str]]:
    return Counter((row["website"], row["technology"]) for row in landed(settings))


def complete(settings) -> bool:
    """Every technology of every known company, each once."""
    found = keys(settings)
    return len(found) == found.total() == 2 * KNOWN


@pytest.mark.parametrize(("kind", "fault"), ONCE)
def test_no_fault_loses_or_doubles_a_row_or_a_credit(tmp_path, kind, fault) -> None:
    held = portal()
    with serving(held, Script(token=KEY, faults={1: fault, 4: fault}, slow_seconds=0.4)) as server:
        settings = with_accounts(project(tmp_path, kind, server.url, timeout=0.2))
        looked_up(settings)
    assert complete(settings)
    assert spent(settings) == held.technographics.charged


@pytest.mark.parametrize("kind", KINDS)
def test_a_domain_left_out_of_an_answer_is_asked_again_later(tmp_path, kind) -> None:
    held = portal()
    with serving(held, Script(token=KEY, faults={2: "shrinking_list"})) as server:
        settings = with_accounts(project(tmp_path, kind, server.url))
        looked_up(settings)
        assert len(keys(settings)) == 2 * KNOWN - 2
        assert looked_up(settings, DAY + timedelta(minutes=30)) == 0
        assert looked_up(settings, DAY + timedelta(hours=2)) == 2
    assert complete(settings)
    assert spent(settings) == held.technographics.charged == COMPANIES + 1


@pytest.mark.parametrize(
    ("kind", "fault", "error", "says"),
    [
        ("builtwith", "daily_limit", TryLater, "credits of this account are used up"),
        ("builtwith", "schema_change", TryLater, "another shape"),
        ("builtwith", "token_expiry", ConfigError, "refused the key"),
        ("wappalyzer", "daily_limit", TryLater, "credits of this account are used up"),
        ("wappalyzer", "schema_change", TryLater, "another shape"),
        ("wappalyzer", "missing_scope", ConfigError, "refused the key"),
    ],
)
def test_what_cannot_pass_stops_at_once_and_loses_no_answer(tmp_path, kind, fault, error, says) -> None:
    held = portal()
    with serving(held, Script(token=KEY, faults={3: fault})) as server:
        settings = with_accounts(project(tmp_path, kind, server.url))
        with pytest.raises(error, match=says):
            looked_up(settings)
        assert server.calls == 3
        assert 0 < len(keys(settings)) < 2 * KNOWN  # what was paid for before has landed
        server.token = KEY
        looked_up(settings, DAY + timedelta(days=1))
    assert complete(settings)
    twice = [domain for domain, times in Counter(held.technographics.asked).items() if times > 1]
    assert len(twice) == (8 if fault == "schema_change" else 0)  # an answer nobody can read has cost all the same
    assert spent(settings) == held.technographics.charged


def test_the_source_fails_alone_and_what_it_answered_before_lands(tmp_path) -> None:
    with serving(portal(), Script(token=KEY, faults={3: "daily_limit"})) as server:
        settings = project(
            tmp_path, "builtwith", server.url
        )  # named before the source that says which companies there are
        result = ingest(settings, source=None, extracted_at=DAY)
        assert [source.name for source in result.failed] == ["technographics"]
        assert len(result.accepted) == 2
        with pytest.raises(TryLater, match="credits of this account are used up"):
            raise_if_refused(result)
        assert 0 < len(keys(settings)) < 2 * KNOWN
        [line] = stale(settings)
        assert line.startswith("stale: technologies. The source technographics was last read whole on 2026-06-10")
        raise_if_refused(ingest(settings, source="technographics", extracted_at=DAY + timedelta(days=1)))
    assert stale(settings) == []
    assert complete(settings)


@pytest.mark.parametrize("kind", KINDS)
def test_the_months_budget_is_never_exceeded_and_spent_on_the_most_valuable(tmp_path, kind) -> None:
    held = portal()
    faults = {2: "cut", 4: "malformed"}  # charged, and lost on the way
    with serving(held, Script(token=KEY, faults=faults)) as server:
        settings = with_accounts(project(tmp_path, kind, server.url, budget=30))
        looked_up(settings)
        assert held.technographics.charged == spent(settings) == 30
        # newest deal first: d4 of account 34, then 33 ...
        assert held.technographics.asked[:5] == [f"company{n}.com" for n in (34, 33, 32, 31, 30)]
        before = server.calls
        assert looked_up(settings, DAY + timedelta(days=2)) == 0
        assert server.calls == before
        [said] = [found.what for found in check(settings) if found.what.startswith("technographics")]
        got = sum(domain in {row["website"] for row in landed(settings)} for domain in set(held.technographics.asked))
        assert "30 of 30 a month spent (2026-06)" in said
        waiting = int(re.search(r"(\d+) domains wait", said)[1])  # type: ignore[index]
        assert 10 <= waiting <= COMPANIES - got
        looked_up(settings, DAY + timedelta(days=25))  # July
    assert complete(settings)
    assert spent_by_month(settings.lake / "source_state/technographics")["2026-06"] == 30


def test_an_answer_is_good_until_it_is_due_again(tmp_path, kind="builtwith") -> None:
    held = portal()
    with serving(held, Script(token=KEY)) as server:
        settings = with_accounts(project(tmp_path, kind, server.url))
        looked_up(settings)
        held.now = later = DAY + timedelta(days=89)
        assert looked_up(settings, later) == 0
        held.now = later = DAY + timedelta(days=90)
        held.technographics.see(sighting("company1.com", "New thing", first=1, last=0, at=later))
        looked_up(settings, later)
        assert server.calls == 2 * CALLS
    assert ("company1.com", "New thing") in keys(settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_technology_on_two_hosts_is_one_from_first_to_last_sight(tmp_path, kind) -> None:
    for in_seconds in (False, True) if kind == "builtwith" else (False,):
        held = portal()
        held.technographics.in_seconds = in_seconds
        with serving(held, Script(token=KEY)) as server:
            settings = with_accounts(project(tmp_path / str(in_seconds), kind, server.url))
            looked_up(settings)
        [row] = [r for r in landed(settings) if (r["website"], r["technology"]) == ("company4.com", "Kubernetes")]
        first = DAY - timedelta(days=1200 if kind == "builtwith" else 40)  # Wappalyzer says only when it was last there
        assert row["first_detected_at"] == first.replace(tzinfo=None)
        assert row["last_detected_at"] == (DAY - timedelta(days=40)).replace(tzinfo=None)
        assert row["category"] == "Tools"


def test_wappalyzers_unfinished_sites_are_asked_again_and_given_up(tmp_path) -> None:
    held = portal()
    held.technographics.unfinished = {"company0.com": 2, "company1.com": 99}
    with serving(held, Script(token=KEY)) as server:
        settings = with_accounts(project(tmp_path, "wappalyzer", server.url))
        for day in range(7):
            looked_up(settings, DAY + timedelta(days=day))
    asked = Counter(held.technographics.asked)
    assert (asked["company0.com"], asked["company1.com"], asked["company2.com"]) == (3, 5, 1)
    assert len(keys(settings)) == 2 * KNOWN - 2


def test_wappalyzers_snapshots_give_first_and_last_sight(tmp_path) -> None:
    held = portal(companies=1)
    with serving(held, Script(token=KEY)) as server:
        settings = with_accounts(project(tmp_path, "wappalyzer", server.url))
        for days in (0, 90, 180):
            held.now = at = DAY + timedelta(days=days)
            held.technographics.see(sighting("company0.com", "dbt", first=5, last=1, at=at))
            looked_up(settings, at)
    seen = [row["first_detected_at"] for row in landed(settings) if row["technology"] == "dbt"]
    assert [(moment - DAY.replace(tzinfo=None)).days for moment in seen] == [-1, 89, 179]


def test_a_price_that_is_not_what_was_counted_on_stops_the_source(tmp_path, monkeypatch) -> None:
    from icp.sources.wappalyzer import Wappalyzer

    with serving(portal(), Script(token=KEY)) as server:
        settings = with_accounts(project(tmp_path, "wappalyzer", server.url))
        monkeypatch.setattr(Wappalyzer, "spent", lambda self: 16)
        with pytest.raises(ConfigError, match="Set it to 2 so that the budget holds"):
            looked_up(settings)
    assert spent(settings) == 16


def test_unknown_domains_are_answers_and_are_not_asked_again(tmp_path) -> None:
    for kind in KINDS:
        held = portal()
        held.technographics.refused = {"company2.com"}
        with serving(held, Script(token=KEY)) as server:
            settings = with_accounts(project(tmp_path / kind, kind, server.url))
            looked_up(settings)
            assert looked_up(settings, DAY + timedelta(days=5)) == 0
        assert len(keys(settings)) == 2 * KNOWN - 2
        assert Counter(held.technographics.asked)["company2.com"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_doctor_names_the_key_and_the_credits(tmp_path, monkeypatch, kind) -> None:
    with serving(portal(), Script(token=KEY)) as server:
        settings = with_accounts(project(tmp_path, kind, server.url))
        looked_up(settings)
        [said] = [found.what for found in check(settings) if found.what.startswith("technographics")]
        assert said.endswith("key accepted, 999,960 credits left at the vendor; 40 of 1,000 a month spent (2026-06)")
        monkeypatch.setenv(SOURCE[kind], "wrong-key-of-mine")
        [said] = [found.what for found in check(settings) if not found.ok]
        assert "refused the key" in said
        assert "wrong-key" not in said
        monkeypatch.delenv(SOURCE[kind])
        [said] = [found.what for found in check(settings) if not found.ok]
        assert f"{SOURCE[kind]} is not set" in said
    down = project(tmp_path / "down", kind, "http://127.0.0.1:9")
    monkeypatch.setenv(SOURCE[kind], KEY)
    [said] = [found.what for found in check(down) if not found.ok]
    assert "could not be read: the connection failed" in said


def test_nobody_to_look_up_is_for_later(tmp_path) -> None:
    settings = project(tmp_path, "builtwith", "http://127.0.0.1:9")
    with pytest.raises(TryLater, match="Land accounts first"):
        looked_up(settings)


def test_what_icp_yml_may_not_say(tmp_path) -> None:
    for old, new, says in (
        ("monthly_credits: 1000", "page_size: 3", "monthly_credits"),
        ("domains_per_call: 8", "domains_per_call: 17", "less than or equal to 16"),
        ("domains_per_call: 8", "refresh_days: 200", "less than or equal to 110"),
        ("http://127.0.0.1:9", "http://example.com", "must be https"),
    ):
        project(tmp_path, "builtwith", "http://127.0.0.1:9")
        file = tmp_path / "icp.yml"
        file.write_text(file.read_text().replace(old, new))
        with pytest.raises(ConfigError, match=says):
            load(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_and_nobodys_address_is_written_anywhere(tmp_path, caplog, kind) -> None:
    caplog.set_level("DEBUG")
    held = portal()
    held.technographics.see(sighting("company1.com", "Mail of jane.doe@company1.com", first=9, last=1))
    with serving(held, Script(token=KEY, faults={2: "500", 3: "html", 5: "token_expiry"})) as server:
        settings = project(tmp_path, kind, server.url)
        result = ingest(settings, source=None, extracted_at=DAY)
        with pytest.raises(ConfigError) as caught:
            raise_if_refused(result)
        server.token = KEY
        logging.getLogger("httpx").setLevel(logging.DEBUG)  # somebody looks for an error
        raise_if_refused(ingest(settings, source=None, extracted_at=DAY + timedelta(days=1)))
    assert ("company1.com", "Mail of company1.com") in keys(settings)
    assert all(call.get("NOPII") == "yes" for call in held.technographics.calls) or kind == "wappalyzer"
    told = str(caught.value) + caplog.text + str([record.__dict__ for record in caplog.records])
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        told += file.read_bytes().decode("latin-1")
    told += str(landed(settings))
    assert KEY not in told
    assert "jane.doe" not in told


def test_killed_pulls_lose_no_answer_and_never_the_count(tmp_path) -> None:
    held = portal()
    with serving(held, Script(token=KEY, slow_seconds=0.3)) as server:
        settings = with_accounts(project(tmp_path, "builtwith", server.url))
        start = partial(start_pull, tmp_path, "icp.sources.domain_lookup", "technographics", DAY)
        for calls in (2, 2):  # killed while that call is being answered
            killed_in_call(server, calls, start)
        answers = tmp_path / "lake/source_state/technographics/answers.jsonl"
        kept = answers.read_bytes()
        answers.write_bytes(kept + b'{"number": 99, "dom')  # killed in the middle of a line
        server.script.faults = {}
        looked_up(settings)
    assert complete(settings)
    assert max(Counter(held.technographics.asked).values()) == 2  # only those whose answer was on its way
    assert spent(settings) == held.technographics.charged == COMPANIES + 16
    lines = [json.loads(line) for line in Path(answers).read_text().splitlines()]
    assert len(lines) == COMPANIES
