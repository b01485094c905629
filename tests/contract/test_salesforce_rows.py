"""What Salesforce's records become: signed logins, people without who they are, what a record was before."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from orgs import SECRET, account, opportunity, org, project, salesforce
from portals import COMPANIES, DAY, DEALS, PERSON, company, deal, landed
from test_hubspot_rows import contact

from flows.doctor import check
from flows.ingest import ingest
from icp.errors import ConfigError, TryLater
from icp.lake import Lake
from icp.sources import salesforce as source
from icp.sources.again import Again
from icp.sources.salesforce_csv import read_page
from icp.sources.salesforce_records import clean, full_id

JWT = "      login: jwt"
HISTORY = "      field_history: true"
CONTACTS = "    tables:\n      accounts: {}\n      contacts:\n        columns: {seniority: Hs_Seniority__c}"


@pytest.fixture(autouse=True)
def _app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESFORCE_CLIENT_ID", "app")
    monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", SECRET)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def public(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def accepted(settings, at=DAY) -> int:
    lake = Lake(settings.lake)
    with lake.lock():
        loads = list(source.pull(settings, "crm", lake, extracted_at=at))
        return sum(table.rows for staged in loads for table in lake.accept(staged, {}).tables.values())


@pytest.mark.parametrize("kept", ["in the environment", "on one line", "in a file"])
def test_a_signed_login_is_accepted_whatever_our_clock_says(tmp_path, monkeypatch, key, kept) -> None:
    (tmp_path / "key.pem").write_text(pem(key))
    said = {"in a file": str(tmp_path / "key.pem"), "on one line": pem(key).replace("\n", "\\n")}.get(kept, pem(key))
    monkeypatch.setenv("SALESFORCE_USERNAME", "etl@acme.example")
    monkeypatch.setenv("SALESFORCE_PRIVATE_KEY", said)
    with salesforce(org(), username="etl@acme.example", public_key=public(key)) as server:  # its clock is months off
        assert accepted(project(tmp_path, server.url, section=JWT)) > 0


def test_a_login_signed_by_another_key_is_refused_with_what_to_check(tmp_path, monkeypatch, key) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # quicker to make
    monkeypatch.setenv("SALESFORCE_USERNAME", "etl@acme.example")
    monkeypatch.setenv("SALESFORCE_PRIVATE_KEY", pem(other))
    with salesforce(org(), username="etl@acme.example", public_key=public(key)) as server:
        settings = project(tmp_path, server.url, section=JWT)
        with pytest.raises(
            ConfigError, match=r"invalid_grant.*SALESFORCE_USERNAME, SALESFORCE_PRIVATE_KEY, `login_url`"
        ):
            accepted(settings)
        monkeypatch.setenv("SALESFORCE_PRIVATE_KEY", "no key")
        with pytest.raises(ConfigError, match="neither a private key"):
            accepted(settings)


def test_people_land_by_role_only_when_asked_for(tmp_path) -> None:
    held = org()
    for number in range(900, 915):
        held.put("contacts", contact(number, company_id=None if number == 900 else 1001))
    with salesforce(held) as server:
        settings = project(tmp_path, server.url, tables=CONTACTS)
        accepted(settings)
        held.now = later = DAY + timedelta(days=3)
        held.put("contacts", {**contact(905, at=later), "archived": True, "archivedAt": later.isoformat()})
        assert accepted(settings, later) == 1
    rows = landed(settings, "contacts")
    assert len(rows) == 16
    assert (rows[0]["account_id"], rows[1]["account_id"]) == (None, account(1001))
    assert (rows[1]["seniority"], rows[1]["department"]) == ("director, see company1001.com", "finance")
    assert rows[15]["is_deleted"] is True
    told = str(rows)
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        told += file.read_bytes().decode("latin-1")
    assert not re.search(PERSON, told)
    assert landed(project(tmp_path / "other", server.url), "contacts") == []


@pytest.mark.parametrize("field", ["Email", "LastName", "email", "ReportsTo.Name"])
def test_who_a_person_is_cannot_be_mapped(tmp_path, field) -> None:
    with pytest.raises(ConfigError, match="would say who a person is"):
        project(tmp_path, "http://127.0.0.1:9", tables=CONTACTS.replace("Hs_Seniority__c", field))


def test_an_account_that_is_a_person_never_lands(tmp_path) -> None:
    held = org()
    for number, person in ((5000, "true"), (5001, "false")):
        record = company(number)
        record["properties"]["is_person"] = person
        held.put("companies", record)
    with salesforce(held) as server:
        settings = project(tmp_path, server.url)
        accepted(settings)
        held.now = later = DAY + timedelta(days=5)
        record = company(5000, at=later)
        record["properties"]["is_person"] = "true"
        held.put("companies", record)
        assert accepted(settings, later) == 0
    assert {account(5000), account(5001)} & {row["account_id"] for row in landed(settings, "accounts")} == {
        account(5001)
    }


def test_what_an_account_was_lands_as_rows_of_their_own_time(tmp_path) -> None:
    held = org()
    for days, employees, city in (
        (300, "5", "Bonn"),
        (200, "50", "Bonn"),
        (100, "50", "Berlin"),
        (40, "500", "Berlin"),
    ):
        record = company(3000, at=DAY - timedelta(days=days))
        record["properties"] |= {"numberofemployees": employees, "city": city}
        held.put("companies", record)
    with salesforce(held) as server:
        settings = project(tmp_path, server.url, section=HISTORY)
        accepted(settings)
        held.now = later = DAY + timedelta(days=10)
        for days, employees in ((6, "600"), (3, "700")):  # changed twice between two pulls
            record = company(3000, at=later - timedelta(days=days))
            record["properties"] |= {"numberofemployees": employees, "city": "Berlin"}
            held.put("companies", record)
        assert accepted(settings, later) == 2
        assert accepted(settings, later + timedelta(minutes=1)) == 0
    rows = [row for row in landed(settings, "accounts") if row["account_id"] == account(3000)]
    told = [
        ((DAY - row["modified_at"].replace(tzinfo=DAY.tzinfo)).days, row["employees"], row["city"], row["country"])
        for row in rows
    ]
    assert told == [
        # the org's first change of a number of employees is that of day 202: it was 5 before, since when nobody knows
        (202, 50.0, None, None),
        (102, 50.0, "Berlin", None),
        (42, 500.0, "Berlin", "Germany"),
        (-2, 600.0, "Berlin", "Germany"),
        (-5, 700.0, "Berlin", "Germany"),
    ]
    assert {(row["account_name"], row["is_deleted"]) for row in rows} == {("Company 3000 (company3000.com)", False)}


def test_a_field_that_never_changed_is_known_since_the_org_tracks_it(tmp_path) -> None:
    held = org()
    for number, days, employees in ((3001, 300, "1"), (3001, 250, "2"), (3002, 300, "7"), (3002, 30, "7")):
        record = company(number, at=DAY - timedelta(days=days))
        record["properties"] |= {"numberofemployees": employees, "city": "Bonn" if days > 100 else "Berlin"}
        held.put("companies", record)
    with salesforce(held) as server:
        settings = project(tmp_path, server.url, section=HISTORY)
        accepted(settings)
    rows = [row for row in landed(settings, "accounts") if row["account_id"] == account(3002)]
    # tracked since day 252 (3001 changed then); the city since day 32, which is the present version
    assert [((DAY - r["modified_at"].replace(tzinfo=DAY.tzinfo)).days, r["employees"], r["city"]) for r in rows] == [
        (252, 7.0, None),
        (32, 7.0, "Berlin"),
    ]


def test_a_deal_was_open_before_it_was_won(tmp_path) -> None:
    held = org()
    steps = (
        (90, "qualifiedtobuy", "100"),
        (60, "gone_stage", "150"),
        (30, "presentationscheduled", "200"),
        (5, "closedwon", "180"),
    )
    for days, stage, amount in steps:
        record = deal(700, company_id=1001, amount=amount, at=DAY - timedelta(days=days - 2))
        won = "true" if stage == "closedwon" else "false"
        record["properties"] |= {"dealstage": stage, "hs_is_closed": won, "hs_is_closed_won": won}
        held.put("deals", record)
    with salesforce(held) as server:
        settings = project(tmp_path, server.url, section=HISTORY)
        accepted(settings)
    rows = [row for row in landed(settings, "opportunities") if row["opportunity_id"] == opportunity(700)]
    assert [(r["stage"], r["is_closed"], r["is_won"], r["amount"], r["account_id"]) for r in rows] == [
        ("qualifiedtobuy", False, False, 100.0, account(1001)),
        ("presentationscheduled", False, False, 200.0, account(1001)),
        ("closedwon", True, True, 180.0, account(1001)),
    ]


def test_an_org_that_tracks_nothing_lands_what_is(tmp_path) -> None:
    with salesforce(org(), tracked=frozenset()) as server:
        settings = project(tmp_path, server.url, section=HISTORY)
        assert accepted(settings) == COMPANIES + 1 + DEALS
        found = [finding.what for finding in check(settings) if not finding.ok]
    assert len(found) == 1
    assert found[0].startswith(
        "crm: Account: the org keeps no AccountHistory. Set history tracking for fields of Account"
    )


def test_rest_and_bulk_spell_times_and_numbers_alike() -> None:
    types = {"Moved__c": "datetime", "Amount": "currency"}
    by_rest = clean({"Moved__c": "2026-01-01T00:00:00.000+0000", "Amount": 1.0e7}, types, frozenset())
    assert by_rest == clean({"Moved__c": "2026-01-01T00:00:00.000Z", "Amount": "1.0E7"}, types, frozenset())


def page(text: str, **headers: str) -> httpx.Response:
    return httpx.Response(200, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_page_of_a_job_is_whole_or_asked_for_again() -> None:
    text = '"Id","Name"\n"1","Two\nlines, a ""quote"" and a \x00"\n"2",""\n'
    told = {"sforce_numberofrecords": "2", "sforce_locator": "MTAw"}
    assert read_page(page(text, **told), ["Id", "Name"], "Account") == (
        [{"Id": "1", "Name": 'Two\nlines, a "quote" and a '}, {"Id": "2", "Name": None}],
        "MTAw",
    )
    for broken in (
        '"Id","Name"\n"1","x"\n',
        '"Id","Name"\n"1","x"\n"2"\n',
        "<html></html>",
        '"Id","Name"\n"1","x"\n"2","',
    ):
        with pytest.raises(Again):
            read_page(page(broken, **told), ["Id", "Name"], "Account")
    with pytest.raises(TryLater, match="left Website out"):
        read_page(page(text, **told), ["Id", "Website"], "Account")
    assert read_page(page('"Id"\n', sforce_numberofrecords="0"), ["Id"], "Account") == ([], "null")


def test_a_refused_load_leaves_the_cursor_where_it_was(tmp_path) -> None:
    held = org()
    with salesforce(held) as server:
        settings = project(tmp_path, server.url)
        accepted(settings)
        held.now = later = DAY + timedelta(days=5)
        broken = company(4000, at=later)
        broken["properties"]["numberofemployees"] = "-3"
        held.put("companies", {**broken, "id": "4000"})
        held.put("companies", company(4001, at=later + timedelta(days=4000)))
        result = ingest(settings, source=None, extracted_at=later)
        assert (len(result.accepted), len(result.quarantined)) == (0, 1)
        lake = Lake(settings.lake)
        assert [load.cursors["accounts"] for load in lake.accepted_loads()] == ["2026-06-01T12:00:00Z"]
        lake.drop(result.quarantined[0], reason="mended")
        held.put("companies", company(4001, at=later))
        assert accepted(settings, later) == 2


@pytest.mark.parametrize(
    ("short", "full"),
    [("001A0000006Vm9r", "001A0000006Vm9rIAC"), ("0015500000Ygpq1", "0015500000Ygpq1AAB"), ("12345", "12345")],
)
def test_ids_of_15_letters_get_the_three_that_tell_their_case(short, full) -> None:
    assert full_id(short) == full
    assert full_id(full) == full
