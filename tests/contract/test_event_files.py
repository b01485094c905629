"""Exports of GA4, PostHog and Segment read from files: the counts of the events in them, and of nobody's twice."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from web_logs import NOW, landed, standing, written

from flows.doctor import check
from flows.ingest import ingest, raise_if_refused
from icp.config import load
from icp.errors import ConfigError
from icp.lake import Lake
from icp.sources.kinds import module_of

PERSON = "jane.doe@company1.com"
ADDRESS = "203.0.113.77"
SEED = Path(__file__).resolve().parents[3] / "shared/data/segment_seed/example_segment_pages.csv"
PAGES = 'pages: {pricing: ["/pricing*"]}'
GA4 = f"""\
  web:
    kind: ga4_export
    ga4_export:
      path: ga4/**/events_*.*
      company:
        - user_properties.company_domain
        - {{from: user_id, holds: contact, lookup: {{path: users.csv, key: user, value: contact}}}}
      key_events: [demo_request]
      {PAGES}
"""
POSTHOG = f"""\
  web:
    kind: posthog_export
    posthog_export:
      path: posthog/*.*
      company: [{{from: properties.$groups.company, holds: account_id}}, groups.team.site, person.properties.email]
      key_events: [demo_request]
      timezone: America/New_York
      {PAGES}
"""
SEGMENT = f"""\
  web:
    kind: segment
    segment:
      pages_path: segment/pages*.csv
      tracks_path: segment/tracks*.csv
      identifies_path: segment/identifies.csv
      groups_path: segment/groups.csv
      company: [groups.website, identifies.email]
      key_events: [Demo Requested]
      {PAGES}
"""
CONTACTS = """\
  people:
    kind: files
    tables:
      contacts: {path: contacts.csv, effective_at: 2026-01-01, columns: {contact_id: id, account_id: account, created_at: made}}
"""


def accepted(settings, at=NOW, source: str = "web") -> tuple[int, tuple[str, ...]]:
    lake = Lake(settings.lake)
    with lake.lock():
        loads = list(module_of(settings.source(source).kind).pull(settings, source, lake, extracted_at=at))
        for staged in loads:
            lake.accept(staged, {})
    return sum(staged.rows for staged in loads), tuple(note for staged in loads for note in staged.notes)


def counts(settings) -> dict[tuple[str, str], tuple[float, ...]]:
    """Visits, page views, key events and views of prices that stand, by company and day."""
    newest = {(r["account_id"] or r["website"], str(r["activity_date"])): r for r in landed(settings)}
    names = ("visits", "page_views", "key_events", "pricing_views")
    return {key: tuple(r[name] for name in names) for key, r in newest.items() if r["page_views"] or r["visits"]}


# -- GA4 ---------------------------------------------------------------------------------------------------------------


def ga4_event(
    day: date,
    number: int,
    name: str = "page_view",
    *,
    visitor: str = "v1",
    session: int = 1,
    path: str = "/",
    **more: Any,
) -> dict[str, Any]:
    at = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1e6) + number
    location = f"https://www.acme.com{path}?email={PERSON}"

    def parameter(key: str, text: str | None = None, whole: int | None = None) -> dict[str, Any]:
        return {
            "key": key,
            "value": {"string_value": text, "int_value": whole, "float_value": None, "double_value": None},
        }

    domain = more.pop("domain", None)
    return {
        "event_date": f"{day:%Y%m%d}",
        "event_timestamp": at,
        "event_name": name,
        "event_params": [parameter("ga_session_id", whole=session), parameter("page_location", location)],
        "user_id": more.pop("user", None),
        "user_pseudo_id": visitor,
        "user_properties": [parameter("company_domain", domain)] if domain else [],
        "collected_traffic_source": {"manual_medium": more.pop("medium", None)},
        "event_bundle_sequence_id": 1,
    }


def write_ga4(folder: Path, name: str, events: list[dict[str, Any]]) -> None:
    file = folder / "ga4" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(events), file)
        return
    texts = [{**event, "event_timestamp": str(event["event_timestamp"])} for event in events]  # as BigQuery writes JSON
    file.write_text("".join(json.dumps(event) + "\n" for event in texts), encoding="utf-8")


def ga4_project(folder: Path):
    settings_text = CONTACTS + GA4
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contacts.csv").write_text("id,account,made\nc9,ACC-9,2025-01-01\n", encoding="utf-8")
    (folder / "users.csv").write_text(f"user,contact\n{PERSON},c9\n", encoding="utf-8")
    return written(folder, settings_text)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_ga4s_export_counts_sessions_pages_and_key_events(tmp_path, suffix) -> None:
    day = date(2026, 5, 20)
    settings = ga4_project(tmp_path)
    accepted(settings, source="people")
    first = [
        ga4_event(day, 0, domain="company1.com", medium="email"),
        ga4_event(day, 1, path="/pricing/plans"),  # the same session, whose company is known
        ga4_event(day, 2, "demo_request"),
        ga4_event(day, 3, visitor="v2", session=7, user=PERSON),  # user -> contact -> account
        ga4_event(day, 4, visitor="v3"),
    ]
    write_ga4(tmp_path, f"events_20260520.{suffix}", first)
    write_ga4(tmp_path, f"events_intraday_20260520.{suffix}", first)
    rows, notes = accepted(settings)
    assert rows == 3
    assert counts(settings) == {
        ("company1.com", "2026-05-20"): (1, 2, 1, 1),
        ("ACC-9", "2026-05-20"): (1, 1, 0, 0),
        ("(not set)", "2026-05-20"): (1, 1, 0, 0),
    }
    assert [r["first_channel"] for r in landed(settings) if r["website"] == "company1.com"] == ["email"]
    assert "1 of 3 visits read name no company" in notes[0]

    # late events: the day's table is exported once more, beside the old file
    write_ga4(
        tmp_path, f"again/events_20260520.{suffix}", [*first, ga4_event(day, 9, session=2, domain="company1.com")]
    )
    assert accepted(settings, NOW + timedelta(days=1))[0] == 1
    assert counts(settings)["company1.com", "2026-05-20"] == (2, 3, 1, 1)
    assert accepted(settings, NOW + timedelta(days=2))[0] == 0
    said = "".join(p.read_bytes().decode("latin-1") for p in (tmp_path / "lake").rglob("*") if p.is_file())
    assert "jane" not in said and "v1" not in {r["account_id"] for r in landed(settings)} and "acme.com" not in said


def test_another_configuration_does_not_lose_days_whose_files_are_gone(tmp_path) -> None:
    settings = ga4_project(tmp_path)
    for number in (20, 21):
        day = date(2026, 5, number)
        write_ga4(tmp_path, f"events_202605{number}.parquet", [ga4_event(day, 0, domain="company1.com")])
    accepted(settings)
    file = tmp_path / "icp.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("[demo_request]", "[sign_up]"), encoding="utf-8")
    gone = (tmp_path / "ga4/events_20260520.parquet").rename(tmp_path / "kept")
    with pytest.raises(ConfigError, match=r"files of 1 days .* are gone \(2026-05-20 to 2026-05-20\)"):
        accepted(load(tmp_path))
    assert len(counts(settings)) == 2
    gone.rename(tmp_path / "ga4/events_20260520.parquet")
    assert accepted(load(tmp_path), NOW + timedelta(hours=1))[0] == 2
    assert len(landed(settings)) == 2  # the first load is replaced


def test_a_lost_column_fails_that_source_alone(tmp_path) -> None:
    settings = ga4_project(tmp_path)
    event = ga4_event(date(2026, 5, 20), 0)
    del event["event_params"]
    write_ga4(tmp_path, "events_20260520.parquet", [event])
    assert ["`event_params`" in f.what for f in check(settings) if not f.ok] == [True]
    result = ingest(settings, source=None, extracted_at=NOW)
    assert len(result.accepted) == 2
    with pytest.raises(ConfigError, match=r"source web: .*no column `event_params`"):
        raise_if_refused(result)
    moved = {**ga4_event(date(2026, 5, 21), 0), "event_timestamp": "2026-05-21T12:00:00Z"}
    write_ga4(tmp_path, "events_20260520.parquet", [ga4_event(date(2026, 5, 20), 0)])
    write_ga4(tmp_path, "events_20260521.parquet", [moved])
    [failed] = ingest(settings, source="web", extracted_at=NOW).failed
    assert "events_20260521.parquet: none of its 1 events has an id and a readable time" in failed.problem
    (tmp_path / "ga4/events_20260520.parquet").write_bytes(b"<html>")
    [failed] = ingest(settings, source="web", extracted_at=NOW).failed
    assert "cannot be read" in failed.problem


# -- PostHog -----------------------------------------------------------------------------------------------------------


def posthog_event(
    uuid: str, at: str, name: str = "$pageview", *, email: str | None = None, **properties: Any
) -> dict[str, Any]:
    held = {
        "$ip": ADDRESS,
        "$current_url": f"https://acme.com/pricing?mail={PERSON}",
        **{f"${k}": v for k, v in properties.items()},
    }
    return {
        "uuid": uuid,
        "event": name,
        "timestamp": at,
        "distinct_id": PERSON,
        "properties": json.dumps(held),
        "person_properties": json.dumps({"email": email} if email else {}),
    }


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_posthogs_exports_count_by_group_trait_or_persons_domain(tmp_path, suffix) -> None:
    settings = written(tmp_path, POSTHOG)
    (tmp_path / "posthog").mkdir()

    def write(name: str, events: list[dict[str, Any]]) -> None:
        file = tmp_path / f"posthog/{name}.{suffix}"
        if suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(events), file)
        else:
            file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")

    first = [
        posthog_event("a", "2026-05-20T03:30:00Z", session_id="s1", groups={"company": "ACC-1"}),  # 19 May in New York
        posthog_event("b", "2026-05-20T12:00:00.123456+00:00", session_id="s2", pathname="/x"),
        posthog_event("c", "2026-05-20T12:01:00Z", session_id="s2", groups={"team": "t1"}),
        posthog_event(
            "d",
            "2026-05-20T12:02:00Z",
            "$groupidentify",
            group_type="team",
            group_key="t1",
            group_set={"site": "https://www.team.io"},
        ),
        posthog_event("e", "2026-05-20T13:00:00Z", session_id="s3", email=PERSON),
        posthog_event("f", "2026-05-20T14:00:00Z", "demo_request", email=PERSON),  # sent by a server: no visit
        {**posthog_event("g", "soon"), "uuid": "g"},
    ]
    write("hour1", first)
    _, notes = accepted(settings)
    assert counts(settings) == {
        ("ACC-1", "2026-05-19"): (1, 1, 0, 1),
        ("team.io", "2026-05-20"): (1, 2, 0, 1),
        ("company1.com", "2026-05-20"): (1, 1, 1, 1),
    }
    assert "1 events without an id or a readable time were left out" in notes[0]

    # an hour later an event of yesterday arrives, one comes again, and one is older than the window
    late = posthog_event("h", "2026-05-20T18:00:00Z", session_id="s9", groups={"company": "ACC-1"})
    write("hour2", [late, first[2]])
    accepted(settings, NOW + timedelta(hours=1))
    assert counts(settings)["ACC-1", "2026-05-20"] == (1, 1, 0, 1)
    assert counts(settings)["team.io", "2026-05-20"] == (1, 2, 0, 1)
    newest = posthog_event("k", "2026-05-25T13:00:00Z", session_id="s2", email=PERSON)
    write("hour3", [posthog_event("j", "2026-05-20T12:00:00Z", session_id="s10", groups={"company": "ACC-1"}), newest])
    _, notes = accepted(settings, NOW + timedelta(hours=2))
    assert any("1 events are of days read more than 5 days ago" in note for note in notes)
    assert counts(settings)["ACC-1", "2026-05-20"] == (1, 1, 0, 1)
    said = "".join(p.read_bytes().decode("latin-1") for p in (tmp_path / "lake").rglob("*") if p.is_file())
    assert "jane" not in said and ADDRESS not in said and "mail=" not in said


# -- Segment -----------------------------------------------------------------------------------------------------------


def write_csv(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for each in rows for name in each))
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, names)
        writer.writeheader()
        writer.writerows(rows)


def page(id_: str, at: str, visitor: str, path: str = "/", **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "anonymous_id": visitor,
        "user_id": "",
        "timestamp": at,
        "received_at": at,
        "path": path,
        "context_ip": ADDRESS,
        **more,
    }


def test_segments_tables_count_visits_by_pauses_and_companies_by_group(tmp_path) -> None:
    settings = written(tmp_path, SEGMENT)
    write_csv(
        tmp_path / "segment/pages_1.csv",
        [
            page("p1", "2026-05-20 10:00:00", "a1", context_campaign_medium="cpc"),
            page("p2", "2026-05-20 10:20:00", "a1", "/pricing"),
            page("p3", "2026-05-20 11:00:00", "a1"),  # after a pause of 40 minutes
            page("p4", "2026-05-20 23:50:00", "a2", search=f"?q={PERSON}"),
            page("p5", "2026-05-21 00:05:00", "a2"),  # the day has changed
            page("p6", "2026-05-21 09:00:00", "a3", user_id="u7"),
        ],
    )
    write_csv(
        tmp_path / "segment/tracks_1.csv",
        [
            {
                "id": "t1",
                "anonymous_id": "a1",
                "user_id": "u1",
                "event": "Demo Requested",
                "timestamp": "2026-05-20T11:05:00Z",
            }
        ],
    )
    write_csv(
        tmp_path / "segment/identifies.csv",
        [
            {"anonymous_id": "a1", "user_id": "u1", "email": PERSON, "timestamp": "2026-05-01"},
            {"anonymous_id": "a2", "user_id": "u2", "email": PERSON, "timestamp": "2026-05-01"},
        ],
    )
    groups = [
        {"group_id": "g", "user_id": "u1", "website": site, "timestamp": at}
        for site, at in (("https://new.io", "2026-05-02"), ("old.io", "2026-05-01"))
    ]
    write_csv(tmp_path / "segment/groups.csv", groups)
    accepted(settings)
    assert counts(settings) == {
        ("new.io", "2026-05-20"): (2, 3, 1, 1),
        ("company1.com", "2026-05-20"): (1, 1, 0, 0),
        ("company1.com", "2026-05-21"): (1, 1, 0, 0),
        ("(not set)", "2026-05-21"): (1, 1, 0, 0),
    }
    assert {r["first_channel"] for r in landed(settings) if r["website"] == "new.io"} == {"cpc"}
    write_csv(
        tmp_path / "segment/pages_2.csv",
        [page("p6", "2026-05-21 09:00:00", "a3", user_id="u7"), page("p7", "2026-05-21 09:40:00", "a3")],
    )
    assert accepted(settings, NOW + timedelta(hours=1))[0] == 1
    assert counts(settings)["(not set)", "2026-05-21"] == (2, 2, 0, 0)
    assert accepted(settings, NOW + timedelta(hours=2))[0] == 0
    said = "".join(p.read_bytes().decode("latin-1") for p in (tmp_path / "lake").rglob("*") if p.is_file())
    assert "jane" not in said and ADDRESS not in said and "u7" not in said and "?q" not in said


@pytest.mark.parametrize("spoiled", [{"$groups": "acme"}, {"$group_set": "acme"}, {"$groups": ["a"]}])
def test_properties_of_another_shape_know_nothing(tmp_path, spoiled) -> None:
    settings = written(tmp_path, POSTHOG)
    (tmp_path / "posthog").mkdir()
    good = posthog_event("u1", "2026-05-20T12:00:00Z", session_id="s", groups={"company": "ACC-1"})
    events = [good, {**good, "uuid": "u2", "event": "$groupidentify", "properties": json.dumps(spoiled)}]
    events.append({**good, "uuid": "u3", "properties": json.dumps(spoiled)})
    (tmp_path / "posthog/a.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events), encoding="utf-8")
    accepted(settings)
    assert counts(settings)["ACC-1", "2026-05-20"][1] == 1


@pytest.mark.realdata
@pytest.mark.skipif(not SEED.is_file(), reason="the seed of Segment's pages is not here")
def test_the_seed_of_segments_pages_passes(tmp_path) -> None:
    source = f"  web:\n    kind: segment\n    segment: {{pages_path: '{SEED}', company: url}}\n"
    settings = written(tmp_path, source)
    with SEED.open(encoding="utf-8") as lines:
        served = list(csv.DictReader(lines))
    accepted(settings)
    assert sum(counted[1] for counted in standing(settings).values()) == len(served)
