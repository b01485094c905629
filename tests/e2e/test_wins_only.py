"""A company that records only its wins: the pipeline ranks every account, gives no probability and says why."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.ingest import ingest
from flows.reading import compare_revisions, read_profile
from flows.refresh import refresh
from icp.config import load
from icp.errors import NotEnoughEvidence
from icp.published import PublishedStore

CONFIG = """config_version: 1
company: Billing only
lake: lake
calendar: {timezone: UTC}
sources:
  billing:
    kind: files
    tables:
      accounts:
        path: accounts.csv
        effective_at: 2025-01-02
        columns: {account_id: id, account_name: name, employees: employees, website: website, industry: industry}
      opportunities:
        path: 'contracts_*.csv'
        effective_at: {from_filename: 'contracts_(.*).csv'}
        columns:
          opportunity_id: id
          account_id: company
          is_closed: {value: true}
          is_won: {value: true}
          created_at: opened
          closed_at: signed
icps:
  main: {}
"""
COMPANIES = 900


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wins")
    (folder / "icp.yml").write_text(CONFIG)
    rng = np.random.default_rng(4)
    accounts = [
        {"id": f"a{n}", "name": f"Acme {n}", "employees": int(rng.integers(5, 1500)), "website": f"acme{n}.com",
         "industry": ("Banking", "Retail", "Insurance")[n % 3]}
        for n in range(COMPANIES)
    ]  # fmt: skip
    chance = [0.4 if 51 <= a["employees"] <= 500 else 0.05 for a in accounts]
    signed = [n for n in range(COMPANIES) if rng.random() < chance[n]]
    contracts = [
        {"id": f"c{n}", "company": f"a{n}", "opened": day, "signed": day}
        for i, n in enumerate(signed)
        for day in [("2025-02-10", "2025-05-10")[i % 2]]
    ]
    _write(folder / "accounts.csv", accounts)
    _write(folder / "contracts_2025-04-02.csv", [c for c in contracts if c["signed"] < "2025-04"])
    _write(folder / "contracts_2025-07-02.csv", contracts)
    ingest(load(folder), source=None, extracted_at=datetime(2025, 7, 3, tzinfo=UTC))
    return folder


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _refreshed(project: Path, quarter: str) -> Path:
    done = refresh(load(project), icp="main", quarter=quarter, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert done.revision is not None
    return done.revision


def test_wins_alone_give_an_order_of_accounts(project: Path) -> None:
    first, second = _refreshed(project, "2025Q1"), _refreshed(project, "2025Q2")
    profile = read_profile(first)
    assert (profile.contrast, profile.state) == ("customer_or_not", "derived")
    assert profile.fit.criterion("employees").grade == "confirmed"
    assert [c.attribute for c in profile.headline_criteria] == ["employees"]
    for revision in (first, second):
        accounts = pd.read_parquet(revision / "accounts.parquet")
        assert len(accounts) == COMPANIES
        assert accounts[["win_probability", "expected_value"]].isna().all().all()
        inside = accounts["employees"].between(51, 500)
        assert accounts.loc[inside, "fit_score"].mean() > accounts.loc[~inside, "fit_score"].mean() + 20
        assert {"A", "D"} <= set(accounts["tier"]) and accounts["reasons"].notna().all()
        for name in ("report.html", "diff.md", "diff.json", "evidence.json", "profile.yml"):
            text = (revision / name).read_text()
            assert "Lost deals are not recorded, so this compares customers with all accounts" in text, name
    assert "Cannot tell whether the ICP changed" in (second / "diff.md").read_text()

    store = PublishedStore(project / "lake", "main")
    assert store.current()["quarter"] == "2025Q2"
    compared = compare_revisions(store, "2025Q1", "2025Q2", as_json=False)
    assert "Cannot tell whether the ICP changed" in compared
    assert "not known: customers against all accounts" in compared


def test_lost_deals_can_be_insisted_on(project: Path) -> None:
    (project / "icp.yml").write_text(CONFIG.replace("main: {}", "main: {label: {contrast: won_or_lost}}"))
    with pytest.raises(NotEnoughEvidence, match="won and 0 lost"):
        _refreshed(project, "2025Q2")
