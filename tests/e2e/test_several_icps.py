"""Two ICPs of one company in one run: each about its own accounts, from one build; one that fails stops no other."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows import dbt_project
from flows.ingest import ingest
from flows.reading import compare_icps, read_profile
from flows.refresh import SomeIcpsFailed, refresh_all
from icp.config import load
from icp.published import PublishedStore

CONFIG = """config_version: 1
company: Two lines
lake: lake
sources:
  crm:
    kind: files
    tables:
      accounts:
        path: accounts.csv
        effective_at: 2025-01-02
        columns: {account_id: id, account_name: name, employees: employees, website: website, country: country}
        attributes:
          business_unit: {from: unit, kind: category}
      opportunities:
        path: deals.csv
        effective_at: 2025-04-02
        columns: {opportunity_id: id, account_id: company, is_closed: {value: true}, is_won: won, created_at: day, closed_at: day}
icps:
  north:
    population: {country: [DE, SE]}
    tiers: &wide {A: 0.25, B: 0.2, C: 0.2}
  south:
    population: {country: [it], employees: {min: 20}}
    attributes: {exclude: [business_unit]}
    label: {pins: pins.csv}
    tiers: *wide
  nobody:
    population: {business_unit: [Rockets]}
"""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    (folder / "icp.yml").write_text(CONFIG)
    rng = np.random.default_rng(7)
    accounts = [
        {"id": f"a{n}", "name": f"Acme {n}", "employees": int(rng.integers(5, 1500)), "website": f"acme{n}.com",
         "country": ("DE", "SE", "IT", "IT", "FR")[n % 5], "unit": ("Cloud", "Tools")[n % 2]}
        for n in range(500)
    ]  # fmt: skip
    # in the north small companies win, in the south large ones
    deals = []
    for n, account in enumerate(accounts):
        is_small = account["employees"] < 500
        favoured = is_small if account["country"] in ("DE", "SE") else not is_small
        won = rng.random() < (0.7 if favoured else 0.15)
        deals.append({"id": f"d{n}", "company": f"a{n}", "won": won, "day": "2025-02-10"})
    _write(folder / "accounts.csv", accounts)
    _write(folder / "deals.csv", deals)
    first, second = [d["company"] for d in deals if d["won"] and accounts[int(d["company"][1:])]["country"] == "IT"][:2]
    pins = [(first, "2025-04-01"), (second, "2025-12-01")]  # the second is not known yet when the quarter is read
    _write(folder / "pins.csv", [
        {"account": a, "verdict": "bad", "reason": "never paid", "author": "Ada", "date": day} for a, day in pins
    ])  # fmt: skip
    ingest(load(folder), source=None, extracted_at=datetime(2025, 4, 3, tzinfo=UTC))
    return folder


def test_each_icp_has_its_own_accounts_points_and_history(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[str, ...]] = []
    real = dbt_project.build
    monkeypatch.setattr(dbt_project, "build", lambda *a, **k: (built.append(tuple(k["select"])), real(*a, **k))[1])
    with pytest.raises(SomeIcpsFailed) as failure:
        refresh_all(load(project), quarter="2025Q1", now=NOW)
    assert len([select for select in built if "+fct_account_features" in select]) == 1

    north, south, nobody = failure.value.outcomes
    assert north.result is not None and south.result is not None
    assert (north.result.status, south.result.status) == ("published", "published")
    assert (nobody.result, nobody.exit_code, failure.value.exit_code) == (None, 2, 2)
    line = 1 + CONFIG.splitlines().index("    population: {business_unit: [Rockets]}")
    assert f"icp.yml, line {line}" in nobody.error and "selects none of the 500 accounts" in nobody.error
    assert "Cloud, Tools" in nobody.error

    truth = pd.read_csv(project / "accounts.csv").set_index("id")
    sizes = {}
    for outcome, countries in ((north, {"DE", "SE"}), (south, {"IT"})):
        revision = outcome.result.revision
        accounts, labels = (pd.read_parquet(revision / name) for name in ("accounts.parquet", "features.parquet"))
        inside = truth[truth["country"].isin(countries)]
        inside = inside[inside["employees"] >= 20] if outcome is south else inside
        assert set(accounts["account_id"]) == set(inside.index)
        assert set(labels["account_id"]) == set(inside.index)
        is_large = accounts["employees"] >= 500
        sizes[outcome.icp] = accounts.loc[is_large, "fit_score"].mean() - accounts.loc[~is_large, "fit_score"].mean()
        index = (project / "lake/published" / outcome.icp / "index.html").read_text()
        assert "2025Q1/r1/workbook.xlsx" in index and "The ICP in force is that of 2025Q1" in index
        assert "workbook.xlsx" in json.loads((revision / "manifest.json").read_text())["files"]
        assert "Outside the population" in (revision / "evidence.json").read_text()
    assert sizes["north"] < -10 and sizes["south"] > 10
    assert read_profile(north.result.revision).population == "country is DE or SE"
    labels = (
        pd.read_parquet(south.result.revision / "features.parquet").query("role == 'label'").set_index("account_id")
    )
    bad, later = pd.read_csv(project / "pins.csv")["account"]
    assert (labels.loc[bad, "is_won"], labels.loc[bad, "outcome_deal_won"], labels.loc[later, "is_won"]) == (
        False,
        True,
        True,
    )
    label = read_profile(south.result.revision).label
    assert label is not None and label.version and "1 customer decided by hand" in label.words
    assert "attr_business_unit" not in {t.attribute for t in read_profile(south.result.revision).tests}


def test_an_icp_is_left_alone_when_another_is_edited(project: Path) -> None:
    (project / "icp.yml").write_text(CONFIG[: CONFIG.index("  nobody:")])
    outcomes = refresh_all(load(project), quarter="2025Q1", now=NOW)
    assert [o.result.status for o in outcomes if o.result] == ["nothing_new", "nothing_new"]

    stores = [PublishedStore(project / "lake", name) for name in ("north", "south")]
    (kept,) = (project / "lake/compared").iterdir()
    assert kept.name == "north~south.json" and kept.read_text() == compare_icps(*stores, None, as_json=True)
    compared = json.loads(kept.read_text())
    assert compared["overlap"]["shared_accounts"] == 0
    assert compared["one"]["best_rate"]["low"] < compared["one"]["best_rate"]["high"]
    assert "speak of different accounts" in compare_icps(stores[0], stores[1], "2025Q1", as_json=False)
    for one, other in (("north", "south"), ("south", "north")):
        folder = project / "lake/published" / one
        assert f'href="beside-{other}.html"' in (folder / "index.html").read_text()
        beside = (folder / f"beside-{other}.html").read_text()
        assert "speak of different accounts" in beside and f"{one} beside {other}" in beside
