"""The features dbt builds from landed extracts: what was known when, about whom, and nothing from later."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt_lake import FEATURES, PROJECT, Landing, digest, manifest, quarter_variables, rows_by, run

from icp import contract

UNTESTED = ("--exclude", "resource_type:test")
WINTER, SPRING, SUMMER = "2025-01-06 05:00:00", "2025-04-06 04:00:00", "2025-07-06 04:00:00"
CLOSED = {WINTER: 2, SPRING: 3, SUMMER: 4}  # how many of the quarters from 2024Q3 on
DECLARED = [
    {"name": "attr_model", "kind": "category"},
    {"name": "attr_offices", "kind": "numeric"},
    {"name": "attr_listed", "kind": "flag"},
    {"name": "attr_markets", "kind": "set"},
]
DECLARED_TYPES = {
    "attr_model": "varchar",
    "attr_offices": "double",
    "attr_listed": "boolean",
    "attr_markets": "varchar",
}


def account(account_id: str, **columns: Any) -> dict[str, Any]:
    return {"account_id": account_id, "account_name": account_id.title(), "created_at": "2023-01-01"} | columns


def deal(
    opportunity_id: str, account_id: str | None, opened: str, closed: str | None, won: bool, **columns: Any
) -> Any:
    return {
        "opportunity_id": opportunity_id,
        "account_id": account_id,
        "opportunity_type": "newbusiness",
        "is_closed": closed is not None,
        "is_won": won,
        "created_at": opened,
        "closed_at": closed,
        "modified_at": closed or opened,
    } | columns


def land_history(landing: Landing) -> None:
    """What had arrived by spring 2025."""
    accounts = [
        account("acme", company_domain="acme.com", employees=40.0, industry="COMPUTER_SOFTWARE", country="Deutschland",
                region="Bayern", founded_year=2004.0, annual_revenue=1e6, currency="EUR", modified_at="2024-06-01",
                sells_to="b2b", ownership="VC", funding_stage="SERIES_A", last_funded_on="2024-03-01",
                parent_account_id="bolt", employees_year_ago=20.0, site_traffic=900.0),
        account("acme-copy", company_domain="acme.com", created_at="2024-01-01", city="Munich", modified_at="2024-06-01"),
        account("old", company_domain="old.com", merged_into_account_id="bolt", is_deleted=True, modified_at="2024-09-01"),
        account("bolt", company_domain="bolt.io", employees=0.0, industry=" robotics ", country="usa", region="ca",
                modified_at="2024-09-01"),
        account("gone", company_domain="gone.com", is_deleted=True, modified_at="2024-09-01"),
        account("late", employees=9.0, modified_at="2024-11-01"),
        account("twin", company_domain="twin.com", employees=7.0, city="Graz", modified_at="2024-11-01"),
    ]  # fmt: skip
    landing.land("accounts", "2024-12-31", accounts)
    grown = {
        "account_id": "acme", "account_name": "Acme", "company_domain": "acme.com", "employees": 300.0, "industry": "Software",
        "country": "DE", "founded_year": 2004.0, "created_at": "2023-01-01", "modified_at": "2025-02-01",
        "ownership": "private equity", "parent_account_id": "late",
        "attr_model": " B2B ", "attr_offices": 3.0, "attr_listed": True, "attr_markets": "dach|uk",
    }  # fmt: skip
    landing.land("accounts", "2025-03-31", [grown], DECLARED_TYPES)
    landing.land("opportunities", "2025-03-31", [
        deal("d-won", "acme-copy", "2025-01-10T15:00:00", "2025-03-01", True, amount=1000.0, currency="gbp"),
        deal("d-lost", "old", "2024-10-01", "2024-12-01", False),
        deal("d-twin", "twin", "2025-01-20", "2025-02-20", False),
        deal("d-late", "late", "2024-03-01", "2025-02-01", False),
        deal("d-reopened", "bolt", "2025-01-05", "2025-02-05", False),
        deal("d-deleted", "bolt", "2025-01-05", "2025-02-05", False, is_deleted=True),
        deal("d-backdated", "bolt", "2025-03-20", "2025-03-02", False, modified_at="2025-03-20"),
        deal("d-orphan", None, "2025-01-05", "2025-02-05", True),
        deal("d-open", "bolt", "2025-01-05", None, False),
        deal("d-renewal", "acme", "2025-01-05", "2025-02-05", True, opportunity_type="Renewal"),
    ])  # fmt: skip
    landing.land("web_activity", "2025-03-31", [
        {"website": "acme.com", "company_domain": "acme.com", "activity_date": day, "visits": visits, "key_events": 1.0}
        for day, visits in (("2024-01-01", 1.0), ("2025-01-09", 5.0), ("2025-01-10", 100.0), ("2025-03-20", 7.0))
    ])  # fmt: skip
    landing.land("web_activity", "2025-03-31", [
        {"website": "m.acme.com", "company_domain": "acme.com", "activity_date": day, "visits": 0.0, "pricing_views": views,
         "first_channel": channel}
        for day, views, channel in (("2024-02-01", 1.0, "ORGANIC_SEARCH"), ("2025-01-09", 2.0, "Direct"))
    ])  # fmt: skip
    landing.land("technologies", "2025-03-31", [
        {"website": "www.acme.com", "company_domain": "acme.com", "technology": "Snowflake",
         "first_detected_at": "2024-08-01", "last_detected_at": "2025-03-01"},
        {"website": "acme.com", "company_domain": "acme.com", "technology": "AWS", "first_detected_at": "2025-02-01",
         "last_detected_at": "2025-03-01"},
        {"website": "bolt.io", "company_domain": "bolt.io", "technology": "Heroku", "first_detected_at": "2023-02-01",
         "last_detected_at": "2023-03-01"},
    ])  # fmt: skip
    landing.land("revenue", "2025-03-31", [
        {"account_id": "acme", "invoice_id": "i1", "month": "2025-03-14", "revenue": 50.0, "currency": "USD"},
        {"account_id": "acme", "invoice_id": "i2", "month": "2025-03-14", "revenue": 9000.0, "status": "VOID"},
        {"account_id": "bolt", "invoice_id": "i3", "month": "2024-03-14", "revenue": 20.0},
    ])  # fmt: skip
    landing.land("event_participation", "2025-03-31", [
        {"website": "acme.com", "company_domain": "acme.com", "event_name": name, "participation": how, "occurred_on": day}
        for name, how, day in (("Expo", "attended", "2023-05-01"), ("Expo", "attended", "2024-05-01"),
                               ("expo ", "Sponsored", "2024-05-01"), ("Fair", "attended", "2025-01-10"))
    ])  # fmt: skip
    landing.land("surveys", "2025-03-31", [
        {"response_id": "s1", "account_id": "acme", "survey_kind": "CSAT", "score": 4.0, "responded_at": "2025-03-20"}
    ])  # fmt: skip
    landing.land("contacts", "2025-03-31", [
        {"contact_id": name, "account_id": "acme", "buying_role": role, "seniority": level, "department": "IT",
         "created_at": created, "modified_at": modified}
        for name, role, level, created, modified in (
            ("c1", "CHAMPION", "vp", "2024-12-01", "2024-12-01"),
            ("c2", "End user", "entry", "2024-12-01", "2025-02-01"),
            ("c3", "blocker", "entry", "2025-02-01", "2025-02-01"),
        )
    ])  # fmt: skip
    landing.land("competitor_signals", "2025-03-31", [
        {"website": "acme.com", "company_domain": "acme.com", "competitor": "Rival", "signal": signal, "occurred_on": day}
        for signal, day in (("Using", "2024-02-01"), ("left", "2025-02-01"))
    ] + [{"account_id": "late", "competitor": "Rival", "signal": "evaluates", "occurred_on": "2025-03-01"}])  # fmt: skip
    landing.land("account_links", "2025-03-31", [
        {"account_id": account_id, "linked_account_id": other, "link_kind": kind, "known_on": day}
        for account_id, other, kind, day in (
            ("late", "acme", "Shared investor", "2024-01-01"), ("late", "bolt", "partner", "2024-05-01"),
            ("acme", "late", "referral", "2025-02-01"),
        )
    ])  # fmt: skip


def land_future(
    landing: Landing, day: str = "2025-05-01", loads: tuple[str, str] = ("2025-03-31", "2025-06-30")
) -> None:
    """Rows dated after spring, or another day: in a load of their own, and slipped into one already accepted."""
    after = [
        account("acme", company_domain="acme.com", employees=5.0, modified_at=day),
        account("new", company_domain="acme.com", employees=5.0, created_at=day, modified_at=day),
        account("gone", company_domain="gone.com", modified_at=day),
        account(
            "twin",
            company_domain="twin.com",
            employees=7.0,
            merged_into_account_id="acme",
            is_deleted=True,
            modified_at=day,
        ),
    ]
    reopened = deal("d-reopened", "bolt", "2025-01-05", None, False, modified_at=day)
    new = deal("d-new", "acme", "2025-04-20", "2025-05-20", False, modified_at=f"{day}T12:00:00")
    web = {"company_domain": "acme.com", "website": "acme.com", "visits": 9.0}
    used = {"company_domain": "acme.com", "website": "acme.com", "technology": "dbt", "first_detected_at": day}
    as_of_day = {"2025-03-31": "2025-04-06", "2025-06-30": "2025-07-06"}[loads[0]]
    for effective_at in loads:
        landing.land("accounts", effective_at, after, {})
        landing.land("opportunities", effective_at, [reopened, new])
        landing.land(
            "web_activity", effective_at, [web | {"activity_date": as_of_day if effective_at == loads[0] else day}]
        )
        landing.land("technologies", effective_at, [used])
        landing.land("revenue", effective_at, [{"account_id": "late", "month": day, "revenue": 70.0}])
        landing.land("event_participation", effective_at, [
            {"company_domain": "acme.com", "website": "acme.com", "event_name": "x", "occurred_on": day}
        ])  # fmt: skip
        landing.land("surveys", effective_at, [
            {"response_id": "s2", "account_id": "acme", "survey_kind": "CSAT", "score": 1.0, "responded_at": day}
        ])  # fmt: skip
        contact = {"account_id": "acme", "buying_role": "legal", "seniority": "ceo"}
        landing.land("contacts", effective_at, [
            contact | {"contact_id": "c9", "created_at": day, "modified_at": day},
            contact | {"contact_id": "c1", "created_at": "2024-12-01", "modified_at": day},
        ])  # fmt: skip
        landing.land("competitor_signals", effective_at, [
            {"account_id": "acme", "competitor": "Rival", "signal": "uses", "occurred_on": day}
        ])  # fmt: skip
        landing.land("account_links", effective_at, [
            {"account_id": "acme", "linked_account_id": "bolt", "link_kind": "board", "known_on": day}
        ])  # fmt: skip


def variables(landing: Landing, as_of: str, folder: Path, **more: Any) -> dict[str, Any]:
    quarters = quarter_variables("2024Q3", "2024Q4", "2025Q1", "2025Q2")[: CLOSED[as_of]]
    return {
        "as_of": as_of, "quarter_end": quarters[-1]["end"], "quarters": quarters, "timezone": "America/New_York",
        "landed": landing.files(as_of), "declared_attributes": DECLARED, "reporting_currency": "USD",
        "label": {"kind": "won", "measure": "revenue", "top_share": 0.2, "horizon_quarters": 1},
        "features_path": str(folder / "features.parquet"), "declared_path": str(folder / "declared.parquet"),
    } | more  # fmt: skip


class Market:
    """Three quarters built before and after the future had happened; what is future to the first is past to the last."""

    def __init__(self, root: Path) -> None:
        self.root, self.landing = root, Landing(root)
        land_history(self.landing)
        self.past = len(self.landing.loads)
        known = self.landing.files(SPRING)  # to winter, a part of that is future
        self.winter = self.build("winter", WINTER, *UNTESTED, landed=known)
        self.spring = self.build("spring", SPRING)
        land_future(self.landing)
        self.summer = self.build("summer", SUMMER, *UNTESTED)
        land_future(self.landing, "2025-08-01", ("2025-06-30", "2025-09-30"))
        every = self.landing.files("2026-01-01")
        self.replayed = {
            past: self.build(f"{past.name} replayed", as_of, *UNTESTED, landed=every)
            for past, as_of in ((self.winter, WINTER), (self.spring, SPRING), (self.summer, SUMMER))
        }
        with duckdb.connect(str(root / "spring" / "warehouse.duckdb"), read_only=True) as warehouse:
            query = "select merged_record_id, surviving_account_id, merge_reason from int_account_merges order by all"
            self.merges = warehouse.execute(query).fetchall()

    def build(self, name: str, as_of: str, *arguments: str, **more: Any) -> Path:
        folder = self.root / name
        folder.mkdir()
        told = variables(self.landing, as_of, folder, **more)
        select = ("build", "--select", *FEATURES, "--exclude-resource-type", "unit_test", *arguments)
        run(self.root, folder / "warehouse.duckdb", told, *select)
        return folder


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return Market(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def spring(market: Market) -> dict[str, dict[str, Any]]:
    return rows_by(market.spring / "features.parquet", "observation_id")


@pytest.fixture(scope="module")
def declares() -> set[str]:
    """The columns of the features that may become criteria."""
    columns = next(n for n in manifest().nodes.values() if n.name == "fct_account_features").columns
    return {name for name, column in columns.items() if "icp" in column.meta}


def test_what_happens_later_changes_no_byte_of_an_earlier_run(market: Market) -> None:
    """Not of the frames, nor of any feature model, in any of three quarters."""
    files = ("features.parquet", "declared.parquet")
    assert [past.name for past in market.replayed] == ["winter", "spring", "summer"]
    for past, again in market.replayed.items():
        assert digest(*(past / f for f in files)) == digest(*(again / f for f in files)), past.name
        assert feature_tables(past) == feature_tables(again), past.name
    models = {path.stem for path in PROJECT.glob("models/features/feat_*.sql")}
    assert set(feature_tables(market.spring)) == models and len(models) >= 17


def feature_tables(folder: Path) -> dict[str, str]:
    """A hash of the rows of every feature model."""
    for part in folder.glob("warehouse.duckdb*"):  # dbt keeps the one it wrote last open
        shutil.copy(part, folder / f"copy.{part.name}")
    with duckdb.connect(str(folder / "copy.warehouse.duckdb")) as warehouse:
        names = [n for (n,) in warehouse.execute("select table_name from duckdb_tables() order by 1").fetchall()]
        query = "select md5(coalesce(string_agg(cast(t as varchar), '|' order by cast(t as varchar)), '')) from {} as t"
        return {n: str(warehouse.execute(query.format(n)).fetchall()[0][0]) for n in names if n.startswith("feat_")}


def test_every_landed_table_has_rows_of_the_future(market: Market) -> None:
    """Without this the test above would say nothing about a new table."""
    landed = [table for _, table, _ in market.landing.loads[market.past :]]
    assert {table for table in landed if landed.count(table) == 4} == set(contract.load(PROJECT).tables)


def test_an_outcome_is_explained_alike_whenever_it_is_looked_at(
    market: Market, spring: dict[str, dict[str, Any]], declares: set[str]
) -> None:
    """As read in spring and in summer, when the accounts had changed, bought and been seen more. A deal that was re-opened
    in between is lost no more, so the deals lost before d-backdated are one fewer: a deal counts as it stands."""
    summer = rows_by(market.summer / "features.parquet", "observation_id")
    for name in ("d-won", "d-lost", "d-late", "d-backdated"):
        differ = {c: (spring[name][c], summer[name][c]) for c in declares if spring[name][c] != summer[name][c]}
        assert differ == ({"lost_deals_before": (2.0, 1.0)} if name == "d-backdated" else {}), name


def test_the_same_parsed_project_answers_for_another_date(market: Market) -> None:
    summer = rows_by(market.summer / "features.parquet", "observation_id")
    assert summer["score:acme"]["employees"] == 5.0
    assert summer["score:acme"]["visits_90d"] == 9.0
    assert "score:gone" in summer
    assert "d-reopened" not in summer
    assert summer["d-new"]["outcome_quarter"] == "2025Q2"
    assert summer["d-new"]["employees"] == 300.0


def test_a_merge_after_the_fact_moves_a_deal_and_not_what_was_known_of_it(
    market: Market, spring: dict[str, dict[str, Any]]
) -> None:
    """Twin became a part of acme in May: its lost deal is acme's since, as acme was known in January; spring stays spring."""
    summer = rows_by(market.summer / "features.parquet", "observation_id")
    before, after = spring["d-twin"], summer["d-twin"]
    assert (before["account_id"], before["employees"]) == ("twin", 7.0)
    assert (after["account_id"], after["employees"], after["is_won"]) == ("acme", 40.0, False)
    assert "score:twin" in spring and "score:twin" not in summer
    assert summer["d-new"]["lost_deals_before"] == spring["score:acme"]["lost_deals_before"] + 1


def test_a_company_belongs_to_whom_it_belonged_then(spring: dict[str, dict[str, Any]]) -> None:
    """Acme passed from bolt, a customer, to late, which is none, and its owners changed, on the first of February."""
    opened, now = spring["d-won"], spring["score:acme"]
    assert (opened["ownership"], now["ownership"]) == ("Venture-backed", "Private equity")
    assert (opened["parent_is_customer"], now["parent_is_customer"]) == (True, False)
    assert opened["is_subsidiary"] is now["is_subsidiary"] is True


def test_a_deal_put_back_in_time_is_observed_when_it_was_decided(
    market: Market, spring: dict[str, dict[str, Any]]
) -> None:
    """Entered on 20 March as decided on the second: nothing known after the second explains it. One re-opened in May is
    evidence in spring, open in summer, and counted there."""
    late_entry = spring["d-backdated"]
    assert late_entry["observed_at"].isoformat() == "2025-03-02T00:00:00" and late_entry["outcome_quarter"] == "2025Q1"
    summer = rows_by(market.summer / "features.parquet", "observation_id")
    assert "d-reopened" in spring and "d-reopened" not in summer


def test_label_rows_are_decided_new_business_of_known_accounts(spring: dict[str, dict[str, Any]]) -> None:
    labels = {
        name: (r["account_id"], r["outcome_quarter"], r["is_won"]) for name, r in spring.items() if r["role"] == "label"
    }
    assert labels == {
        "d-won": ("acme", "2025Q1", True),
        "d-lost": ("bolt", "2024Q4", False),
        "d-late": ("late", "2025Q1", False),
        "d-twin": ("twin", "2025Q1", False),
        "d-reopened": ("bolt", "2025Q1", False),
        "d-backdated": ("bolt", "2025Q1", False),
    }


def test_score_rows_are_the_live_accounts_once_each(spring: dict[str, dict[str, Any]]) -> None:
    scored = {name for name, r in spring.items() if r["role"] == "score"}
    assert scored == {"score:acme", "score:bolt", "score:late", "score:twin"}


def test_a_deal_is_explained_by_what_was_known_when_it_opened(spring: dict[str, dict[str, Any]]) -> None:
    opened, now = spring["d-won"], spring["score:acme"]
    assert (opened["employees"], now["employees"]) == (40.0, 300.0)
    assert (opened["technologies"], now["technologies"]) == ("|snowflake|", "|aws|snowflake|")
    assert (opened["technology_maturity"], now["technology_maturity"]) == (3.0, 5.0)
    assert (opened["visits_30d"], opened["visits_90d"], now["visits_90d"]) == (5.0, 5.0, 112.0)
    assert (opened["events_365d"], now["events_365d"]) == (1.0, 2.0)
    assert (opened["company_age_years"], opened["is_customer"], now["is_customer"]) == (21.0, False, True)
    assert spring["d-backdated"]["observed_at"].isoformat() == "2025-03-02T00:00:00"


def test_values_are_cleaned_and_in_one_currency(spring: dict[str, dict[str, Any]]) -> None:
    opened, bolt = spring["d-won"], spring["score:bolt"]
    assert opened["outcome_value"] == pytest.approx(1270.0)
    assert opened["annual_revenue"] == pytest.approx(1.09e6)
    assert (opened["industry"], spring["score:acme"]["industry"]) == ("Computer Software", "Computer Software")
    assert (opened["country"], opened["region"]) == ("DE", "Bayern")
    assert (bolt["industry"], bolt["country"], bolt["region"]) == ("Robotics", "US", "California")
    assert bolt["employees"] is None
    assert (bolt["technologies"], bolt["technology_count"]) == ("||", 0.0)
    assert spring["score:late"]["technologies"] is None
    assert spring["score:late"]["visits_30d"] is None


def test_an_account_first_known_later_is_marked_as_backfilled(spring: dict[str, dict[str, Any]]) -> None:
    late = spring["d-late"]
    assert (late["is_backfilled"], late["employees"], late["known_at"].year) == (True, 9.0, 2024)
    assert late["source_load_id"] == "load-0"
    assert late["source_row"] == 6
    assert not any(row["is_backfilled"] for row in spring.values() if row["role"] == "score")


def test_merges_are_logged_with_their_reason(market: Market) -> None:
    assert market.merges == [("acme-copy", "acme", "same domain"), ("old", "bolt", "merged in the CRM")]


def test_declared_attributes_arrive_typed_and_as_known_then(market: Market) -> None:
    declared = rows_by(market.spring / "declared.parquet", "observation_id")
    assert declared["d-won"]["attr_model"] is None
    assert declared["score:acme"] == {
        "observation_id": "score:acme", "attr_model": "B2B", "attr_offices": 3.0, "attr_listed": True,
        "attr_markets": "|dach|uk|",
    }  # fmt: skip
    assert set(declared) == set(rows_by(market.spring / "features.parquet", "observation_id"))


def test_best_customers_are_observed_before_the_quarter_they_are_judged_on(market: Market) -> None:
    label = {"kind": "best_customer", "measure": "revenue", "top_share": 0.34, "horizon_quarters": 1}
    folder = market.build("best", SPRING, *UNTESTED, label=label)
    features = rows_by(folder / "features.parquet", "observation_id")
    rows = {k: (r["is_won"], r["outcome_value"]) for k, r in features.items() if r["outcome_quarter"] == "2025Q1"}
    assert rows == {
        "acme@2025Q1": (True, 50.0),
        "bolt@2025Q1": (False, 0.0),
        "late@2025Q1": (False, 0.0),
        "twin@2025Q1": (False, 0.0),
    }
    assert features["bolt@2025Q1"]["observed_at"].isoformat() == "2025-01-01T00:00:00"
    assert features["bolt@2025Q1"]["tenure_years"] == 0.84
    assert "gone@2024Q4" not in features


def test_accounts_and_deals_alone_are_enough(market: Market, declares: set[str]) -> None:
    landed = {table: market.landing.files(SPRING)[table] for table in ("accounts", "opportunities")}
    folder = market.build("bare", SPRING, *UNTESTED, landed=landed, declared_attributes=[])
    acme = rows_by(folder / "features.parquet", "observation_id")["d-won"]
    assert acme["employees"] == 40.0
    told_by_the_crm = {name for name in declares if acme[name] is not None}
    assert told_by_the_crm == {
        "employees", "annual_revenue", "employees_growth", "industry", "country", "region", "company_age_years", "sells_to",
        "ownership", "funding_stage", "months_since_funding", "is_subsidiary", "parent_is_customer", "has_own_domain",
        "site_traffic", "lost_deals_before",
    }  # fmt: skip


def test_the_new_tables_are_read_as_known_then(spring: dict[str, dict[str, Any]]) -> None:
    opened, now, late = spring["d-won"], spring["score:acme"], spring["score:late"]
    assert (opened["employees_growth"], now["employees_growth"]) == (100.0, None)
    assert (opened["sells_to"], opened["ownership"], opened["funding_stage"]) == (
        "Businesses",
        "Venture-backed",
        "Series A",
    )
    assert (opened["months_since_funding"], opened["is_subsidiary"], opened["parent_is_customer"]) == (10.0, True, True)
    assert (opened["first_touch_channel"], opened["pricing_views_90d"]) == ("Organic search", 2.0)
    assert (opened["technologies_added_365d"], now["technologies_added_90d"]) == (1.0, 1.0)
    assert (opened["uses_competitor"], now["uses_competitor"], now["dropped_competitor_90d"]) == (True, False, True)
    assert late["evaluates_competitor"] is True
    assert (opened["contacts_known"], opened["buying_roles"], opened["senior_contact_share"]) == (
        2.0,
        "|champion|",
        100.0,
    )
    assert (now["contacts_known"], now["buying_roles"]) == (3.0, "|blocker|champion|user|")
    assert (opened["is_referred"], now["is_referred"]) == (False, True)
    assert (late["customer_links"], late["investor_links"], spring["d-late"]["customer_links"]) == (2.0, 1.0, 0.0)
    assert (spring["score:bolt"]["is_past_customer"], spring["score:bolt"]["has_churned_365d"]) == (True, True)


def test_what_became_of_won_deals_is_known_when_their_horizon_is_over(market: Market, tmp_path: Path) -> None:
    """d-won is of 28 February 2025 in New York: what acme paid until May counts once the second quarter is over."""
    landing = Landing(tmp_path)
    landing.loads = list(market.landing.loads)
    landing.land("revenue", "2025-06-30", [
        {"account_id": "acme", "month": month, "revenue": revenue, "gross_margin": margin, "currency": "USD"}
        for month, revenue, margin in (("2025-04-01", 30.0, 9.0), ("2025-06-01", 70.0, 20.0), ("2025-07-01", 1e6, 1e6))
    ])  # fmt: skip
    landing.land("surveys", "2025-06-30", [
        {"response_id": "r1", "account_id": "acme", "survey_kind": "NPS", "score": 9.0, "responded_at": "2025-05-01"},
        {"response_id": "r2", "account_id": "acme", "survey_kind": "NPS", "score": 0.0, "responded_at": "2024-05-01"},
    ])  # fmt: skip
    label = {"kind": "good_customer", "horizon_quarters": 1}
    folder = market.build("good", SUMMER, landed=landing.files(SUMMER), label=label)
    rows = rows_by(folder / "features.parquet", "observation_id")
    won, lost, young = rows["d-won"], rows["d-lost"], rows["d-new"]
    facts = ("outcome_revenue", "outcome_gross_margin", "outcome_tenure_months", "outcome_is_churned", "outcome_nps")
    assert (won["outcome_quarter"], won["outcome_is_mature"]) == ("2025Q2", True)
    assert [won[name] for name in facts] == [80.0, 9.0, 2.0, False, 9.0]
    assert (lost["outcome_quarter"], lost["outcome_is_mature"], lost["outcome_revenue"]) == ("2025Q1", True, None)
    assert (young["outcome_quarter"], young["outcome_is_mature"]) == (None, False)
    outcomes = [name for name in won if name.startswith("outcome_")]
    assert len(outcomes) == 12
    assert all(row[name] is None for row in rows.values() if row["role"] == "score" for name in outcomes)


def test_accounts_sales_had_an_opportunity_with_were_worked(spring: dict[str, dict[str, Any]]) -> None:
    worked = {name: row["is_worked"] for name, row in spring.items() if row["role"] == "score"}
    assert worked == {"score:acme": True, "score:bolt": True, "score:late": True, "score:twin": True}
    assert {row["is_worked"] for row in spring.values() if row["role"] == "label"} == {None}


def test_dbt_tells_how_fresh_the_tables_of_a_lake_are(tmp_path: Path) -> None:
    """`dbt source freshness` by hand: the newest accepted load counts, whatever source it came from."""
    for source, name, day, table in (("crm", "l1", "2020-01-01", "accounts"), ("crm", "l2", "2020-03-01", "revenue"),
                                     ("erp", "l3", "2100-01-01", "revenue")):  # fmt: skip
        manifest_of = tmp_path / "lake/landing/_loads" / source / f"{name}.json"
        manifest_of.parent.mkdir(parents=True, exist_ok=True)
        manifest_of.write_text(json.dumps({"effective_at": f"{day}T00:00:00Z", "tables": {table: {"rows": 1}}}))
    told = run(tmp_path, tmp_path / "warehouse.duckdb", {"lake": str(tmp_path / "lake")}, "source", "freshness")
    found = {result.node.name: (str(result.status), result.max_loaded_at.year) for result in told.results}
    assert set(found) == set(contract.load(PROJECT).tables)
    assert found["accounts"] == ("warn", 2020) and found["revenue"] == ("pass", 2100)
    assert found["technologies"][0] == "warn"  # never landed
