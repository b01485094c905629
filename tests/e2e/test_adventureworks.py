"""The whole pipeline on data nobody here made: 701 bicycle resellers and their orders (examples/adventureworks)."""

from __future__ import annotations

import json
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import icp

from flows.ingest import IngestResult, ingest
from flows.refresh import RefreshResult, refresh
from icp.config import Settings, load
from icp.profile import Criterion, Profile
from icp.serialize import profile_from_yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/adventureworks"
DATA = ROOT.parent / "shared/data/adventureworks_resellers"
QUARTERS = ("2011Q4", "2012Q1", "2012Q2", "2012Q3", "2012Q4", "2013Q1")
NOW = datetime(2014, 6, 1, tzinfo=UTC)

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no data at {DATA}"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The example as it is, in a folder of its own."""
    project = tmp_path_factory.mktemp("adventureworks")
    (project / "icp.yml").write_bytes((EXAMPLE / "icp.yml").read_bytes())
    (project / "data").symlink_to(DATA)
    return load(project)


@pytest.fixture(scope="module")
def landed(settings: Settings) -> IngestResult:
    return ingest(settings, source=None, extracted_at=NOW)


@pytest.fixture(scope="module")
def refreshed(settings: Settings, landed: IngestResult) -> dict[str, RefreshResult]:
    assert landed.accepted
    return {quarter: refresh(settings, icp="main", quarter=quarter, now=NOW) for quarter in QUARTERS}


def revision(result: RefreshResult) -> Path:
    assert result.revision is not None
    return result.revision


def backtest(result: RefreshResult) -> dict[str, Any]:
    """How the profile before did on this quarter's outcomes."""
    page = json.loads((revision(result) / "backtest.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = page["backtest"]
    return found


def profile(result: RefreshResult) -> Profile:
    return profile_from_yaml((revision(result) / "profile.yml").read_text(encoding="utf-8"))


def business_type(result: RefreshResult) -> Criterion:
    found = profile(result).fit.criterion("attr_business_type")
    assert found is not None
    return found


def test_every_reseller_and_order_line_lands(landed: IngestResult) -> None:
    assert landed.rows == 701 + 60_855
    assert not landed.quarantined


def test_columns_written_from_the_orders_are_not_mapped(settings: Settings) -> None:
    accounts = settings.sources["adventureworks"].tables["accounts"]
    mapped = {
        column
        for mapping in (*accounts.columns.values(), *accounts.attributes.values())
        for column in mapping.source_columns
    }
    assert not mapped & {"FirstOrderYear", "LastOrderYear", "OrderFrequency", "OrderMonth"}


def test_every_quarter_is_published(refreshed: dict[str, RefreshResult]) -> None:
    assert {quarter: result.status for quarter, result in refreshed.items()} == dict.fromkeys(QUARTERS, "published")


def test_the_label_is_the_best_fifth_of_all_resellers(refreshed: dict[str, RefreshResult]) -> None:
    rows = pd.read_parquet(revision(refreshed["2012Q3"]) / "features.parquet")
    labels = rows[rows["role"] == "label"]
    assert sorted(labels["outcome_quarter"].unique()) == ["2011Q4", "2012Q1", "2012Q2", "2012Q3"]
    assert set(labels.groupby("outcome_quarter").size()) == {701}
    assert labels["is_won"].astype(float).mean() == pytest.approx(0.2, abs=0.005)
    assert (labels["observed_at"] < pd.Timestamp("2012-07-02")).all()
    assert (rows["role"] == "score").sum() == 701


def test_profiles_rank_the_next_quarters_best_customers(refreshed: dict[str, RefreshResult]) -> None:
    found = [backtest(refreshed[quarter]) for quarter in QUARTERS[1:5]]
    assert [page["profile_quarter"] for page in found] == list(QUARTERS[:4])
    assert [page["opportunities"] for page in found] == [701] * 4
    assert statistics.mean(page["auc"]["value"] for page in found) >= 0.77


def test_the_fall_after_2012q4_is_visible(refreshed: dict[str, RefreshResult]) -> None:
    before = statistics.mean(backtest(refreshed[quarter])["auc"]["value"] for quarter in QUARTERS[1:5])
    after = backtest(refreshed["2013Q1"])
    assert after["profile_quarter"] == "2012Q4"
    assert after["auc"]["high"] < before
    assert after["auc"]["value"] < before - 0.05
    assert f"{after['auc']['value']:.0%}" in after["sentence"]


@pytest.mark.parametrize("quarter", QUARTERS[1:])
def test_the_profile_names_business_type_with_specialty_bike_shops_out(
    refreshed: dict[str, RefreshResult], quarter: str
) -> None:
    criterion = business_type(refreshed[quarter])
    bins = {effect.label: effect for effect in criterion.bins}
    specialty = bins["Specialty Bike Shop"]
    assert specialty.stance == "out"
    assert specialty.odds.high < 1
    assert specialty.points == min(effect.points for effect in criterion.bins)
    assert specialty.points < min(bins["Warehouse"].points, bins["Value Added Reseller"].points)


def test_business_type_is_confirmed_and_in_words_by_2012q3(refreshed: dict[str, RefreshResult]) -> None:
    assert business_type(refreshed["2012Q3"]).grade == "confirmed"
    assert "Specialty Bike Shop" in profile(refreshed["2012Q3"]).paragraph
    assert "Specialty Bike Shop" in (revision(refreshed["2012Q3"]) / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("quarter", QUARTERS)
def test_the_bank_never_becomes_a_criterion(refreshed: dict[str, RefreshResult], quarter: str) -> None:
    found = profile(refreshed[quarter])
    assert found.fit.criterion("attr_bank") is None
    assert {test.attribute for test in found.tests} >= {"attr_bank", "attr_business_type", "country"}


def test_every_reseller_has_a_score_a_tier_and_a_reason(refreshed: dict[str, RefreshResult]) -> None:
    accounts = pd.read_parquet(revision(refreshed["2013Q1"]) / "accounts.parquet")
    assert len(accounts) == 701
    assert accounts["account_id"].is_unique
    assert accounts[["fit_score", "tier", "reasons", "source_row"]].notna().all(axis=None)


def test_the_same_quarter_again_publishes_nothing(
    settings: Settings, refreshed: dict[str, RefreshResult], tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in revision(refreshed["2013Q1"]).rglob("*") if path.is_file()}
    project = str(settings.path)
    done = icp("refresh", "--plain", "--json", "--project", project, "--quarter", "2013Q1", home=tmp_path)
    assert json.loads(done.stdout)["status"] == "nothing_new"
    assert {path: path.read_bytes() for path in before} == before
    assert not list(revision(refreshed["2013Q1"]).parent.glob("r2"))
