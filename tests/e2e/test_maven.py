"""A dirty CRM nobody here made: deals without an account, misspelt products, sectors and countries, American dates.

Its win rate depends on no attribute of an account, so the right answer is that the data support no ICP. What is asked here
is that nothing of it is dropped in silence.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flows.ingest import IngestResult, ingest
from flows.refresh import refresh
from icp.config import Settings, load
from icp.lake import Lake
from icp.sources.failures import settle_refusal, stale

DATA = Path(__file__).resolve().parents[3] / "shared/data/maven_crm"
NOW = datetime(2018, 1, 10, tzinfo=UTC)
REASON = "prospects have no date yet, GTXPro is GTX Pro"
CONFIG = """config_version: 1
company: Maven
lake: lake
calendar: {timezone: UTC}
sources:
  crm:
    kind: files
    tables:
      accounts:
        path: data/accounts.csv
        effective_at: 2016-10-01
        columns:
          account_id: account
          account_name: account
          industry: sector
          country: office_location
          employees: employees
          annual_revenue: revenue
          founded_year: year_established
          parent_account_id: subsidiary_of
      opportunities:
        path: data/sales_pipeline.csv
        effective_at: 2018-01-02
        date_format: us
        columns:
          opportunity_id: opportunity_id
          account_id: account
          opportunity_name: {from: product, lookup: {path: data/products.csv, key: product, value: series}}
          stage: deal_stage
          opportunity_type: {value: new business}
          is_closed: {from: deal_stage, equals: [Won, Lost]}
          is_won: {from: deal_stage, equals: [Won]}
          created_at: engage_date
          closed_at: close_date
          amount: close_value
icps:
  main: {lookback_quarters: 4}
"""

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no data at {DATA}"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    project = tmp_path_factory.mktemp("maven")
    (project / "icp.yml").write_text(CONFIG)
    (project / "data").symlink_to(DATA)
    return load(project)


@pytest.fixture(scope="module")
def refused(settings: Settings) -> IngestResult:
    return ingest(settings, source=None, extracted_at=NOW)


@pytest.fixture(scope="module")
def revision(settings: Settings, refused: IngestResult) -> Path:
    lake = Lake(settings.lake)
    (held,) = refused.quarantined
    assert len(stale(settings)) == 1
    settle_refusal(lake, lake.release(held, reason=REASON).source)
    assert stale(settings) == []
    done = refresh(settings, icp="main", quarter="2017Q4", now=NOW)
    assert done.revision is not None
    return done.revision


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    return pd.read_csv(DATA / "sales_pipeline.csv", dtype=str)


def evidence(revision: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((revision / "evidence.json").read_text(encoding="utf-8"))
    return found


def test_the_gate_names_what_it_cannot_read_before_anything_is_made_of_it(refused: IngestResult) -> None:
    (report,) = refused.reports
    assert "every row has created_at: 500 of 8,800 rows" in report
    assert "opportunity_name='GTXPro'" in report and "1,480 of 8,800 rows" in report
    assert "every deal names its account: 1,425 of 8,800 rows" in report
    assert "sales_pipeline.csv:2," in report


def test_every_deal_is_evidence_or_left_out_with_a_reason(revision: Path, deals: pd.DataFrame) -> None:
    found = evidence(revision)
    no_account, no_date = deals["account"].isna(), deals["engage_date"].isna()
    is_open = ~deals["deal_stage"].isin(["Won", "Lost"])
    assert {line["what"]: line["rows"] for line in found["exclusions"]} == {
        "Deals without a known account": no_account.sum(),
        "Deals without an opening date": (no_date & ~no_account).sum(),
        "Deals still open": (is_open & ~no_date & ~no_account).sum(),
    }
    labels = pd.read_parquet(revision / "features.parquet").query("role == 'label'")
    assert len(labels) + sum(line["rows"] for line in found["exclusions"]) == len(deals) == 8800
    assert (found["state"], found["wins"]) == ("no_icp", (deals["deal_stage"] == "Won").sum())


def test_american_dates_are_read_as_such(revision: Path, deals: pd.DataFrame) -> None:
    labels = pd.read_parquet(revision / "features.parquet").query("role == 'label'").set_index("observation_id")
    theirs = deals.set_index("opportunity_id").loc[labels.index]
    opened = pd.to_datetime(theirs["engage_date"], format="%m/%d/%Y")
    closed = pd.to_datetime(theirs["close_date"], format="%m/%d/%Y")
    assert (labels["observed_at"] == opened).all()
    assert (labels["outcome_quarter"] == closed.dt.to_period("Q").astype(str)).all()


def test_the_coverage_page_names_every_dirt(revision: Path) -> None:
    notes = "\n".join(evidence(revision)["notes"])
    report = (revision / "report.html").read_text(encoding="utf-8")
    said = report[report.index('id="coverage"') :]
    said = said[: said.index("</section>")]
    for word in ("GTXPro", "1,480 rows", "500 rows", "1,425 rows", REASON, "Philipines (1 account, perhaps PH)",
                 "Technolgy (12 accounts, perhaps Information Technology", "Services (5 accounts"):  # fmt: skip
        assert word in said, (word, notes)
    assert "Deals without a known account" in report
    coverage = {line["attribute"]: line["filled_share"] for line in evidence(revision)["coverage"]}
    assert coverage["industry"] == coverage["country"] == coverage["employees"] == 1.0
    assert coverage["technologies"] == 0.0


def test_every_account_is_scored_and_says_what_it_is(revision: Path) -> None:
    accounts = pd.read_parquet(revision / "accounts.parquet")
    names = pd.read_csv(DATA / "accounts.csv")["account"]
    assert sorted(accounts["account_id"]) == sorted(names)
