"""What is wrong with the data is named: deals that are no evidence, spellings nobody knows, quarters read too early."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.gates import check_features
from icp import contract
from icp.deals_left_out import DealsLeftOut, as_left_out, why_none
from icp.errors import ConfigError, NotEnoughEvidence
from icp.feature_frame import find_account, read_left_out
from icp.landed_dirt import landed_dirt, stale_tables
from icp.manifest import LoadedTable, Manifest
from icp.profile import Attribute
from icp.publication import coverage
from icp.spellings import unknown_spellings

SEEDS = Path(__file__).parents[2] / "dbt_project/seeds"
COUNTS = (
    DealsLeftOut("", "opening date not known", 2),
    DealsLeftOut("2017Q3", "existing business", 5),
    DealsLeftOut("2017Q4", "account not known", 80),
    DealsLeftOut("2017Q4", "existing business", 1985),
)


def test_every_deal_left_out_is_counted_with_its_reason() -> None:
    told = as_left_out(COUNTS)
    assert [(left.what, left.rows) for left in told] == [
        ("Deals with existing customers", 1990), ("Deals without a known account", 80), ("Deals without an opening date", 2),
    ]  # fmt: skip
    assert "opportunity_type" in told[0].reason


def test_every_exclusion_of_the_sql_has_words() -> None:
    sql = (SEEDS.parent / "models/intermediate/int_opportunities__resolved.sql").read_text()
    block = sql[sql.index("        case\n            when is_deleted") : sql.index("end as exclusion")]
    exclusions = [part.split("'")[1] for part in block.split("then ")[1:]]
    assert len(exclusions) == 5
    for exclusion in exclusions:
        assert as_left_out((DealsLeftOut("2017Q4", exclusion, 1),))[0].reason != exclusion


def test_a_quarter_without_outcomes_says_where_its_deals_went() -> None:
    told = why_none(COUNTS, "2017Q4")
    assert "1,985 deals with existing customers" in told and "80 deals without a known account" in told
    assert why_none(COUNTS, "2016Q4") == ""
    labels = pd.DataFrame({"outcome_quarter": ["2017Q3"]})
    with pytest.raises(NotEnoughEvidence, match="1,985 deals with existing customers"):
        check_features(labels, labels, (), as_of=pd.Timestamp("2018-01-06"), quarter="2017Q4", why_none=told)


def test_counts_are_read_from_the_file_of_dbt_or_are_none(tmp_path: Path) -> None:
    assert read_left_out(tmp_path / "absent.parquet") == ()
    rows = [{"quarter": c.quarter, "exclusion": c.exclusion, "deals": c.deals} for c in reversed(COUNTS)]
    pd.DataFrame(rows).to_parquet(tmp_path / "left_out.parquet")
    assert read_left_out(tmp_path / "left_out.parquet") == COUNTS


def test_spellings_no_seed_knows_are_named_with_the_nearest() -> None:
    accounts = pd.DataFrame({
        "country": ["US", "DE", "Philipines", None],
        "industry": ["Retail", "Computer Softwear", "Computer Softwear", None],
    })  # fmt: skip
    country, industry = unknown_spellings(accounts, SEEDS)
    assert "Philipines (1 account, perhaps PH)" in country and "country_synonyms.csv" in country
    assert "Computer Softwear (2 accounts, perhaps Computer Software)" in industry
    assert "Retail" not in industry
    assert unknown_spellings(accounts.iloc[:1], SEEDS) == ()


def test_the_coverage_line_of_a_set_reads_as_one() -> None:
    tools = Attribute(name="technologies", kind="set", family="technographic", label="Uses")
    rows = pd.DataFrame({"technologies": ["¦A¦"], "is_backfilled": [False]})
    assert coverage(rows, rows, (tools,))["label"].tolist() == ["Uses …"]


def test_an_account_outside_the_population_is_not_called_unknown(tmp_path: Path) -> None:
    revision = tmp_path / "2025Q2/r1"
    revision.mkdir(parents=True)
    names = {"account_id": ["a1"], "company_domain": ["acme.com"], "account_name": ["Acme"]}
    pd.DataFrame(names).to_parquet(revision / "accounts.parquet")
    with pytest.raises(ConfigError, match="outside the population"):
        find_account(revision, "a2")


def loaded(day: int, *, reason: str = "", tables: tuple[str, ...] = ("opportunities",)) -> Manifest:
    """A load of deals: five without an account, and one date nobody can read."""
    at = datetime(2025, 4, day, tzinfo=UTC)

    def check(rule: str, rows: int, values: list[str], fix: str) -> dict[str, Any]:
        return {"rule": rule, "unexpected_count": rows, "unexpected_share": rows / 10, "values": values, "fix": fix}

    result = {
        "label": f"crm opportunities of 2025-04-{day:02}",
        "warnings": [check("every deal names its account", 5, [], "repair the association")],
        "failures": [check("dates are dates", 1, ["closed_at='10th of Feb'", "a@b.com"], "set date_format")],
    }
    gate = {"results": [result], **({"released": {"reason": reason}} if reason else {})}
    landed = {name: LoadedTable(10, (), "", "", "", "", f"{name}.parquet") for name in tables}
    return Manifest(f"l{day}", "crm", at, at, (), landed, gate)


def test_what_the_gate_let_pass_is_told_with_its_rows() -> None:
    accepted, warned = landed_dirt([loaded(1), loaded(2, reason="a typing error.")])
    assert warned == (
        'crm opportunities of 2025-04-02: the rule "every deal names its account" does not hold for 5 rows (50.0%); nor in '
        "1 earlier load(s). To do: repair the association."
    )
    assert "1 row (10.0%), such as closed_at='10th of Feb'. Accepted by hand" in accepted and "@" not in accepted
    (told,) = landed_dirt([loaded(1)])
    assert told.endswith("To do: repair the association.")
    assert landed_dirt([loaded(1, tables=("accounts",))]) == ()  # the deals of that load have been replaced since


def test_a_table_whose_newest_load_is_old_is_stale() -> None:
    page = contract.load(SEEDS.parent)
    assert {name for name, table in page.tables.items() if table.stale_after_days is None} == set()
    loads = [loaded(1, tables=("opportunities", "technologies")), loaded(3)]
    assert stale_tables(loads, page, datetime(2025, 5, 8, tzinfo=UTC)) == ()
    (told,) = stale_tables(loads, page, datetime(2025, 5, 9, tzinfo=UTC))
    assert told.startswith("opportunities is stale: its newest load was true on 2025-04-03, 36 days before")
    both = stale_tables(loads, page, datetime(2025, 12, 1, tzinfo=UTC))
    assert [line.split()[0] for line in both] == [
        "opportunities",
        "technologies",
    ]  # revenue never landed: absent, not stale
