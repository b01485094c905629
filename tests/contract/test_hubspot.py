"""The HubSpot source against the server that speaks its protocol: every fault, every version, every cursor."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from killing import killed_in_call, start_pull
from portals import COMPANIES, DAY, DEALS, PERSON, TOKEN, company, deal, landed, portal, project

from flows.doctor import check
from flows.ingest import IngestResult, ingest, raise_if_refused
from icp.errors import ConfigError, TryLater
from icp.fake_vendors.server import FAULTS, Script, serving
from icp.lake import Lake
from icp.sources import hubspot

FATAL = {"daily_limit", "schema_change", "missing_scope"}
PASSING = sorted(set(FAULTS) - FATAL)
LIVE = COMPANIES + 2  # and the two records that were merged away


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)


def pulled(settings, at=DAY) -> IngestResult:
    return ingest(settings, source=None, extracted_at=at)


def accepted(settings, at=DAY) -> None:
    """The pull alone: the gate has tests of its own."""
    lake = Lake(settings.lake)
    with lake.lock():
        for staged in hubspot.pull(settings, "crm", lake, extracted_at=at):
            lake.accept(staged, {})


def ids(settings, table: str, key: str) -> Counter[str]:
    return Counter(row[key] for row in landed(settings, table))


# the campaign `vendor_faults` spoils every call of a pull by every fault, this each fault once
@pytest.mark.parametrize(("fault", "call"), [(fault, (2, 5, 1)[n % 3]) for n, fault in enumerate(PASSING)])
def test_no_fault_loses_or_doubles_a_row(tmp_path, monkeypatch, fault, call) -> None:
    held = portal()
    script = Script(token=TOKEN, faults={call: fault}, slow_seconds=0.6)
    extra = ""
    if fault == "token_expiry":
        names = ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")
        for name in names:
            monkeypatch.setenv(name, "x")
        extra = "      oauth: {client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET, refresh_token_env: REFRESH_TOKEN}"
    with serving(held, script) as server:
        settings = project(tmp_path, server.url, extra=extra, timeout=0.3)
        accepted(settings)
        assert server.calls > call
        assert (fault == "token_expiry") == (server.renewals > 1)
    accounts, deals = ids(settings, "accounts", "account_id"), ids(settings, "opportunities", "opportunity_id")
    assert len(accounts) == accounts.total() == LIVE
    assert len(deals) == deals.total() == DEALS
    [load] = Lake(settings.lake).accepted_loads()
    assert load.cursors == {"accounts": "2026-06-01T12:00:00Z", "opportunities": "2026-06-01T12:00:00Z"}


@pytest.mark.parametrize("version", ["2026-03", "2026-09", "v3"])
def test_every_api_version_lands_the_same(tmp_path, version) -> None:
    with serving(portal(), Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url, api_version=version)
        raise_if_refused(pulled(settings))
    rows = {row["account_id"]: row for row in landed(settings, "accounts")}
    assert rows["1004"]["employees"] == 1004.0
    assert rows["1004"]["company_domain"] == "company1004.com"
    assert rows["1003"]["is_deleted"] is True
    assert {id_: rows[id_]["merged_into_account_id"] for id_ in ("77", "78")} == {"77": "1005", "78": "1005"}
    deals = {row["opportunity_id"]: row for row in landed(settings, "opportunities")}
    assert [deals[id_]["account_id"] for id_ in ("500", "501")] == [None, "1001"]
    assert deals["501"]["amount"] == 1200.5


def test_only_what_changed_comes_again_and_nothing_twice(tmp_path) -> None:
    held = portal()
    with serving(held, Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url)
        pulled(settings)
        later = DAY + timedelta(days=10)
        held.now = later
        assert pulled(settings, later).accepted == ()
        held.put("companies", company(1007, at=later))
        held.put("companies", company(1008, at=later, archived=True))
        held.put("deals", deal(501, company_id=1009, amount="7", at=later))
        held.put("companies", company(2000, at=later))
        before = server.calls
        assert pulled(settings, later).rows == 4
        assert server.calls - before <= 9
        assert pulled(settings, later + timedelta(days=1)).rows == 0
    rows = ids(settings, "accounts", "account_id")
    assert {id_: n for id_, n in rows.items() if n > 1} == {"1007": 2, "1008": 2}
    assert [d["account_id"] for d in landed(settings, "opportunities") if d["opportunity_id"] == "501"] == [
        "1001",
        "1009",
    ]


def test_a_search_pages_by_id_and_loses_no_tie(tmp_path) -> None:
    held = portal()
    with serving(held, Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url)
        pulled(settings)
        held.now = later = DAY + timedelta(days=10)
        for number in range(3000, 3450):  # three pages of a search, all with one stamp
            held.put("companies", company(number, at=later))
        assert pulled(settings, later).rows == 450
    assert len(ids(settings, "accounts", "account_id")) == LIVE + 450


def test_long_property_lists_are_read_in_parts(tmp_path) -> None:
    held = portal()
    names = [f"custom_property_with_a_long_name_{number:03}" for number in range(150)]
    for number in range(COMPANIES):
        record = company(1000 + number)
        record["properties"] |= dict.fromkeys(names, str(number))
        held.put("companies", record)
    declared = "".join(f"\n          {n}: {{from: properties.{n}, kind: numeric}}" for n in names)
    extra = f"    tables:\n      opportunities: {{}}\n      accounts:\n        attributes:{declared}"
    with serving(held, Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url, extra=extra)
        raise_if_refused(pulled(settings))
    rows = {row["account_id"]: row for row in landed(settings, "accounts")}
    assert [rows["1009"][f"attr_{name}"] for name in (names[0], names[-1])] == [9.0, 9.0]


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("daily_limit", TryLater, "daily limit"),
        ("schema_change", TryLater, "another shape"),
        ("missing_scope", ConfigError, "MISSING_SCOPES"),
        ("token_expiry", ConfigError, "refused the credentials"),
    ],
)
def test_what_cannot_pass_stops_at_once_and_keeps_nothing(tmp_path, fault, error, says) -> None:
    with serving(portal(), Script(token=TOKEN, faults={2: fault})) as server:
        settings = project(tmp_path, server.url)
        result = pulled(settings)
        assert server.calls <= 3
        with pytest.raises(error, match=says):
            raise_if_refused(result)
    assert landed(settings, "accounts") == []


def test_a_vendor_that_stays_down_is_for_later(tmp_path) -> None:
    with serving(portal(), Script(token=TOKEN, faults=dict.fromkeys(range(1, 9), "html"))) as server:
        settings = project(tmp_path, server.url)
        with pytest.raises(TryLater, match=r"answered HTML \(3 attempts\)"):
            raise_if_refused(pulled(settings))


def test_the_rate_limit_is_kept_by_waiting(tmp_path) -> None:
    with serving(portal(), Script(token=TOKEN, calls_per_interval=3, interval_seconds=0.04)) as server:
        settings = project(tmp_path, server.url)
        raise_if_refused(pulled(settings))
        assert server.refused == 0
    assert len(ids(settings, "accounts", "account_id")) == LIVE


def test_a_source_fails_alone_and_the_others_land(tmp_path) -> None:
    (tmp_path / "more.csv").write_text("id,name\n1,One\n", encoding="utf-8")
    extra = (
        "  other:\n    kind: files\n    tables:\n      accounts:\n        path: more.csv\n        effective_at: 2026-05-01\n"
        "        columns: {account_id: id, account_name: name}"
    )
    settings = project(tmp_path, "http://127.0.0.1:9", extra=extra)
    result = pulled(settings)
    assert len(result.accepted) == 1
    assert [source.name for source in result.failed] == ["crm"]
    with pytest.raises(TryLater, match="source crm: HubSpot could not be read"):
        raise_if_refused(result)
    from icp.sources.failures import stale

    [line] = stale(settings)
    assert line.startswith("stale: accounts, opportunities. The source crm was never read whole")


def test_an_unknown_property_is_named(tmp_path) -> None:
    extra = "    tables:\n      accounts:\n        columns: {industry: properties.industri}\n      opportunities: {}"
    with serving(portal(), Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url, extra=extra)
        with pytest.raises(ConfigError, match=r"properties\.industri.*did you mean `properties\.industry`|industri"):
            raise_if_refused(pulled(settings))
        found = [finding.what for finding in check(settings) if not finding.ok]
    assert found == ["crm: companies: the portal has no property industri."]


def test_doctor_says_what_is_missing(tmp_path, monkeypatch) -> None:
    with serving(portal(), Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url)
        assert all(finding.ok for finding in check(settings))
        monkeypatch.delenv("HUBSPOT_TOKEN")
        found = [finding.what for finding in check(settings) if not finding.ok]
    assert found
    assert all("HUBSPOT_TOKEN is not set" in what for what in found)


def test_killed_pulls_leave_what_one_clean_pull_leaves(tmp_path) -> None:
    with serving(portal(), Script(token=TOKEN, faults={}, slow_seconds=0.3)) as server:
        clean, killed = project(tmp_path / "clean", server.url), project(tmp_path / "killed", server.url)
        accepted(clean)
        start = partial(start_pull, killed.root, "icp.sources.hubspot", "crm", DAY)
        for calls in (1, 4, 6):  # killed while that call is being answered
            killed_in_call(server, calls, start)
        server.script.faults = {}
        assert start().wait() == 0
    assert landed(killed, "accounts") == landed(clean, "accounts")
    assert landed(killed, "opportunities") == landed(clean, "opportunities")
    assert [m.to_json()["load_id"] for m in Lake(killed.lake).loads()] == [m.load_id for m in Lake(clean.lake).loads()]
    assert not list(Lake(killed.lake).incoming.glob("*"))


def test_no_address_and_no_key_is_written_anywhere(tmp_path, caplog) -> None:
    caplog.set_level("DEBUG")
    with serving(portal(), Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url)
        raise_if_refused(pulled(settings))
        server.token = "another"
        refused = pulled(settings, DAY + timedelta(days=1))
    assert refused.failed
    names = [row["account_name"] for row in landed(settings, "accounts") if row["account_id"] == "1000"]
    assert names == ["Company 1000 (company1000.com)"]
    told = caplog.text + str(refused)
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        told += file.read_bytes().decode("latin-1")
    told += str(landed(settings, "accounts")) + str(landed(settings, "opportunities"))
    assert not re.search(f"{PERSON}|{TOKEN}|never asked for", told)
