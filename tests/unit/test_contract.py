"""The landing contract is read from the dbt page, and a broken page is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from icp import contract
from icp.errors import ConfigError

DBT_PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"


def test_the_real_page_holds_what_landing_needs() -> None:
    tables = contract.load(DBT_PROJECT).tables
    accounts = tables["accounts"]
    assert accounts.required and accounts.key == ("account_id",) and accounts.order == "modified_at"
    assert accounts.required_columns == ("account_id",)
    domain = accounts.column("company_domain")
    assert domain is not None and domain.derived == "registrable_domain"
    assert "company_domain" not in accounts.mappable and "website" in accounts.mappable
    assert accounts.column("no_such_column") is None
    assert tables["revenue"].key == ("account_id", "month", "invoice_id")
    for table in tables.values():
        assert all(table.column(name) for name in table.key), table.name
        assert all(c.description for c in table.columns), table.name


def test_every_derived_domain_has_a_website_to_come_from() -> None:
    for table in contract.load(DBT_PROJECT).tables.values():
        derived = [c.derived for c in table.columns if c.derived]
        assert set(derived) <= {"registrable_domain"}
        assert not derived or table.column("website") is not None


def page(tmp_path: Path, columns: str, meta: str = "{key: [a]}") -> Path:
    target = tmp_path / contract.SOURCES_PAGE
    target.parent.mkdir(parents=True)
    target.write_text(
        f"sources:\n  - name: files\n    tables:\n      - name: t\n        meta: {meta}\n        columns: {columns}\n"
    )
    return tmp_path


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"t\.a has data_type 'money'"):
        contract.load(page(tmp_path, "[{name: a, data_type: money}]"))


def test_a_key_that_is_no_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names columns it lacks: b"):
        contract.load(page(tmp_path, "[{name: a, data_type: varchar}]", "{key: [a, b]}"))


def test_a_missing_page_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is missing"):
        contract.load(tmp_path)
