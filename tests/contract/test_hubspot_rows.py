"""What HubSpot's records become: people without who they are, companies with what they were, cursors that wait."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from portals import COMPANIES, DAY, PERSON, TOKEN, company, landed, portal, project

from flows.ingest import ingest, raise_if_refused
from icp.errors import ConfigError
from icp.fake_vendors.server import Script, serving
from icp.lake import Lake
from icp.sources import hubspot
from icp.sources.failures import stale
from icp.sources.hubspot_records import KINDS, earlier

CONTACTS = "    tables:\n      accounts: {}\n      opportunities: {}\n      contacts: {}"
HISTORY = "      property_history: true"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)


def contact(number: int, *, company_id: int | None = 1001, at=DAY, merged: str | None = None) -> dict[str, Any]:
    stamp = (at - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    properties = {
        "hs_object_id": str(number),
        "email": f"{PERSON}@company1001.com",
        "firstname": PERSON,
        "associatedcompanyid": str(company_id) if company_id else None,
        "hs_buying_role": "CHAMPION;BUDGET_HOLDER",
        "hs_seniority": f"director, see {PERSON}@company1001.com",
        "hs_role": "finance",
        "hs_merged_object_ids": merged,
        "createdate": "2025-02-01T08:00:00Z",
        "lastmodifieddate": stamp,
    }
    return {"id": str(number), "properties": properties, "archived": False}


def accepted(settings, at=DAY) -> int:
    lake = Lake(settings.lake)
    with lake.lock():
        loads = list(hubspot.pull(settings, "crm", lake, extracted_at=at))
        return sum(lake.accept(staged, {}).tables[name].rows for staged in loads for name in staged.tables)


def test_people_land_by_role_and_only_those_changed_come_again(tmp_path) -> None:
    held = portal()
    for number in range(900, 915):
        held.put("contacts", contact(number, company_id=None if number == 900 else 1001))
    with serving(held, Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url, extra=CONTACTS)
        raise_if_refused(ingest(settings, source=None, extracted_at=DAY))
        held.now = later = DAY + timedelta(days=3)
        gone = contact(905, at=later)
        held.put("contacts", {**gone, "archived": True, "archivedAt": later.isoformat()})
        held.put("contacts", contact(907, company_id=1002, at=later, merged="903"))
        held.versions["contacts"].pop(903)
        assert accepted(settings, later) == 3
        assert accepted(settings, later + timedelta(days=1)) == 0
    rows = landed(settings, "contacts")
    assert {row["contact_id"] for row in rows[:15]} == {str(number) for number in range(900, 915)}
    assert {(r["contact_id"], r["account_id"], r["is_deleted"]) for r in rows[15:]} == {
        ("903", None, True),
        ("905", "1001", True),
        ("907", "1002", False),
    }
    assert rows[1]["seniority"] == "director, see company1001.com"
    assert (rows[1]["buying_role"], rows[1]["department"]) == ("CHAMPION;BUDGET_HOLDER", "finance")
    told = str(rows)
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        told += file.read_bytes().decode("latin-1")
    assert not re.search(PERSON, told)


def test_who_a_person_is_cannot_be_mapped(tmp_path) -> None:
    extra = CONTACTS.replace("contacts: {}", "contacts:\n        columns: {department: properties.email}")
    with pytest.raises(ConfigError, match="would say who a person is"):
        project(tmp_path, "http://127.0.0.1:9", extra=extra)


def test_what_a_company_was_lands_as_rows_of_their_own_time(tmp_path) -> None:
    held = portal()
    for days, employees in ((300, "5"), (200, "50"), (100, "50"), (40, "500")):
        at = DAY - timedelta(days=days)
        record = company(3000, at=at)
        record["properties"] |= {"numberofemployees": employees, "city": "Bonn" if days > 100 else "Berlin"}
        held.put("companies", record)
    with serving(held, Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url, extra=HISTORY)
        raise_if_refused(ingest(settings, source=None, extracted_at=DAY))
        held.now = later = DAY + timedelta(days=10)
        for days, employees in ((6, "600"), (3, "700")):  # changed twice between two pulls
            record = company(3000, at=later - timedelta(days=days))
            record["properties"] |= {"numberofemployees": employees, "city": "Berlin"}
            held.put("companies", record)
        assert accepted(settings, later) == 2
        assert accepted(settings, later + timedelta(minutes=1)) == 0
    rows = [row for row in landed(settings, "accounts") if row["account_id"] == "3000"]
    days_before = [(DAY - row["modified_at"].replace(tzinfo=DAY.tzinfo)).days for row in rows]
    assert [(days, row["employees"], row["city"]) for days, row in zip(days_before, rows, strict=True)] == [
        (302, 5.0, "Bonn"),
        (202, 50.0, "Bonn"),
        (102, 50.0, "Berlin"),
        (42, 500.0, "Berlin"),
        (-2, 600.0, "Berlin"),
        (-5, 700.0, "Berlin"),
    ]
    assert len(landed(settings, "accounts")) == COMPANIES + 2 + 6


def test_of_two_values_of_one_instant_the_newer_stands() -> None:
    record = {"id": "1", "properties": {"city": "C", "hs_lastmodifieddate": "2026-03-01T00:00:00Z"}, "archived": False}
    past = [
        {"value": "C", "timestamp": "2026-03-01T00:00:00Z"},
        {"value": None, "timestamp": "2026-01-01T00:00:00Z"},
        {"value": f"{PERSON}@a.com", "timestamp": "2026-01-01T00:00:00Z"},
        {"value": f"{PERSON}@b.com", "timestamp": "2025-12-01T00:00:00.5Z"},
    ]
    told = [version["properties"]["city"] for version in earlier(record, KINDS["accounts"], {"city": past}, None)]
    assert told == ["b.com", None]


def test_a_refused_load_leaves_the_cursor_where_it_was(tmp_path) -> None:
    held = portal()
    with serving(held, Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url)
        accepted(settings)
        [first] = Lake(settings.lake).accepted_loads()
        held.now = later = DAY + timedelta(days=5)
        broken = company(4000, at=later)
        broken["properties"]["createdate"] = "the other day"
        held.put("companies", broken)
        result = ingest(settings, source=None, extracted_at=later)
        assert (len(result.accepted), len(result.quarantined)) == (0, 1)
        assert ["was refused" in line for line in stale(settings)] == [True]
        lake = Lake(settings.lake)
        assert [load.cursors for load in lake.accepted_loads()] == [first.cursors]

        # mended in HubSpot without a new stamp, so a cursor that had moved on would miss it
        lake.drop(result.quarantined[0], reason="mended")
        held.now = latest = later + timedelta(days=5)
        mended = company(4000, at=later)
        held.put("companies", mended)
        raise_if_refused(ingest(settings, source=None, extracted_at=latest))
    assert [row["account_id"] for row in landed(settings, "accounts")][-1] == "4000"
    assert stale(settings) == []
    assert lake.accepted_loads()[-1].cursors["accounts"] == "2026-06-11T12:00:00Z"


def test_a_quiet_week_is_not_taken_for_an_incomplete_one(tmp_path) -> None:
    held = portal()
    with serving(held, Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url)
        accepted(settings)
        for week in range(1, 5):
            held.now = at = DAY + timedelta(weeks=week)
            for number in range(5000, 5009 if week < 4 else 5001):
                held.put("companies", company(number, at=at))
            if week < 4:
                accepted(settings, at)
        raise_if_refused(ingest(settings, source=None, extracted_at=at))


def test_half_an_emoji_lands_as_the_replacement_character(tmp_path) -> None:
    """Some system cut a text in the middle of a character: JSON can say so, UTF-8 cannot."""
    held = portal()
    record = company(1004)
    record["properties"]["name"] = "Rocket \ud83d"
    held.put("companies", record)
    with serving(held, Script(token=TOKEN)) as server:
        settings = project(tmp_path, server.url)
        accepted(settings)
    [name] = {row["account_name"] for row in landed(settings, "accounts") if row["account_id"] == "1004"}
    assert name == "Rocket \ufffd"
