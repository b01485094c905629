"""The gates: every shipped suite on good and bad frames, and the answers people read."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from expectations.capacity import tier_limits
from expectations.gate import GateResult, read_landed, run_suite, suite_path
from expectations.suite import SUITES, fill_suite, read_suite
from flows.sync_wanted import check_fields
from icp.errors import ConfigError, GateFailed

CONTRACT = SUITES.parent / "dbt_project/models/staging/_files__sources.yml"
EFFECTIVE = datetime(2026, 10, 2, tzinfo=UTC)
LANDING = {"effective_at": EFFECTIVE, "extracted_at": datetime(2026, 10, 3, tzinfo=UTC)}
FEATURES = {"as_of": datetime(2026, 10, 5, tzinfo=UTC), "newest_quarter": "2026Q3"}
PANDAS_TYPES = {
    "varchar": "str",
    "double": "float64",
    "boolean": "object",
    "date": "object",
    "timestamp": "datetime64[us]",
}


def moments(*values: str | None) -> pd.Series:
    return pd.Series(pd.to_datetime(list(values)).as_unit("us"))


def landed(table: str, **columns: Any) -> pd.DataFrame:
    """A landed frame: the given columns, every other column of the contract null and typed."""
    rows = len(next(iter(columns.values())))
    tables = YAML(typ="safe").load(CONTRACT.read_text(encoding="utf-8"))["sources"][0]["tables"]
    contract = next(entry for entry in tables if entry["name"] == table)["columns"]
    frame = pd.DataFrame(
        {column["name"]: pd.Series([None] * rows, dtype=PANDAS_TYPES[column["data_type"]]) for column in contract}
    )
    extra = {
        "_source_file": "extract.csv",
        "_row": range(1, rows + 1),
        "_parse_errors": pd.Series([None] * rows, dtype="str"),
    }
    return frame.assign(**extra).assign(**columns)


def accounts(**columns: Any) -> pd.DataFrame:
    base = {
        "account_id": ["1", "2", "3"],
        "account_name": ["Acme", "Bolt", "Cog"],
        "website": ["acme.com", "bolt.io", None],
        "employees": [12.0, 400.0, None],
        "created_at": moments("2020-01-01", "2021-05-01", None),
        "modified_at": moments("2026-09-01", "2026-09-02", "2026-09-03"),
    }
    return landed("accounts", **(base | columns))


def opportunities(**columns: Any) -> pd.DataFrame:
    base = {
        "opportunity_id": ["a", "b", "c"],
        "account_id": ["1", "2", "3"],
        "is_closed": [True, True, False],
        "is_won": [True, False, False],
        "created_at": moments("2026-01-01", "2026-02-01", "2026-03-01"),
        "closed_at": moments("2026-05-01", "2026-06-01", None),
        "modified_at": moments("2026-05-01", "2026-06-01", "2026-03-02"),
    }
    return landed("opportunities", **(base | columns))


def features(**columns: Any) -> pd.DataFrame:
    base = {
        "observation_id": ["o1", "o2", "score:1", "score:2"],
        "account_id": ["1", "2", "1", "2"],
        "role": ["label", "label", "score", "score"],
        "observed_at": moments("2026-06-01", "2026-07-01", "2026-10-05", "2026-10-05"),
        "outcome_quarter": ["2026Q2", "2026Q3", None, None],
        "is_won": pd.Series([True, False, None, None], dtype=object),
        "outcome_value": [100.0, 0.0, None, None],
        "employees": [12.0, None, 14.0, 20.0],
        "country": ["US", "DE", "US", "DE"],
    }
    return pd.DataFrame(base | columns)


def scored(**columns: Any) -> pd.DataFrame:
    base = {
        "account_id": ["1", "2"],
        "account_name": ["Acme", "Bolt"],
        "company_domain": ["acme.com", None],
        "is_customer": [True, False],
        "fit_score": pd.Series([81, 0], dtype="int32"),
        "intent_score": pd.Series([100, 7], dtype="int32"),
        "tier": ["A", "D"],
        "is_icp_qualified": [True, False],
        "do_not_contact": [False, True],
        "priority": ["A1", "D3"],
        "win_probability": [0.5, 0.01],
        "expected_value": [500.0, 10.0],
        "expected_value_low": [400.0, 5.0],
        "expected_value_high": [600.0, 20.0],
        "reasons": ["51-200 employees (+14)", "no industry known (-3)"],
        "previous_fit_score": pd.Series([80, None], dtype="float64"),
        "previous_tier": pd.Series(["A", None], dtype="str"),
        "migration_cause": ["unchanged", "new account"],
        "industry": ["Software", None],
        "country": ["US", "DE"],
        "employees": [60.0, None],
        "known_at": moments("2026-01-01", "2026-01-01"),
        "source_load_id": ["l1", "l1"],
        "source_row": [1, 2],
    }
    return pd.DataFrame(base | columns)


def landing_gate(table: str, frame: pd.DataFrame, **parameters: Any) -> GateResult:
    return run_suite(
        suite_path(f"landing/{table}"),
        frame,
        label=f"crm {table}",
        index_columns=("_source_file", "_row"),
        parameters={**LANDING, **parameters},
    )


def features_gate(frame: pd.DataFrame, **parameters: Any) -> GateResult:
    return run_suite(
        suite_path("features"),
        frame,
        label="features of 2026Q3",
        index_columns=("observation_id",),
        parameters={**FEATURES, **parameters},
    )


def outbound_gate(frame: pd.DataFrame, **parameters: Any) -> GateResult:
    return run_suite(
        suite_path("outbound/accounts"),
        frame,
        label="the account list",
        index_columns=("account_id",),
        parameters=parameters,
    )


def broken(result: GateResult) -> set[str]:
    return {finding.rule for finding in result.failures}


def warned(result: GateResult) -> set[str]:
    return {finding.rule for finding in result.warnings}


# --- landing ----------------------------------------------------------------------------------------------------------

GOOD = {
    "accounts": accounts(),
    "opportunities": opportunities(),
    "revenue": landed(
        "revenue", account_id=["1", "1"], month=[date(2026, 8, 1), date(2026, 9, 1)], revenue=[10.0, -2.0]
    ),
    "surveys": landed(
        "surveys", response_id=["r"], survey_kind=["NPS"], score=[10.0], responded_at=moments("2026-09-09 10:00")
    ),
    "web_activity": landed(
        "web_activity",
        website=["a.com", "a.com"],
        activity_date=[date(2026, 9, 1), date(2026, 9, 2)],
        visits=[1.0, 3.0],
    ),
    "technologies": landed(
        "technologies", website=["a.com"], technology=["Snowflake"], first_detected_at=moments("2024-01-01")
    ),
    "event_participation": landed(
        "event_participation",
        website=["a.com"],
        event_name=["Expo"],
        occurred_on=[date(2026, 5, 5)],
        participation=["attended"],
    ),
    "contacts": landed(
        "contacts",
        contact_id=["p"],
        account_id=["1"],
        created_at=moments("2024-01-01"),
        modified_at=moments("2025-01-01"),
    ),
    "competitor_signals": landed(
        "competitor_signals",
        website=["a.com"],
        competitor=["Rival"],
        signal=["In sales cycle"],
        occurred_on=[date(2026, 5, 5)],
    ),
    "account_links": landed(
        "account_links",
        website=["a.com"],
        linked_account_id=["2"],
        link_kind=["Shared investor"],
        known_on=[date(2026, 5, 5)],
    ),
}


def test_every_landed_table_has_a_suite_and_a_good_load_to_try_it_on() -> None:
    tables = YAML(typ="safe").load(CONTRACT.read_text(encoding="utf-8"))["sources"][0]["tables"]
    assert set(GOOD) == {entry["name"] for entry in tables}


@pytest.mark.parametrize("table", sorted(GOOD))
def test_a_good_load_passes_without_a_warning(table: str) -> None:
    result = landing_gate(table, GOOD[table])
    assert result.success, result.summary()
    assert not result.warnings, result.summary()
    assert result.checks == result.checks_passed > 5


def test_an_empty_load_is_refused() -> None:
    result = landing_gate("accounts", accounts().iloc[:0])
    assert broken(result) == {"the table has at least one row"}


@pytest.mark.parametrize("table", sorted(GOOD))
def test_an_address_in_any_text_column_refuses_the_load_and_is_never_repeated(table: str) -> None:
    frame = GOOD[table].copy()
    column = next(name for name in frame if frame[name].dtype == "str" and not str(name).startswith("_"))
    frame[column] = pd.Series(["jane.doe@acme.com"] * len(frame), dtype="str")
    result = landing_gate(table, frame)
    assert f"no e-mail address in {column}" in broken(result)
    assert "jane" not in result.summary() + json.dumps(result.to_dict(), default=str)


def test_what_counts_as_an_address() -> None:
    addresses = ["jane@acme.co", "Jane <jane@mail.acme.co.uk>", "info@müller.de", "a@b.museum!", "x@y.zz 5"]
    others = ["Team @ Acme", "medium.com/@acme.io", "@acme.io", "5 @ 2.50", "a@b"]
    texts = addresses + others
    ids = [str(number) for number in range(len(texts))]
    frame = landed("accounts", account_id=ids, account_name=texts)
    (finding,) = landing_gate("accounts", frame).failures
    assert finding.rows == tuple(("extract.csv", number) for number in range(1, len(addresses) + 1))


def test_a_missing_key_is_named_by_file_and_row() -> None:
    result = landing_gate("accounts", accounts(account_id=["1", None, "3"]))
    (finding,) = result.failures
    assert (finding.rule, finding.rows, finding.unexpected_count) == (
        "every row has an account_id",
        (("extract.csv", 2),),
        1,
    )
    assert result.index_columns == ("_source_file", "_row")
    assert "at source_file:row extract.csv:2" in result.summary()
    assert "do: check the mapping of account_id in icp.yml" in result.summary()


def test_a_repeated_record_is_refused_and_versions_of_one_record_are_only_noted() -> None:
    same = accounts(account_id=["1", "1", "3"], modified_at=moments("2026-09-01", "2026-09-01", None))
    assert broken(landing_gate("accounts", same)) == {
        "an account appears once per version (account_id and modified_at)"
    }
    undated = accounts(account_id=["1", "1", "3"], modified_at=moments(None, None, None))
    assert not landing_gate("accounts", undated).success
    versions = landing_gate("accounts", accounts(account_id=["1", "1", "3"]))
    assert versions.success
    assert warned(versions) == {"an account appears once in a load"}


def test_compound_keys_hold_when_a_part_is_null() -> None:
    day = [date(2026, 9, 1)] * 2
    twice = landed("web_activity", website=["a.com", "a.com"], activity_date=day, visits=[1.0, 3.0])
    result = landing_gate("web_activity", twice)
    assert broken(result) == {"a company's day appears once (account_id, website, activity_date)"}
    assert result.failures[0].values == ()


def test_values_out_of_range_are_tolerated_up_to_a_share() -> None:
    many = accounts(
        account_id=[str(number) for number in range(100)],
        employees=[-5.0] + [10.0] * 99,
        **dict.fromkeys(["account_name", "website"], "x"),
        created_at=moments(*["2020-01-01"] * 100),
        modified_at=moments(*["2020-01-01"] * 100),
    )
    result = landing_gate("accounts", many)
    assert result.success
    assert [(finding.values, finding.rows) for finding in result.warnings] == [(("-5.0",), (("extract.csv", 1),))]
    refused = landing_gate("accounts", accounts(employees=[-5.0, 6e6, 10.0]))
    assert broken(refused) == {"employees is between 0 and 5 million"}


def test_unreadable_values_are_tolerated_up_to_a_share_and_never_in_required_columns() -> None:
    one = accounts(_parse_errors=["employees='n/a'", None, None])
    assert "values can be read as the contract's types" in broken(landing_gate("accounts", one))
    assert landing_gate("accounts", one, parse_errors_tolerated=0.5).success
    required = opportunities(_parse_errors=["closed_at='x'; created_at='13.45.2026'", None, None])
    result = landing_gate("opportunities", required, parse_errors_tolerated=0.5)
    assert [finding.values for finding in result.failures] == [("closed_at='x'; created_at='13.45.2026'",)]


def test_an_address_in_unreadable_text_is_masked() -> None:
    result = landing_gate("accounts", accounts(_parse_errors=["employees='jane@acme.com'", None, None]))
    assert not result.success
    assert "<e-mail address>" in result.summary()
    assert "jane" not in json.dumps(result.to_dict(), default=str)


@pytest.mark.parametrize("closed", ["9999-12-31", "1900-01-01"])
def test_dates_out_of_any_sane_range_are_refused(closed: str) -> None:
    result = landing_gate("opportunities", opportunities(closed_at=moments(closed, "2026-06-01", None)))
    assert broken(result) == {"no decided deal closed after the load's date, or before 1970"}
    assert result.failures[0].values == (f"{closed} 00:00:00",)


def test_the_expected_close_date_of_an_open_deal_may_lie_ahead() -> None:
    assert landing_gate(
        "opportunities", opportunities(closed_at=moments("2026-05-01", "2026-06-01", "2027-01-01"))
    ).success


def test_facts_may_be_two_days_ahead_of_the_load_and_no_more() -> None:
    def visits(day: date) -> pd.DataFrame:
        return landed("web_activity", website=["a.com"], activity_date=[day], visits=[1.0])

    assert landing_gate("web_activity", visits(date(2026, 10, 4))).success
    assert broken(landing_gate("web_activity", visits(date(2026, 10, 5)))) == {
        "no visit is dated after the load's date, or before 1990"
    }


def test_a_full_history_of_revenue_may_be_effective_early_but_not_lie_in_the_future() -> None:
    history = landed("revenue", account_id=["1"], month=[date(2026, 9, 1)], revenue=[10.0])
    early = landing_gate("revenue", history, effective_at=datetime(2011, 1, 1))
    assert early.success
    assert warned(early) == {"no revenue is later than the load's date"}
    ahead = landed("revenue", account_id=["1"], month=[date(2027, 9, 1)], revenue=[10.0])
    assert "no revenue is dated before 1970 or in the future" in broken(landing_gate("revenue", ahead))


def test_volume_is_compared_with_history_once_there_is_one() -> None:
    first = landing_gate("accounts", accounts(), rows_min=None)
    assert first.success
    assert first.skipped == ("the table has as many rows as its history leads to expect (at least not given)",)
    (finding,) = landing_gate("accounts", accounts(), rows_min=50).failures
    assert (finding.detail, finding.unexpected_count) == ("found 3", None)
    assert "at least 50" in finding.rule


@pytest.mark.parametrize(
    ("kind", "score", "passes"), [("nps", 11.0, False), ("NPS", -1.0, False), ("csat", 88.0, True)]
)
def test_an_nps_score_lies_between_0_and_10(kind: str, score: float, passes: bool) -> None:
    frame = landed("surveys", response_id=["r"], survey_kind=[kind], score=[score], responded_at=moments("2026-09-09"))
    assert landing_gate("surveys", frame).success is passes


def test_stage_lists_that_contradict_each_other_are_refused() -> None:
    result = landing_gate("opportunities", opportunities(is_closed=[False, True, False]))
    assert broken(result) == {"every won deal is decided (is_closed)"}


def test_a_column_of_the_wrong_type_or_absent_is_said_so() -> None:
    wrong = landing_gate("accounts", accounts(employees=["12", "400", None]))
    assert "employees is a number" in broken(wrong)
    absent = landing_gate("accounts", accounts().drop(columns="founded_year"))
    assert any("there is no column founded_year" in finding.detail for finding in absent.failures)


def test_declared_attributes_must_be_finite() -> None:
    assert broken(landing_gate("accounts", accounts(attr_ratio=[1.0, math.inf, None]))) == {
        "attr_ratio is a finite number"
    }


def test_every_landed_table_of_the_contract_has_a_suite() -> None:
    tables = YAML(typ="safe").load(CONTRACT.read_text(encoding="utf-8"))["sources"][0]["tables"]
    assert {entry["name"] for entry in tables} == set(GOOD)
    for entry in tables:
        required = {column["name"] for column in entry["columns"] if column.get("meta", {}).get("required")}
        suite = read_suite(suite_path(f"landing/{entry['name']}"))
        never_null = [rule for rule in suite["expectations"] if rule["type"] == "expect_column_values_to_not_be_null"]
        checked = {rule["kwargs"]["column"] for rule in never_null} | set(never_null[0]["meta"].get("for_each", []))
        assert required <= checked, entry["name"]


def test_landed_parquet_is_read_with_dates_as_moments(tmp_path: Path) -> None:
    path = tmp_path / "part-0.parquet"
    GOOD["web_activity"].to_parquet(path)
    frame = read_landed([path])
    assert frame["activity_date"].dtype.kind == "M"
    assert landing_gate("web_activity", frame).success


# --- features ---------------------------------------------------------------------------------------------------------


def test_good_features_pass_and_coverage_is_reported() -> None:
    result = features_gate(features(), universe_rows=2, attributes=["employees", "country"])
    assert result.success, result.summary()
    assert {item.column: item.value for item in result.observed} == {"employees": 0.75, "country": 1.0}


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"observation_id": ["o1", "o1", "s1", "s2"]}, "an observation appears once"),
        ({"role": ["label", "label", "score", "scored"]}, "role is label or score"),
        ({"is_won": pd.Series([True, None, None, None], dtype=object)}, "every label row has is_won"),
        ({"outcome_quarter": ["2026Q3", None, None, None]}, "every label row has outcome_quarter"),
        ({"is_won": pd.Series([True, False, True, None], dtype=object)}, "no score row knows an outcome (is_won)"),
        ({"outcome_value": [1.0, 0.0, 3.0, None]}, "no score row knows an outcome (outcome_value)"),
        ({"outcome_nps": [9.0, None, 9.0, None]}, "no score row knows an outcome (outcome_nps)"),
        ({"outcome_quarter": ["2026Q2", "2026Q2", None, None]}, "the newest quarter (2026Q3) has at least one outcome"),
        ({"employees": [math.inf, 1.0, 2.0, 3.0]}, "employees is a finite number"),
        (
            {"observed_at": moments("2026-06-01", "2026-07-01", "2026-10-05", "2026-10-06")},
            "nothing is observed after the as-of date",
        ),
    ],
)
def test_features_the_statistics_may_not_be_given(columns: dict[str, Any], rule: str) -> None:
    assert rule in broken(features_gate(features(**columns)))


@pytest.mark.parametrize(
    "name", ["stage", "attr_LifecycleStage", "close_reason", "attr_first_order_year", "OrderFrequency"]
)
def test_columns_known_only_after_the_outcome_are_refused(name: str) -> None:
    (finding,) = features_gate(features(**{name: "x"})).failures
    assert finding.rule.startswith("no column is known only after the outcome")
    assert finding.detail == f"found {name}"


def test_every_account_of_the_universe_must_be_scored() -> None:
    assert features_gate(features(), universe_rows=3).failures[0].detail == "found 2"


def test_an_attribute_hardly_known_is_noted_not_refused() -> None:
    result = features_gate(features(industry=pd.Series([None] * 4, dtype="str")), attributes=["industry", "country"])
    assert result.success
    assert warned(result) == {"industry is known for enough rows (a share of 0.05 or more)"}
    assert result.warnings[0].detail == "found 0"


# --- outbound ---------------------------------------------------------------------------------------------------------


def test_a_good_list_passes() -> None:
    result = outbound_gate(scored(), universe_rows=2, tier_limits=tier_limits({"A": 0.5, "B": 0.15, "C": 0.3}))
    assert result.success, result.summary()
    assert not result.skipped


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"account_id": ["1", "1"]}, "every account appears once"),
        ({"tier": ["A", "E"]}, "tier is one of the ICP's tiers"),
        ({"fit_score": [81.5, 0.0]}, "fit_score is a whole number from 0 to 100"),
        ({"intent_score": [101, 0]}, "intent_score is a whole number from 0 to 100"),
        ({"reasons": ["a", None]}, "every account in a tier has its reasons"),
        ({"reasons": ["a", " "]}, "no reason is blank"),
        ({"win_probability": [1.2, 0.0]}, "win_probability is between 0 and 1"),
        ({"account_name": ["Acme", "jane@bolt.io"]}, "no e-mail address in account_name"),
        ({"contact_phone": ["1", "2"]}, "the list has the allowed columns and no other"),
    ],
)
def test_lists_that_may_not_leave(columns: dict[str, Any], rule: str) -> None:
    assert rule in broken(outbound_gate(scored(**columns)))


def test_a_list_without_all_accounts_may_not_leave() -> None:
    assert broken(outbound_gate(scored(), universe_rows=3)) == {"every account of the universe is in the list (3)"}


def test_accounts_may_lack_a_tier_only_when_the_data_support_no_tiers() -> None:
    frame = scored(tier=pd.Series([None, None], dtype="object"), reasons=pd.Series([None, None], dtype="object"))
    assert outbound_gate(frame).success
    refused = outbound_gate(frame, tier_limits=tier_limits({"A": 0.05}))
    assert broken(refused) == {"every scored account has a tier"}


def test_an_unexpected_column_is_named() -> None:
    assert outbound_gate(scored(contact_phone=["1", "2"])).failures[0].detail == "unexpected columns: contact_phone"


def test_tiers_beyond_capacity_warn_and_then_refuse() -> None:
    frame = pd.concat([scored()] * 50, ignore_index=True).assign(account_id=[str(number) for number in range(100)])

    def gate(tier_a: int) -> GateResult:
        frame["tier"] = ["A"] * tier_a + ["D"] * (100 - tier_a)
        return outbound_gate(frame, tier_limits=tier_limits({"A": 0.10}))

    assert not gate(13).warnings
    assert gate(20).success
    assert warned(gate(20)) == {"tier A is about as large as the capacity asked for"}
    assert broken(gate(40)) == {"tier A is not many times the capacity asked for"}


# --- the machinery ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SUITES.rglob("*.yml")), ids=lambda path: str(path.relative_to(SUITES)))
def test_every_suite_is_well_formed_and_every_rule_is_in_words(path: Path) -> None:
    suite = read_suite(path)
    assert suite["name"]
    for rule in suite["expectations"]:
        assert rule["severity"] in {"critical", "warning"}
        assert re.match(r"[\w{]", rule["meta"]["rule"]), rule
        assert len(rule["meta"]["rule"]) < 110


def test_results_are_plain_json_and_speak_in_plain_words() -> None:
    result = landing_gate("accounts", accounts(account_id=["1", None, "1"], employees=[-1.0, None, 2.0]))
    page = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert page["schema_version"] == 1
    assert page["failures"][0]["rows"] == [["extract.csv", 2]]
    summary = result.summary()
    assert summary.startswith("gate landing.accounts on crm accounts, 3 rows: refused, 2 of ")
    assert not re.search(r"expect_|Traceback|nan", summary)


def test_two_frames_in_a_row_do_not_see_each_other() -> None:
    assert not landing_gate("accounts", accounts(account_id=["1", None, "3"])).success
    assert landing_gate("accounts", accounts()).success


def test_rows_are_named_by_position_when_nothing_else_names_them() -> None:
    frame = scored(tier=["A", "E"]).drop(columns="account_id")
    result = run_suite(suite_path("outbound/accounts"), frame, label="a list")
    assert (2,) in [finding.rows[0] for finding in result.failures if finding.rows]


def test_a_suite_without_what_it_needs_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the caller must give effective_at"):
        run_suite(suite_path("landing/accounts"), accounts(), label="x")
    with pytest.raises(ConfigError, match="no suite of rules at"):
        run_suite(tmp_path / "none.yml", accounts(), label="x")
    page = tmp_path / "bad.yml"
    page.write_text("expectations: [{type: expect_column_values_to_be_uniqe, kwargs: {column: a}, meta: {rule: r}}]")
    with pytest.raises(ConfigError, match="expect_column_values_to_be_uniqe"):
        run_suite(page, pd.DataFrame({"a": [1]}), label="x")
    page.write_text("expectations: [{type: x}]")
    with pytest.raises(ConfigError, match=r"each with `type`, `kwargs` and `meta\.rule`"):
        run_suite(page, pd.DataFrame({"a": [1]}), label="x")
    page.write_text("expectations: [")
    with pytest.raises(ConfigError, match="not valid YAML"):
        run_suite(page, pd.DataFrame({"a": [1]}), label="x")
    page.write_text("expectations: [{type: x, kwargs: {column: '{oops}'}, meta: {rule: r}}]")
    with pytest.raises(ConfigError, match=r"'oops', which meta\.parameters does not declare"):
        run_suite(page, pd.DataFrame({"a": [1]}), label="x")
    page.write_text("expectations: [{type: x, kwargs: {column: a}, meta: {rule: r, for_each: oops}}]")
    with pytest.raises(ConfigError, match="`for_each: oops`"):
        run_suite(page, pd.DataFrame({"a": [1]}), label="x")


def test_parameters_keep_their_type_and_may_lie_some_days_later() -> None:
    filled = fill_suite(suite_path("landing/web_activity"), GOOD["web_activity"], {"effective_at": date(2026, 1, 30)})
    (latest,) = [
        check.kwargs["max_value"]
        for check in filled.checks
        if check.kwargs.get("column") == "activity_date" and "max_value" in check.kwargs
    ]
    assert latest == datetime(2026, 2, 1)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from("ABC"), st.floats(0.001, 0.33), min_size=1))
def test_limits_never_refuse_a_tier_within_its_capacity(capacities: dict[str, float]) -> None:
    for limit in tier_limits(capacities):
        others = 1 - capacities[str(limit["tier"])]
        assert float(limit["others_min"]) <= float(limit["others_expected"]) <= others


NAMES = {
    "hubspot": (
        "1", "hs_ideal_customer_profile", "tier_1", "hs_is_target_account", "icp_fit_score", "icp_reasons", "icp_scored_on",
    ),
    "salesforce": (
        "001000000000001AAA", "icp_tier__c", "A", "icp_is_target__c", "icp_fit_score__c", "icp_reasons__c", "icp_scored_on__c",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
def test_a_crm_is_told_nothing_it_would_not_take(kind: str, tmp_path: Path) -> None:
    key, tier, word, target, score, reasons, day = NAMES[kind]
    good = {"account_id": key, tier: word, target: "true", score: "80", reasons: "Retail (+3)", day: "2026-10-06"}
    empty = dict.fromkeys(good, None) | {"account_id": key[:-1] + "2"}

    def check(*rows: dict[str, str | None]) -> None:
        frame = pd.DataFrame(rows)
        check_fields(frame, tuple(frame.columns[1:]), kind, tmp_path)

    check(good, empty)
    check({name: value for name, value in good.items() if name not in (tier, reasons)})  # fewer properties, fewer rules
    for bad, rule in (
        ({tier: "tier_9"}, f"{tier} is one of its values"),
        ({target: "false"}, f"{target} is true or empty"),
        ({score: "101"}, f"{score} is a whole number from 0 to 100"),
        ({reasons: "x" * 70_000}, f"{reasons} is no longer than"),
        ({reasons: "ask jo@acme.com"}, f"no e-mail address in {reasons}"),
        ({day: "6 October"}, f"{day} is a day"),
        ({"account_id": "acme.com"}, "every account has an id of"),
    ):
        with pytest.raises(GateFailed, match=f"Nothing was planned or sent.*\n(?s:.*){rule}"):
            check({**good, **bad}, empty)
    with pytest.raises(GateFailed, match="every account is told once"):
        check(good, good)
