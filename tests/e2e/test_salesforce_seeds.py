"""Salesforce tables as a warehouse connector lands them, odd names and deletes included, mean the same behind staging."""

from __future__ import annotations

import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

import flows.dbt_project
from flows.ingest import pull_source
from flows.refresh_steps import plan_refresh
from flows.variables import feature_variables
from icp import config
from icp.lake import Lake

DATA = Path(os.environ.get("ICP_TEST_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
SEEDS = DATA / "fivetran_seeds/salesforce"
NOW = datetime(2026, 1, 10, tzinfo=UTC)

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not SEEDS.is_dir(), reason="development data are not here"),
]
ACCOUNTS = {
    "account_id": "id",
    "account_name": "name",
    "website": "website",
    "industry": "industry",
    "employees": "number_of_employees",
    "annual_revenue": "annual_revenue",
    "country": "billing_country",
    "region": "billing_state",
    "city": "billing_city",
    "ownership": "ownership",
    "lifecycle_stage": "type",
    "parent_account_id": "parent_id",
    "merged_into_account_id": "master_record_id",
    "is_deleted": "is_deleted",
}
DEALS = {
    "opportunity_id": "id",
    "account_id": "account_id",
    "opportunity_name": "name",
    "stage": "stage_name",
    "opportunity_type": "type",
    "is_closed": "is_closed",
    "is_won": "is_won",
    "amount": "amount",
    "is_deleted": "is_deleted",
    "created_at": "created_date",
    "closed_at": "close_date",
}
CONTACTS = {"contact_id": "id", "account_id": "account_id", "department": "department", "created_at": "created_date"}
KINDS = {
    "plain": ("_data.csv", "_fivetran_synced"),
    "history": ("_history_data.csv", "_fivetran_start"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_means_behind_staging_what_it_meant(tmp_path: Path, kind: str) -> None:
    ending, stamp = KINDS[kind]
    tables = {
        "accounts": ("sf_account", {**ACCOUNTS, "modified_at": stamp}),
        "opportunities": ("sf_opportunity", {**DEALS, "modified_at": stamp}),
    }
    if kind == "plain":
        tables["contacts"] = ("sf_contact", {**CONTACTS, "modified_at": "system_modstamp"})
    staged = _staged(tmp_path, {name: (SEEDS / f"{seed}{ending}", columns) for name, (seed, columns) in tables.items()})
    for name, (seed, columns) in tables.items():
        with (SEEDS / f"{seed}{ending}").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(staged[name]) == len(rows)
        for theirs, ours in zip(rows, staged[name], strict=True):
            for column, source in columns.items():
                assert _same(theirs[source], ours[column]), (name, column, theirs[source], ours[column])


def _same(text: str, value: Any) -> bool:
    """Whether a typed value says what the text of the extract says; an empty flag means no."""
    match value:
        case None:
            return text == ""
        case bool():
            return value == (text == "true")
        case float():
            return float(text) == value
        case datetime():
            return datetime.fromisoformat(text) == value
    return text == value


def _staged(folder: Path, tables: dict[str, tuple[Path, dict[str, str]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the staging models, in the order of the files."""
    mapped = {
        name: {"path": str(file), "effective_at": "2026-01-05", "columns": columns}
        for name, (file, columns) in tables.items()
    }
    content = {"config_version": 1, "company": "C", "sources": {"crm": {"kind": "files", "tables": mapped}}}
    (folder / "icp.yml").write_text(json.dumps({**content, "icps": {"main": {}}}))
    settings = config.load(folder, {})
    lake = Lake(settings.lake)
    for staged in pull_source(settings, "crm", NOW):
        lake.accept(staged, {})
    plan = plan_refresh(settings, "main", "2025Q4", NOW)
    plan.cache.mkdir(parents=True, exist_ok=True)
    flows.dbt_project.build(
        settings.dbt_project,
        select=[*(f"stg_files__{name}" for name in tables), "stg_files__revenue", "+int_currency_rates__paired"],
        variables=feature_variables(plan),
        warehouse=plan.warehouse,
        scratch=plan.cache,
    )
    with duckdb.connect(str(plan.warehouse)) as warehouse:
        found = {}
        for name in tables:
            rows = warehouse.sql(f"select * from stg_files__{name} order by source_row")
            found[name] = [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]
    return found
