"""The account list dbt makes from a profile's compiled statement: scores, reasons, tiers, and what moved whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt_lake import FEATURES, SERVING, Landing, digest, quarter_variables, rows_by, run

from icp.derive import points_table
from icp.profile import (
    Attribute,
    Bin,
    BinDictionary,
    BinEffect,
    Condition,
    Criterion,
    Estimate,
    Profile,
    Scorecard,
    Tier,
    Value,
    ValueDriver,
    ValueEffect,
)
from icp.scoring import compile_scoring_sql, criteria_columns

UNTESTED = ("--exclude", "resource_type:test")
RATE = Estimate(0.2, 0.1, 0.3)
SIZE = Attribute("employees", "numeric", "firmographic", "Employees")
SIZE_BINS = (Bin("..51", "under 51", None, 51), Bin("51..", "51 and more", 51, None), Bin("missing", "unknown"))
DBT = Attribute("technologies=dbt", "flag", "technographic", "Uses: dbt", source_column="technologies", member="dbt")
FLAG_BINS = (Bin("no", "no"), Bin("yes", "yes"), Bin("missing", "unknown"))
VISITS = Attribute("visits_30d", "numeric", "behavioural", "Visits in 30 days")
VISITS_BINS = (Bin("zero", "0"), Bin("1..", "some", 1, None), Bin("missing", "unknown"))
OFFICES = Attribute("attr_offices", "numeric", "firmographic", "Offices")
OFFICES_BINS = (Bin("..3", "up to 2", None, 3), Bin("3..", "3 and more", 3, None), Bin("missing", "unknown"))


def profile(*criteria: tuple[Attribute, tuple[Bin, ...], tuple[int, ...]]) -> Profile:
    cards: dict[str, list[Criterion]] = {"fit": [], "intent": []}
    for attribute, bins, points in criteria:
        effects = tuple(
            BinEffect(b.key, b.label, RATE, RATE, 0.9, worth, 5, 10, 1, "neutral")
            for b, worth in zip(bins, points, strict=True)
        )
        criterion = Criterion(
            attribute.name, attribute.label, attribute.family, "confirmed", 0.01, 0.01, 0.4, effects, "2025Q1"
        )
        cards[attribute.axis].append(criterion)
    return Profile(
        icp="main", quarter="2025Q1", state="derived", derived_in="2025Q1", window=("2025Q1",), opportunities=10, wins=2,
        base_rate=RATE, bins=BinDictionary("2025Q1", tuple(a for a, _, _ in criteria), {a.name: b for a, b, _ in criteria}),
        fit=Scorecard("fit", -2.0, 0.04, tuple(cards["fit"])), intent=Scorecard("intent", -1.0, 0.0, tuple(cards["intent"])),
        tiers=tuple(Tier(name, floor, 1, 1, 1, RATE, RATE, True) for name, floor in (("A", 70), ("B", 40), ("D", 0))),
        intent_levels=(100, 50), tests=(), paragraph="",
    )  # fmt: skip


HALF, SAME, DOUBLE = Estimate(0.5, 0.4, 0.625), Estimate(1.0, 0.8, 1.25), Estimate(2.0, 1.6, 2.5)
WORTH = Value(
    derived_in="2025Q1", wins=40, valued=40, missing=0, not_positive=0, limited=0, level=Estimate(1_000.0, 800.0, 1_250.0),
    spread=0.5, win_error=0.1, tests=(),
    drivers=(ValueDriver("employees", "Employees", "confirmed", 0.01, 0.01, 0.4, tuple(
        ValueEffect(b.key, b.label, multiplier, 20) for b, multiplier in zip(SIZE_BINS, (HALF, DOUBLE, SAME), strict=True)
    )),),
)  # fmt: skip
BEFORE = profile((SIZE, SIZE_BINS, (0, 100, 50)), (VISITS, VISITS_BINS, (0, 100, 50)))
AFTER = profile(
    (SIZE, SIZE_BINS, (0, 30, 10)), (DBT, FLAG_BINS, (0, 50, 5)), (OFFICES, OFFICES_BINS, (0, 20, 5)),
    (VISITS, VISITS_BINS, (0, 100, 50)),
)  # fmt: skip
AFTER = replace(AFTER, value=WORTH)
LARGE_ON_DBT = Attribute(
    "segment employees=51.. & technologies=dbt=yes", "segment", "firmographic", "Large × Uses dbt",
    conditions=(Condition("employees", ("51..",)), Condition("technologies=dbt", ("yes",))), found_in="2025Q1",
)  # fmt: skip
SEGMENTED = profile(
    (SIZE, SIZE_BINS, (0, 30, 10)), (DBT, FLAG_BINS, (0, 20, 5)), (LARGE_ON_DBT, FLAG_BINS, (0, 50, 15))
)
NO_ICP = profile()


def land(landing: Landing) -> None:
    def company(name: str, employees: float | None, modified_at: str, **more: Any) -> dict[str, Any]:
        return {
            "account_id": name, "account_name": name.title(), "company_domain": f"{name}.com", "employees": employees,
            "created_at": "2024-01-01", "modified_at": modified_at,
        } | more  # fmt: skip

    landing.land("accounts", "2025-03-31", [
        company("steady", 500.0, "2025-01-01"),
        company("grower", 20.0, "2025-01-01"),
        company("modern", 30.0, "2025-01-01"),
        company("blank", None, "2025-01-01"),
    ])  # fmt: skip
    landing.land("accounts", "2025-06-30", [
        company("grower", 90.0, "2025-05-01", attr_offices=4.0),
        company("arrival", 12.5, "2025-05-01", created_at="2025-05-01", attr_offices=2.0),
    ], {"attr_offices": "double"})  # fmt: skip
    landing.land("technologies", "2025-03-31", [
        {"website": f"{name}.com", "company_domain": f"{name}.com", "technology": technology, "first_detected_at": "2025-01-01"}
        for name in ("steady", "grower", "modern") for technology in ("dbt", "AWS")
    ])  # fmt: skip
    landing.land("web_activity", "2025-06-30", [
        {"website": "modern.com", "company_domain": "modern.com", "activity_date": day, "visits": 2.0}
        for day in ("2025-01-01", "2025-07-01")
    ])  # fmt: skip


class Refreshes:
    """Two quarters of refreshes: the first list, then one with another ICP, then the second quarter once more."""

    def __init__(self, root: Path) -> None:
        self.root, self.landing = root, Landing(root)
        land(self.landing)
        self.first = self.refresh("first", "2025-04-06 00:00:00", BEFORE, limits=UNTESTED)
        self.second = self.refresh("second", "2025-07-06 00:00:00", AFTER, BEFORE, self.first)
        self.again = self.serve("second", "again", AFTER, BEFORE, self.first, UNTESTED)
        self.segmented = self.serve("second", "segmented", SEGMENTED, AFTER, self.second, UNTESTED)
        self.no_icp = self.serve("second", "no_icp", NO_ICP, AFTER, self.second, UNTESTED)

    def refresh(
        self, name: str, as_of: str, icp: Profile, before: Profile | None = None, incumbent: Path | None = None,
        limits: tuple[str, ...] = (),
    ) -> Path:  # fmt: skip
        self.told = {
            "as_of": as_of, "quarters": quarter_variables("2025Q1"), "landed": self.landing.files(as_of),
            "declared_attributes": [{"name": "attr_offices", "kind": "numeric"}], "label": {"kind": "won"},
        }  # fmt: skip
        warehouse = self.root / name / "warehouse.duckdb"
        run(self.root, warehouse, self.told, "build", "--select", *FEATURES, *UNTESTED)
        return self.serve(name, name, icp, before, incumbent, limits)

    def serve(
        self, warehouse: str, name: str, icp: Profile, before: Profile | None = None, incumbent: Path | None = None,
        limits: tuple[str, ...] = (),
    ) -> Path:  # fmt: skip
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        points_table(icp).to_parquet(folder / "points.parquet")
        told = self.told | {
            "scoring_sql": compile_scoring_sql(icp),
            "scoring_columns": [
                {"attribute": c.attribute, "axis": c.axis, "bin": c.bin_column, "points": c.points_column,
                 "source_column": c.source_column}
                for c in criteria_columns(icp)
            ],
            "points_path": str(folder / "points.parquet"),
            "tiers": [{"name": t.name, "min_score": t.min_score} for t in icp.tiers],
            "qualified_tiers": ["A"], "intent_levels": list(icp.intent_levels),
            "previous_scoring_sql": compile_scoring_sql(before) if before else "",
            "previous_tiers": [{"name": t.name, "min_score": t.min_score} for t in before.tiers] if before else [],
            "previous_accounts_path": str(incumbent / "accounts.parquet") if incumbent else "",
        } | {f"{f}_path": str(folder / f"{f}.parquet") for f in ("accounts", "contributions", "migration", "lists")}  # fmt: skip
        run(self.root, self.root / warehouse / "warehouse.duckdb", told, "build", "--select", *SERVING, *limits)
        return folder


@pytest.fixture(scope="module")
def refreshes(tmp_path_factory: pytest.TempPathFactory) -> Refreshes:
    return Refreshes(tmp_path_factory.mktemp("refreshes"))


@pytest.fixture(scope="module")
def second(refreshes: Refreshes) -> dict[str, dict[str, Any]]:
    return rows_by(refreshes.second / "accounts.parquet", "account_id")


def test_every_account_is_scored_by_the_compiled_statement(second: dict[str, dict[str, Any]]) -> None:
    scores = {
        name: (row["fit_score"], row["intent_score"], row["tier"], row["priority"]) for name, row in second.items()
    }
    assert scores == {
        "steady": (85, 0, "A", "A3"),
        "grower": (100, 0, "A", "A3"),
        "modern": (55, 100, "B", "B1"),
        "blank": (20, 0, "D", "D3"),
        "arrival": (5, 0, "D", "D3"),
    }
    assert second["grower"]["win_probability"] == pytest.approx(0.880797, abs=1e-6)


def test_every_account_has_an_expected_value_with_its_interval(second: dict[str, dict[str, Any]]) -> None:
    values = {name: row["expected_value"] / row["win_probability"] for name, row in second.items()}
    assert values == pytest.approx(
        {"steady": 2_000.0, "grower": 2_000.0, "modern": 500.0, "blank": 1_000.0, "arrival": 500.0}
    )
    assert all(
        row["expected_value_low"] < row["expected_value"] < row["expected_value_high"] for row in second.values()
    )


def test_without_a_value_part_there_is_no_expected_value(refreshes: Refreshes) -> None:
    rows = rows_by(refreshes.no_icp / "accounts.parquet", "account_id")
    assert {row["expected_value"] for row in rows.values()} == {None}


def test_every_move_has_its_cause(second: dict[str, dict[str, Any]]) -> None:
    moves = {
        n: (r["previous_fit_score"], r["previous_tier"], r["tier"], r["migration_cause"]) for n, r in second.items()
    }
    assert moves == {
        "steady": (100, "A", "A", "unchanged"),
        "grower": (0, "D", "A", "account changed"),
        "modern": (0, "D", "B", "ICP changed"),
        "blank": (50, "B", "D", "ICP changed"),
        "arrival": (None, None, "D", "new account"),
    }


def test_a_first_list_has_nothing_to_compare_with(refreshes: Refreshes) -> None:
    first = rows_by(refreshes.first / "accounts.parquet", "account_id")
    assert {row["migration_cause"] for row in first.values()} == {""}
    assert {row["previous_tier"] for row in first.values()} == {None}


def test_reasons_and_points_are_readable(refreshes: Refreshes, second: dict[str, dict[str, Any]]) -> None:
    assert second["grower"]["reasons"] == "uses dbt (+32); Employees 51 and more (+17); Offices 3 and more (+12)"
    assert second["blank"]["reasons"] == (
        "not known whether it uses dbt (-13); Offices not known (-3); Employees not known (-3)"
    )
    query = (
        f"select * from '{refreshes.second / 'contributions.parquet'}' where account_id = 'grower' order by attribute"
    )
    with duckdb.connect() as reader:
        rows = reader.execute(query).fetch_df().set_index("attribute")
    assert rows.loc["technologies=dbt", "value_text"] == "aws, dbt"
    assert rows.loc["employees", ["value_text", "bin_label", "points"]].tolist() == ["90", "51 and more", 30]
    assert rows.loc["visits_30d", "axis"] == "intent"


def test_migration_counts_every_account(refreshes: Refreshes) -> None:
    with duckdb.connect() as reader:
        counted = reader.execute(f"select * from '{refreshes.second / 'migration.parquet'}'").fetchall()
    assert counted == [
        ("A", "A", "unchanged", 1),
        ("B", "D", "ICP changed", 1),
        ("D", "A", "account changed", 1),
        ("D", "B", "ICP changed", 1),
        (None, "D", "new account", 1),
    ]


def test_the_same_inputs_give_the_same_bytes(refreshes: Refreshes) -> None:
    files = ("accounts.parquet", "contributions.parquet", "migration.parquet")
    assert digest(*(refreshes.second / f for f in files)) == digest(*(refreshes.again / f for f in files))


def test_a_segment_is_one_more_line_of_the_sum(refreshes: Refreshes) -> None:
    accounts = rows_by(refreshes.segmented / "accounts.parquet", "account_id")
    with duckdb.connect() as reader:
        lines = reader.execute(f"select * from '{refreshes.segmented / 'contributions.parquet'}'").fetch_df()
    own = lines[lines["attribute"] == LARGE_ON_DBT.name].set_index("account_id")
    # no: a condition fails, whatever else is not known; missing: none fails, and not all are known
    assert own["bin_key"].to_dict() == {
        "steady": "yes", "grower": "yes", "modern": "no", "arrival": "no", "blank": "missing",
    }  # fmt: skip
    assert lines.groupby("account_id")["points"].sum().to_dict() == {n: r["fit_score"] for n, r in accounts.items()}
    assert accounts["steady"]["fit_score"] == 100 and accounts["blank"]["fit_score"] == 30
    assert accounts["steady"]["reasons"].startswith("segment Large × Uses dbt (+")


def test_without_criteria_everybody_scores_nothing_and_nothing_breaks(refreshes: Refreshes) -> None:
    accounts = rows_by(refreshes.no_icp / "accounts.parquet", "account_id")
    assert {row["fit_score"] for row in accounts.values()} == {0}
    assert rows_by(refreshes.no_icp / "contributions.parquet", "account_id") == {}
