"""From no customer to outcomes: the pipeline starts on stated beliefs, and hands over to what happened."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.ingest import ingest
from flows.reading import read_profile
from flows.refresh import refresh
from icp.config import load
from icp.errors import NotEnoughEvidence

CONFIG = """config_version: 1
company: Tiny
lake: lake
calendar: {timezone: UTC}
sources:
  crm:
    kind: files
    tables:
      accounts:
        path: accounts.csv
        effective_at: 2025-04-02
        columns: {account_id: id, account_name: name, employees: employees, website: website, industry: industry}
      opportunities:
        path: 'deals_*.csv'
        effective_at: {from_filename: 'deals_(.*).csv'}
        columns: {opportunity_id: id, account_id: company, is_closed: closed, is_won: won, created_at: opened, closed_at: decided}
icps:
  main: {}
"""
HYPOTHESES = """hypotheses:
  - {attribute: employees, direction: in, bins: [51, 500], strength: strong, author: Ada, date: 2025-01-03}
  - {attribute: industry, direction: in, values: [Banking], strength: weak, author: Bo}
"""
COMPANIES = 400


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cold")
    (folder / "icp.yml").write_text(CONFIG)
    rng = np.random.default_rng(8)
    accounts = [
        {"id": f"a{n}", "name": f"Acme {n}", "employees": int(rng.integers(5, 1500)), "website": f"acme{n}.com",
         "industry": ("Banking", "Retail", "Insurance")[n % 3]}
        for n in range(COMPANIES)
    ]  # fmt: skip
    _write(folder / "accounts.csv", accounts)
    open_deals = [_deal(n, "false", False, "2025-01-10", "") for n in range(3)]
    _write(folder / "deals_2025-04-02.csv", open_deals)
    chance = [0.7 if 51 <= a["employees"] <= 500 else 0.1 for a in accounts]
    won = rng.random(COMPANIES) < chance
    _write(
        folder / "deals_2025-07-02.csv",
        [_deal(n, "true", bool(won[n]), "2025-04-10", "2025-05-10") for n in range(COMPANIES)],
    )
    ingest(load(folder), source=None, extracted_at=datetime(2025, 7, 3, tzinfo=UTC))
    return folder


def _deal(n: int, closed: str, won: bool, opened: str, decided: str) -> dict[str, object]:
    return {"id": f"d{n}", "company": f"a{n}", "closed": closed, "won": str(won).lower(), "opened": opened,
            "decided": decided}  # fmt: skip


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _refreshed(project: Path, quarter: str) -> Path:
    done = refresh(load(project), icp="main", quarter=quarter, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert done.revision is not None
    return done.revision


def test_from_no_outcome_to_outcomes(project: Path) -> None:
    with pytest.raises(NotEnoughEvidence, match="hypotheses"):
        _refreshed(project, "2025Q1")
    (project / "hypotheses.yml").write_text(HYPOTHESES)
    (project / "icp.yml").write_text(CONFIG.replace("main: {}", "main: {hypotheses: hypotheses.yml}"))

    first = _refreshed(project, "2025Q1")
    accounts = pd.read_parquet(first / "accounts.parquet")
    assert read_profile(first).state == "hypotheses"
    assert len(accounts) == COMPANIES and accounts["win_probability"].isna().all()
    inside = accounts["employees"].between(51, 500)
    assert accounts.loc[inside, "fit_score"].mean() > accounts.loc[~inside, "fit_score"].mean() + 20
    assert accounts["reasons"].notna().all()
    assert {v["verdict"] for v in json.loads((first / "beliefs.json").read_text())["verdicts"]} == {"cannot tell"}
    assert "This is belief, not a finding." in (first / "report.html").read_text()

    second = _refreshed(project, "2025Q2")
    profile, beliefs = read_profile(second), json.loads((second / "beliefs.json").read_text())
    size, industry = beliefs["verdicts"]
    assert profile.state == "derived" and profile.fit.criterion("employees").grade == "confirmed"
    assert size["verdict"] == "supported" and size["odds"]["low"] > 1
    assert industry["verdict"] in ("cannot tell", "contradicted")
    assert pd.read_parquet(second / "accounts.parquet")["win_probability"].notna().all()
    assert "## What was believed" in (second / "diff.md").read_text()
