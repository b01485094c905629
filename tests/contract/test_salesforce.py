"""The Salesforce source against the server that speaks its protocol: every fault, both ways to read, every cursor."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from killing import killed_in_call, start_pull
from orgs import MERGED, SECRET, account, opportunity, org, project, salesforce
from portals import COMPANIES, DAY, DEALS, PERSON, company, deal, landed

from flows.doctor import check
from flows.ingest import ingest, raise_if_refused
from icp.errors import ConfigError, TryLater
from icp.fake_vendors import salesforce as protocol
from icp.fake_vendors.server import FAULTS, Script
from icp.lake import Lake
from icp.sources import salesforce as source

BULK, REST = "      bulk_above: 0", ""
FATAL = {"daily_limit", "schema_change", "missing_scope", "job_failed", "job_aborted"}
PASSING = sorted({*FAULTS, *protocol.FAULTS} - FATAL)
PLACES = ((BULK, 6), (REST, 2), (BULK, 3), (BULK, 4), (REST, 1))
"""A page of either way, a new job, a question after it, a description."""
ACCOUNTS = COMPANIES + 1


@pytest.fixture(autouse=True)
def _app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESFORCE_CLIENT_ID", "app")
    monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", SECRET)


def accepted(settings, at=DAY) -> int:
    """The pull alone, rows landed: the gate has tests of its own."""
    lake = Lake(settings.lake)
    with lake.lock():
        loads = list(source.pull(settings, "crm", lake, extracted_at=at))
        return sum(table.rows for staged in loads for table in lake.accept(staged, {}).tables.values())


def ids(settings, table: str, key: str) -> Counter[str]:
    return Counter(row[key] for row in landed(settings, table))


# a first pull: describe, query (job, two polls, three pages), the same of opportunities; the campaign `vendor_faults`
# spoils every call of it by every fault, this each fault once
@pytest.mark.parametrize(
    ("fault", "way", "call"), [(fault, *PLACES[n % len(PLACES)]) for n, fault in enumerate(PASSING)]
)
def test_no_fault_loses_or_doubles_a_row(tmp_path, fault, way, call) -> None:
    script = Script(faults={call: fault}, slow_seconds=0.25)
    with salesforce(org(), script) as server:
        settings = project(tmp_path, server.url, section=way, timeout=0.15)
        accepted(settings)
        assert server.calls > call
        assert server.renewals == (2 if fault == "token_expiry" else 1)
    accounts, deals = ids(settings, "accounts", "account_id"), ids(settings, "opportunities", "opportunity_id")
    assert len(accounts) == accounts.total() == ACCOUNTS
    assert len(deals) == deals.total() == DEALS
    [load] = Lake(settings.lake).accepted_loads()
    assert load.cursors == {"accounts": "2026-06-01T12:00:00Z", "opportunities": "2026-06-01T12:00:00Z"}


def test_bulk_and_rest_land_the_same_through_the_gate(tmp_path) -> None:
    with salesforce(org()) as server:
        by_bulk, by_rest = (project(tmp_path / way[-1:], server.url, section=way) for way in (BULK, REST))
        for settings in (by_bulk, by_rest):
            raise_if_refused(ingest(settings, source=None, extracted_at=DAY))
        jobs = len(server.protocols[1].jobs)
    assert jobs == 2
    assert landed(by_bulk, "accounts") == landed(by_rest, "accounts")
    assert landed(by_bulk, "opportunities") == landed(by_rest, "opportunities")
    rows = {row["account_id"]: row for row in landed(by_bulk, "accounts")}
    one = rows[account(1004)]
    assert (one["employees"], one["company_domain"], one["city"]) == (1004.0, "company1004.com", "Berlin")
    assert rows[account(1003)]["is_deleted"] is True
    assert (rows[account(MERGED)]["merged_into_account_id"], rows[account(MERGED)]["is_deleted"]) == (
        account(1005),
        True,
    )
    deals = {row["opportunity_id"]: row for row in landed(by_bulk, "opportunities")}
    assert [deals[opportunity(number)]["account_id"] for number in (500, 501)] == [None, account(1001)]
    won = deals[opportunity(501)]
    assert (won["amount"], won["is_closed"], won["is_won"], won["stage"]) == (1200.5, True, True, "closedwon")
    assert won["closed_at"].isoformat() == "2025-03-10T00:00:00"


def test_only_what_changed_comes_again_and_no_tie_is_lost(tmp_path) -> None:
    held = org()
    with salesforce(held) as server:
        settings = project(tmp_path, server.url, section="      overlap_minutes: 0")
        accepted(settings)
        held.now = DAY + timedelta(days=10)
        tied = DAY + timedelta(days=2)  # their stamp is the cursor itself, to the millisecond
        for number in range(3000, 3025):
            held.put("companies", company(number, at=tied))
        held.put("companies", company(1008, at=tied, archived=True))
        held.put("deals", deal(501, company_id=1009, amount="7", at=held.now))
        before = server.calls
        assert accepted(settings, held.now) == 27
        assert server.calls - before == 6  # two descriptions, three pages, one page
        held.now += timedelta(days=1)
        assert accepted(settings, held.now) == 0
    rows = ids(settings, "accounts", "account_id")
    assert {id_: n for id_, n in rows.items() if n > 1} == {account(1008): 2}
    assert len(rows) == ACCOUNTS + 25


def test_what_two_pulls_both_read_lands_once(tmp_path) -> None:
    held = org()
    with salesforce(held) as server:
        settings = project(tmp_path, server.url, section="      overlap_minutes: 7200")
        accepted(settings)
        held.now = DAY + timedelta(hours=1)
        assert accepted(settings, held.now) == 0
    assert ids(settings, "accounts", "account_id").total() == ACCOUNTS


def test_an_org_without_bulk_is_read_by_rest(tmp_path) -> None:
    with salesforce(org(), bulk=False) as server:
        settings = project(tmp_path, server.url, section=BULK)
        assert accepted(settings) == ACCOUNTS + DEALS


@pytest.mark.parametrize(
    ("fault", "way", "calls", "error", "says"),
    [
        ("daily_limit", BULK, (3,), TryLater, "daily limit"),
        ("schema_change", BULK, (4, 6), TryLater, "left .* out|told no state"),
        ("schema_change", REST, (2,), TryLater, "a query of Account in another shape"),
        ("missing_scope", REST, (2,), ConfigError, "INSUFFICIENT_ACCESS.*permission set"),
        ("job_failed", BULK, (4,), TryLater, "ended as Failed, 'InternalServerError"),
        ("job_aborted", BULK, (5,), TryLater, "ended as Aborted"),
    ],
)
def test_what_cannot_pass_stops_at_once_and_keeps_nothing(tmp_path, fault, way, calls, error, says) -> None:
    for call in calls:
        with salesforce(org(), Script(faults={call: fault})) as server:
            settings = project(tmp_path / str(call), server.url, section=way)
            with pytest.raises(error, match=says):
                raise_if_refused(ingest(settings, source=None, extracted_at=DAY))
            assert server.calls == call
        assert landed(settings, "accounts") == []


def test_the_last_call_of_a_day_is_left_alone(tmp_path) -> None:
    with salesforce(org(), daily_calls=4) as server:
        settings = project(tmp_path, server.url)
        with pytest.raises(TryLater, match=r"daily limit of calls is used up.*last 24 hours") as stopped:
            accepted(settings)
        assert server.calls == 4
    assert stopped.value.exit_code == 75


def test_a_vendor_that_stays_down_or_answers_pages_is_for_later(tmp_path) -> None:
    with salesforce(org(), Script(faults=dict.fromkeys(range(1, 9), "html"))) as server:
        settings = project(tmp_path, server.url)
        with pytest.raises(TryLater, match=r"answered HTML \(3 attempts\)"):
            raise_if_refused(ingest(settings, source=None, extracted_at=DAY))
    result = ingest(project(tmp_path, "http://127.0.0.1:9"), source=None, extracted_at=DAY)
    with pytest.raises(TryLater, match="gave no access token"):
        raise_if_refused(result)


def test_unknown_hidden_and_compound_fields_are_named_together(tmp_path) -> None:
    columns = "        columns: {region: Sales_Regio__c, city: BillingAddress, industry: Account.Industry}"
    tables = f"    tables:\n      accounts:\n{columns}\n      opportunities: {{}}"
    with salesforce(org(), hidden=frozenset({"Account.Website"})) as server:
        settings = project(tmp_path, server.url, tables=tables)
        with pytest.raises(ConfigError) as stopped:
            raise_if_refused(ingest(settings, source=None, extracted_at=DAY))
        found = [finding.what for finding in check(settings) if not finding.ok]
    told = str(stopped.value)
    assert "no field `Sales_Regio__c` this user may read" in told
    assert "no field `Website` this user may read" in told
    assert "BillingAddress holds several values (address). Map its parts" in told
    assert "no field `Account`" in told
    assert [line.partition(":")[0] for line in found] == ["crm"]


def test_custom_fields_and_relations_land_and_the_cursor_stays_what_it_is(tmp_path) -> None:
    held = org()
    record = company(1004)
    record["properties"] |= {"sales_region": "West", "office_count": "3", "parent_company_id": "1006"}
    held.put("companies", record)
    tables = """\
    tables:
      accounts:
        columns: {region: Sales_Region__c, account_id: External_Id__c, parent_account_id: Parent.External_Id__c}
        attributes: {offices: {from: Office_Count__c, kind: numeric}}
      opportunities:
        columns: {account_id: Account.External_Id__c, currency: CurrencyIsoCode}
"""
    with salesforce(held) as server:
        by_bulk, by_rest = (
            project(tmp_path / way[-1:], server.url, section=way, tables=tables) for way in (BULK, REST)
        )
        for settings in (by_bulk, by_rest):
            accepted(settings)
        moved = project(
            tmp_path / "m", server.url, tables=tables.replace("region: ", "modified_at: CreatedDate, region: ")
        )
        with pytest.raises(ConfigError, match="`modified_at` is the cursor of the pull"):
            accepted(moved)
    assert landed(by_bulk, "accounts") == landed(by_rest, "accounts")
    assert landed(by_bulk, "opportunities") == landed(by_rest, "opportunities")
    [row] = [row for row in landed(by_bulk, "accounts") if row["account_id"] == "1004"]
    assert (row["region"], row["attr_offices"], row["parent_account_id"]) == ("West", 3.0, "1006")
    assert [d["account_id"] for d in landed(by_bulk, "opportunities")[:2]] == [None, "1001"]


def test_doctor_says_what_is_missing(tmp_path, monkeypatch) -> None:
    with salesforce(org()) as server:
        settings = project(tmp_path, server.url)
        assert all(finding.ok for finding in check(settings))
        monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "another")
        found = [finding.what for finding in check(settings) if not finding.ok]
        assert found
        assert all("refused the login (400: invalid_client" in what for what in found)
        monkeypatch.delenv("SALESFORCE_CLIENT_SECRET")
        found = [finding.what for finding in check(settings) if not finding.ok]
    assert found
    assert all("SALESFORCE_CLIENT_SECRET is not set" in what for what in found)


def test_killed_pulls_leave_what_one_clean_pull_leaves(tmp_path) -> None:
    with salesforce(org(), Script(slow_seconds=0.3)) as server:
        clean, killed = (project(tmp_path / name, server.url, section=BULK) for name in ("clean", "killed"))
        accepted(clean)
        start = partial(start_pull, killed.root, "icp.sources.salesforce", "crm", DAY)
        for calls in (3, 8):  # killed while that call is being answered
            killed_in_call(server, calls, start)
        server.script.faults = {}
        assert start().wait() == 0
    assert landed(killed, "accounts") == landed(clean, "accounts")
    assert landed(killed, "opportunities") == landed(clean, "opportunities")
    assert [load.load_id for load in Lake(killed.lake).loads()] == [load.load_id for load in Lake(clean.lake).loads()]
    assert not list(Lake(killed.lake).incoming.glob("*"))


def test_no_address_and_no_secret_is_written_anywhere(tmp_path, caplog) -> None:
    caplog.set_level("DEBUG")
    with salesforce(org()) as server:
        settings = project(tmp_path, server.url)
        raise_if_refused(ingest(settings, source=None, extracted_at=DAY))
        session = server.token
        server.script.salesforce.client_secret = "another"
        refused = ingest(settings, source=None, extracted_at=DAY + timedelta(days=1))
    assert refused.failed
    names = [row["account_name"] for row in landed(settings, "accounts") if row["account_id"] == account(1000)]
    assert names == ["Company 1000 (company1000.com)"]
    told = caplog.text + str(refused)
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        told += file.read_bytes().decode("latin-1")
    told += str(landed(settings, "accounts")) + str(landed(settings, "opportunities"))
    assert not re.search(f"{PERSON}|{SECRET}|{session}|never asked for", told)
