"""The compiled SQL, run in a real DuckDB, gives every account the bin and points that the core's encoding gives."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import duckdb
import pandas as pd
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from small_profiles import FLAG_BINS, MISSING_BIN, profile

from icp.bins import encode
from icp.errors import ConfigError
from icp.profile import Attribute, Bin, Condition, Profile
from icp.scoring import DIALECTS, compile_scoring_sql, criteria_columns

EMPLOYEES = Attribute("employees", "numeric", "firmographic", "Company size")
SALES = Attribute("attr_annual sales", "numeric", "firmographic", "Annual sales")
INDUSTRY = Attribute("industry", "category", "firmographic", "Industry")
ORDER = Attribute("order", "category", "firmographic", "A reserved word")
PARTNER = Attribute("attr_is_partner", "flag", "relationship", "Partner")
VISITS = Attribute("visits_30d", "numeric", "behavioural", "Visits")
ODD_MEMBERS = ("snowflake", "aws_lambda", "C%", "O'Reilly \\ Co", 'say "hi"')
MEMBERS = tuple(
    Attribute(f"technologies={m}", "flag", "technographic", m, source_column="technologies", member=m)
    for m in ODD_MEMBERS
)
SEGMENT = Attribute(
    "segment size & tools",
    "segment",
    "firmographic",
    "Large and on Snowflake",
    conditions=(Condition("employees", ("11..50.5", "50.5..")), Condition("technologies=snowflake", ("yes",))),
    found_in="2026Q1",
)
SIZE_BINS = (
    Bin("..11", "up to 10", None, 11),
    Bin("11..50.5", "11-50", 11, 50.5),
    Bin("50.5..", "51+", 50.5, None),
    MISSING_BIN,
)
SALES_BINS = (
    Bin("zero", "none", 0.0, 0.0),
    Bin("..1", "under 1", None, 1.0),
    Bin("1..", "some", 1.0, None),
    MISSING_BIN,
)
LEVELS = ("Software", "O'Brien \\ Sons", "a|b", "other", "missing", "größer")
INDUSTRY_BINS = (
    *(Bin(f"={lv}" if lv == "missing" else lv, lv, levels=(lv,)) for lv in LEVELS if lv != "other"),
    Bin("other", "any other"),
    MISSING_BIN,
)
PROFILE = profile(
    [
        (EMPLOYEES, SIZE_BINS, (0, 7, 30, 4)),
        (SALES, SALES_BINS, (0, 5, 6, 1)),
        (INDUSTRY, INDUSTRY_BINS, (11, 3, 9, 2, 8, 0, 1)),
        (ORDER, (Bin("x", "x", levels=("x",)), Bin("other", "any other"), MISSING_BIN), (2, 0, 1)),
        (PARTNER, FLAG_BINS, (0, 6, 2)),
        *((member, FLAG_BINS, (0, 8, 1)) for member in MEMBERS),
        (SEGMENT, FLAG_BINS, (0, 9, 3)),
        (VISITS, SIZE_BINS, (0, 40, 100, 10)),
    ]
)  # fmt: skip

numbers = st.one_of(
    st.none(),
    st.sampled_from([-1.0, 0.0, 1e-3, 10.0, 10.999999999, 11.0, 50.5, 51.0, math.nan, math.inf, -math.inf]),
    st.floats(-1e9, 1e9),
)
texts = st.one_of(st.none(), st.sampled_from([*LEVELS, "", "  ", " Software ", "software", "x", "unseen"]))
member_sets = st.one_of(
    st.none(),
    st.just("||"),
    st.lists(st.sampled_from([*ODD_MEMBERS, "aws-lambda", "Cx", "snow"]), min_size=1, max_size=4).map(
        lambda members: f"|{'|'.join(members)}|"
    ),
)
accounts = st.fixed_dictionaries(
    {
        "employees": numbers,
        "attr_annual sales": numbers,
        "industry": texts,
        "order": texts,
        "attr_is_partner": st.sampled_from([True, False, None]),
        "technologies": member_sets,
        "visits_30d": numbers,
    }
)
TYPES = {"employees": "DOUBLE", "attr_annual sales": "DOUBLE", "attr_is_partner": "BOOLEAN", "visits_30d": "DOUBLE"}


def run_sql(rows: list[dict[str, Any]], scored: Profile = PROFILE) -> pd.DataFrame:
    """The compiled statement on these rows in an in-memory DuckDB."""
    columns = list(rows[0])
    with duckdb.connect() as connection:
        declared = ", ".join(f'"{c}" {TYPES.get(c, "VARCHAR")}' for c in columns)
        connection.execute(f"CREATE TABLE accounts (account_id INTEGER, {declared})")
        marks = ", ".join("?" * (len(columns) + 1))
        connection.executemany(
            f"INSERT INTO accounts VALUES ({marks})", [[i, *(row[c] for c in columns)] for i, row in enumerate(rows)]
        )
        statement = compile_scoring_sql(scored, "accounts")
        return connection.execute(f"SELECT * FROM ({statement}) ORDER BY account_id").fetchdf()


@settings(max_examples=15, deadline=None)
@given(st.lists(accounts, min_size=1, max_size=12))
def test_sql_gives_every_account_the_bin_and_points_of_the_core(rows: list[dict[str, Any]]) -> None:
    scored = run_sql(rows)
    codes = encode(pd.DataFrame(rows, dtype=object), PROFILE.bins)
    expected = {"fit": 0, "intent": 0}
    for column in criteria_columns(PROFILE):
        effects = PROFILE.scorecard(column.axis).criterion(column.attribute).bins  # type: ignore[union-attr]
        keys = [PROFILE.bins.bins[column.attribute][code].key for code in codes[column.attribute]]
        assert scored[column.bin_column].tolist() == keys, column.attribute
        points = [next(e.points for e in effects if e.key == key) for key in keys]
        assert scored[column.points_column].tolist() == points
        expected[column.axis] += pd.Series(points)
    assert scored["fit_score"].tolist() == expected["fit"].tolist()
    assert scored["intent_score"].tolist() == expected["intent"].tolist()
    for score, chance in zip(scored["fit_score"], scored["win_probability"], strict=True):
        assert chance == pytest.approx(1 / (1 + math.exp(2.5 - 0.04 * score)))


def test_a_wildcard_in_a_member_is_not_a_wildcard() -> None:
    row = {"employees": None, "attr_annual sales": None, "industry": None, "order": None, "attr_is_partner": None}
    scored = run_sql([row | {"technologies": "|aws-lambda|Cx|", "visits_30d": 1.0}])
    assert scored.loc[0, "bin_technologies_aws_lambda"] == "no"
    assert scored.loc[0, "bin_technologies_c"] == "no"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_one_parseable_statement(dialect: str) -> None:
    statements = sqlglot.parse(compile_scoring_sql(PROFILE, "analytics.account_features", dialect), read=dialect)
    assert len(statements) == 1
    names = statements[0].named_selects if statements[0] is not None else []
    assert names[-4:] == ["win_probability", "expected_value", "expected_value_low", "expected_value_high"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_levels_survive_the_round_trip_through_every_dialect(dialect: str) -> None:
    tree = sqlglot.parse_one(compile_scoring_sql(PROFILE, dialect=dialect), read=dialect)
    literals = {literal.this for literal in tree.find_all(sqlglot.exp.Literal) if literal.is_string}
    assert {"O'Brien \\ Sons", "größer", "|O'Reilly \\ Co|", "|C%|"} <= literals


def test_unknown_dialect_names_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'oracle'\. Choose one of: duckdb, snowflake"):
        compile_scoring_sql(PROFILE, dialect="oracle")


def test_header_says_which_icp_and_how_to_use_it() -> None:
    head = compile_scoring_sql(PROFILE).split("WITH")[0]
    assert "-- ICP main, 2026Q2" in head
    assert "__account_features__" in head
    assert all(line.startswith("-- ") for line in head.strip().splitlines())


def test_columns_of_long_names_stay_apart_within_the_63_characters_of_postgres() -> None:
    long = "segment employees=11..51|51..201 & industry=computer software and services & region="
    pair = [replace(SEGMENT, name=long + region) for region in ("north", "south")]
    columns = criteria_columns(
        profile([(EMPLOYEES, SIZE_BINS, (0, 4, 9, 1)), *((s, FLAG_BINS, (0, 9, 3)) for s in pair)])
    )
    names = [name for c in columns for name in (c.bin_column, c.points_column)]
    assert max(map(len, names)) <= 63 and len(set(names)) == len(names)


def test_columns_are_plain_unique_and_in_the_order_of_the_scorecards() -> None:
    twins = [
        Attribute(name, "flag", "technographic", name, source_column="t", member=name) for name in ("c#", "c++", "C")
    ]
    columns = criteria_columns(profile([(twin, FLAG_BINS, (0, 1, 0)) for twin in twins]))
    assert [c.bin_column for c in columns] == ["bin_c", "bin_c_2", "bin_c_3"]
    assert [c.attribute for c in columns] == ["c#", "c++", "C"]
    assert [c.axis for c in criteria_columns(PROFILE)] == ["fit"] * 11 + ["intent"]


def test_a_profile_without_criteria_scores_everybody_zero() -> None:
    scored = run_sql([{"employees": 5.0}], profile([]))
    assert scored[["fit_score", "intent_score"]].to_numpy().tolist() == [[0, 0]]
    assert scored.loc[0, "win_probability"] == pytest.approx(1 / (1 + math.exp(2.5)))
