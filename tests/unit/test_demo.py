"""The demo company: same bytes for the same seed, safe to repeat, dirty as real extracts, true to what was planted."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

import icp.config
from icp.demo import create
from icp.demo.planted import (
    CHANGES,
    NOISE_ATTRIBUTES,
    PLANTED,
    PROXIES,
    TECHNOLOGIES,
    WIN_RATES,
    log_odds,
    noise_technologies,
    planted,
    technology_maturity,
)
from icp.demo.project import BESIDE, MARKER, config_text
from icp.demo.sales import History, sell
from icp.demo.timeline import QUARTERS, REFRESHED, STARTS, extracts, quarter_index
from icp.demo.universe import Universe, build_universe
from icp.demo.vocabulary import COUNTRY_SPELLINGS, INDUSTRY_SPELLINGS
from icp.errors import ConfigError
from icp.lake import Lake
from icp.sources import files

SMALL = 1_200
SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo")
    create(directory, seed=7, accounts=SMALL)
    return directory


@pytest.fixture(scope="module")
def market() -> tuple[Universe, History]:
    universe = build_universe(11, 8_000)
    return universe, sell(11, universe)


@pytest.fixture(scope="module")
def landed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[pd.DataFrame]]:
    settings = icp.config.load(project, environ={})
    lake = Lake(tmp_path_factory.mktemp("lake"))
    tables: dict[str, list[pd.DataFrame]] = {}
    for source in settings.sources:
        for load in files.pull(settings, source, lake, extracted_at=datetime(2026, 10, 6, tzinfo=UTC)):
            for table in load.tables:
                tables.setdefault(table, []).append(pd.read_parquet(load.table_path(table)))
            lake.accept(load, {})
    return tables


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def crm(project: Path, kind: str) -> Iterator[list[dict[str, Any]]]:
    for path in sorted((project / "extracts" / "crm").glob(f"{kind}_*.jsonl")):
        yield [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def seed_keys(name: str) -> dict[str, str]:
    with (SEEDS / name).open(encoding="utf-8", newline="") as lines:
        return {row[0]: row[1] for row in csv.reader(lines)}


def synonym_key(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower().replace("&", "and"))


# -- the folder --------------------------------------------------------------------------------------------------------


def test_same_seed_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    create(tmp_path, seed=7, accounts=SMALL)
    assert contents(tmp_path) == contents(project)


def test_another_seed_gives_another_company(project: Path, tmp_path: Path) -> None:
    create(tmp_path, seed=8, accounts=SMALL)
    ours, theirs = contents(project), contents(tmp_path)
    fixed = {"icp.yml", *BESIDE}
    assert all(ours[name] == theirs[name] for name in fixed)
    shared = set(ours) & set(theirs) - fixed
    assert len(shared) > 6 * len(QUARTERS)
    assert all(ours[name] != theirs[name] for name in shared)


def test_second_run_leaves_a_complete_folder_alone(tmp_path: Path) -> None:
    create(tmp_path, seed=1, accounts=200)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    create(tmp_path, seed=1, accounts=200)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_half_made_folder_is_made_anew_and_an_edited_config_survives(tmp_path: Path) -> None:
    create(tmp_path, seed=1, accounts=200)
    whole = contents(tmp_path)
    (tmp_path / "extracts").rename(tmp_path / ".extracts-new")
    edited = config_text().replace("lookback_quarters: 8", "lookback_quarters: 4")
    (tmp_path / "icp.yml").write_text(edited, encoding="utf-8")
    create(tmp_path, seed=1, accounts=200)
    again = contents(tmp_path)
    assert again.pop("icp.yml").decode() == edited
    whole.pop("icp.yml")
    assert again == whole


def test_another_size_replaces_the_extracts(tmp_path: Path) -> None:
    create(tmp_path, seed=1, accounts=200)
    create(tmp_path, seed=1, accounts=250)
    assert json.loads((tmp_path / "extracts" / MARKER).read_text(encoding="utf-8"))["accounts"] == 250
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["extracts", "icp.yml", "truth.yml", *BESIDE])


def test_extracts_of_a_real_project_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "extracts").mkdir()
    (tmp_path / "extracts" / "ours.csv").write_text("id\n1\n")
    with pytest.raises(ConfigError, match="another folder"):
        create(tmp_path, seed=1, accounts=200)
    assert [p.name for p in (tmp_path / "extracts").iterdir()] == ["ours.csv"]


def test_more_accounts_than_names_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fewer accounts"):
        create(tmp_path, accounts=50_000)


def test_one_baseline_before_the_first_quarter_then_one_delivery_two_days_into_the_next_quarter() -> None:
    dated = [extract.dated for extract in extracts()]
    assert dated[:2] == ["2023-09-30", "2024-01-02"]
    assert dated[-1] == "2026-10-02"
    assert len(dated) == len(QUARTERS) + 1
    assert quarter_index(np.array(["2023-09-30", "2023-10-01", "2026-09-30"], dtype="datetime64[D]")).tolist() == [
        -1,
        0,
        11,
    ]


# -- the extracts through the real mapping -----------------------------------------------------------------------------


def test_config_is_accepted_and_names_the_eight_sources(project: Path) -> None:
    settings = icp.config.load(project, environ={})
    assert list(settings.sources) == [
        "crm", "billing", "surveys", "analytics", "technographics", "events", "people", "network",
    ]  # fmt: skip
    assert {a.name for a in settings.declared_attributes} >= {"attr_business_model", "attr_office_count"}


def test_every_extract_lands_with_unique_keys_and_hardly_anything_unreadable(
    project: Path, landed: dict[str, list[pd.DataFrame]]
) -> None:
    contract = icp.config.load(project, environ={}).contract.tables
    assert set(landed) == set(contract)
    for name, loads in landed.items():
        keys = list(contract[name].key)
        for frame in loads:
            assert not frame.duplicated(keys).any(), name
            assert not frame[list(contract[name].required_columns)].isna().any().any(), name
            for column in contract[name].mappable:
                unreadable = frame["_parse_errors"].str.contains(f"{column}=", regex=False).eq(True)
                assert unreadable.mean() < 0.01, (name, column)


def test_formats_are_read_as_meant(landed: dict[str, list[pd.DataFrame]]) -> None:
    revenue, surveys = pd.concat(landed["revenue"]), pd.concat(landed["surveys"])
    assert revenue["revenue"].median() > 100
    assert (revenue["revenue"] < 0).any()
    assert set(revenue["currency"]) == {"USD", "EUR", "GBP"}
    assert surveys["responded_at"].between("2016-01-01", "2026-10-01").all()
    assert not surveys["website"].str.contains("@").any()
    assert pd.to_datetime(pd.concat(landed["event_participation"])["occurred_on"]).dt.day.eq(17).all()
    assert pd.to_datetime(pd.concat(landed["web_activity"])["activity_date"]).between("2023-04-01", "2026-09-30").all()


def test_nothing_in_a_delivery_is_from_after_it(landed: dict[str, list[pd.DataFrame]]) -> None:
    for table, column in (
        ("accounts", "modified_at"),
        ("opportunities", "modified_at"),
        ("technologies", "last_detected_at"),
    ):
        for frame in landed[table]:
            assert (frame[column] < frame["_effective_at"].iloc[0] + pd.Timedelta(days=1)).all(), table


def test_accounts_are_as_dirty_as_real_ones(landed: dict[str, list[pd.DataFrame]]) -> None:
    baseline, every = landed["accounts"][0], pd.concat(landed["accounts"])
    assert 0.06 < baseline["employees"].isna().mean() < 0.18
    assert 0.06 < baseline["industry"].isna().mean() < 0.18
    assert every["_parse_errors"].str.contains("employees=").any()
    assert every["website"].str.isupper().any()
    assert every["website"].str.startswith("https://").any()
    assert every["website"].isna().any()
    assert every.loc[every["website"].notna(), "company_domain"].isna().any()
    assert {"US", "United States", "united states"} <= set(every["country"])
    assert {"COMPUTER_SOFTWARE", "Computer Software", "SaaS"} <= set(every["industry"])


def test_some_records_are_duplicates_merged_or_deleted(landed: dict[str, list[pd.DataFrame]]) -> None:
    every = pd.concat(landed["accounts"])
    assert every.groupby("company_domain")["account_id"].nunique().max() == 2
    merged = every[every["merged_into_account_id"].notna()]
    assert len(merged)
    assert set(merged["merged_into_account_id"]) <= set(every["account_id"])
    assert (every["is_deleted"] & every["merged_into_account_id"].isna()).any()


def test_companies_change_over_time_but_not_their_country(landed: dict[str, list[pd.DataFrame]]) -> None:
    every = pd.concat(landed["accounts"])
    versions = every.groupby("account_id").agg(sizes=("employees", "nunique"), places=("country", "nunique"))
    assert (versions["sizes"] > 1).mean() > 0.05
    assert versions["places"].max() == 1


def test_deals_are_as_dirty_as_real_ones(landed: dict[str, list[pd.DataFrame]]) -> None:
    every = pd.concat(landed["opportunities"])
    known = set(pd.concat(landed["accounts"])["account_id"])
    assert set(every["account_id"].dropna()) <= known
    assert every["account_id"].isna().any()
    assert every["amount"].isna().any()
    assert every["is_deleted"].any()
    assert set(every["opportunity_type"]) == {"newbusiness", "existingbusiness"}
    hoped = every[~every["is_closed"]]
    assert (hoped["closed_at"] > hoped["_effective_at"]).any()
    late = every[every["is_closed"] & ~every["is_deleted"]].groupby("opportunity_id").first()
    assert (late["_effective_at"] - late["closed_at"] > pd.Timedelta(days=95)).any()


def test_a_deal_is_lost_then_open_then_won() -> None:
    from icp.demo.accounts import build_records
    from icp.demo.deals import build_deals, deal_versions

    universe = build_universe(5, 4_000)
    history = sell(5, universe)
    versions = deal_versions(5, build_deals(5, universe, history, build_records(5, universe, history)))
    stories = versions.groupby("deal_id")["state"].agg(list)
    reopened = [story for story in stories if story[:2] == ["closedlost", "open"]]
    assert reopened
    assert all(story[2] == "closedwon" for story in reopened)


# -- what was planted --------------------------------------------------------------------------------------------------


def test_quarters_have_the_deals_and_win_rates_intended(market: tuple[Universe, History]) -> None:
    _, history = market
    for truth in history.quarters:
        assert truth.opportunities == pytest.approx(850 * 8_000 / 30_000, rel=0.05)
    wins = sum(truth.wins for truth in history.quarters)
    assert wins == pytest.approx(np.mean(list(WIN_RATES.values())) * len(history.deals), rel=0.12)


def test_deals_are_won_with_the_planted_odds(market: tuple[Universe, History]) -> None:
    _, history = market
    deals = history.deals
    intercept = np.array([truth.intercept for truth in history.quarters])[deals["quarter"]]
    chance = 1 / (1 + np.exp(-(deals["log_odds"].to_numpy() + intercept)))
    for band in np.array_split(np.argsort(chance), 4):
        spread = 4 * np.sqrt((chance[band] * (1 - chance[band])).sum())
        assert abs(deals["is_won"].to_numpy()[band].sum() - chance[band].sum()) < spread


def test_log_odds_are_the_sum_of_the_bins_by_hand() -> None:
    rows = {attribute.name: np.array([0, 0]) for attribute in PLANTED}
    rows["employees"] = np.array([51, 1001])
    rest = sum(a.effects_in("2025Q1")[0] for a in PLANTED if a.name != "employees")
    assert log_odds(rows, "2025Q1") == pytest.approx([rest + 0.6, rest - 0.6])
    rest = sum(a.effects_in("2025Q2")[0] for a in PLANTED if a.name != "employees")
    assert log_odds(rows, "2025Q2") == pytest.approx([rest - 0.5, rest + 0.9])


def test_each_change_is_where_the_effects_change_and_nowhere_else() -> None:
    moved = {
        (quarter, attribute.name)
        for attribute in PLANTED
        for before, quarter in pairwise(QUARTERS)
        if attribute.effects_in(before) != attribute.effects_in(quarter)
    }
    assert moved == {(change.quarter, change.attribute) for change in CHANGES}
    assert all(change.quarter in REFRESHED for change in CHANGES)


def test_the_entering_segment_is_a_trace_before_and_common_after(market: tuple[Universe, History]) -> None:
    _, history = market
    change = next(change for change in CHANGES if change.what == "segment enters")
    is_segment = history.deals["industry"] == planted("industry").bins.index(change.segment)
    after = history.deals["quarter"] >= QUARTERS.index(change.quarter)
    assert is_segment[~after].mean() < 0.01
    assert is_segment[after].mean() > 0.08


def test_noise_is_noise(market: tuple[Universe, History]) -> None:
    universe, history = market
    company, odds = history.deals["company"].to_numpy(), history.deals["log_odds"].to_numpy()
    flags = universe.technologies_in_use(company, history.deals["opened_on"].to_numpy())
    names = [f"technologies={t.name.lower()}" for t in TECHNOLOGIES]
    columns = [flags[:, names.index(name)] for name in noise_technologies()]
    columns += [universe.region[company], universe.owner_team[company], universe.office_count[company]]
    columns += [universe.logo_style[company], universe.fiscal_month[company], universe.has_parent[company]]
    for column in columns:
        assert abs(np.corrcoef(column.astype(float), odds)[0, 1]) < 4.5 / np.sqrt(len(odds))


def test_no_attribute_is_planted_and_noise_at_once() -> None:
    groups = [{a.name for a in PLANTED}, set(PROXIES), set(NOISE_ATTRIBUTES), set(noise_technologies())]
    counts = Counter(name for group in groups for name in group)
    assert max(counts.values()) == 1
    assert len([n for n in counts if n.startswith("technologies=")]) == len(TECHNOLOGIES) == 25


def test_truth_says_what_was_planted(project: Path) -> None:
    truth = YAML(typ="safe").load(project / "truth.yml")
    assert [c["attribute"] for c in truth["criteria"]] == [a.name for a in PLANTED]
    assert truth["quiet_quarters"] == ["2025Q1", "2025Q3", "2026Q1", "2026Q3"]
    assert [c["visible"] for c in truth["changes"]] == [True, True, False, True]
    assert all(
        c["sd_of_change"] > 0.6
        for c in truth["changes"]
        if c["what"] in ("criterion shifts", "attribute stops mattering")
    )
    assert [q["quarter"] for q in truth["quarters"]] == list(QUARTERS)
    stopped = next(c for c in truth["criteria"] if c["attribute"] == "attr_business_model")
    assert stopped["matters_in_last_quarter"] is False


# -- agreement with the feature models ---------------------------------------------------------------------------------


def test_maturity_is_the_feature_models_formula() -> None:
    weights = {}
    with (SEEDS / "technology_weights.csv").open(encoding="utf-8", newline="") as lines:
        weights = {row["technology_key"]: (row["capability"], float(row["weight"])) for row in csv.DictReader(lines)}
    for technology in TECHNOLOGIES:
        expected = weights.get(synonym_key(technology.name), ("", 0.0))
        assert (technology.capability, technology.weight) == expected
    in_use = np.array([[t.name in ("Kubernetes", "Terraform", "Sentry") for t in TECHNOLOGIES]])
    assert technology_maturity(in_use).tolist() == [3 + 2]


def test_every_spelling_is_in_the_synonym_seeds() -> None:
    industries, countries = seed_keys("industry_synonyms.csv"), seed_keys("country_synonyms.csv")
    for shown, spellings in INDUSTRY_SPELLINGS.items():
        assert {industries.get(synonym_key(spelling)) for spelling in spellings} == {shown}
    for code, spellings in COUNTRY_SPELLINGS.items():
        assert {countries.get(synonym_key(spelling)) for spelling in spellings} == {code}


def test_web_rows_are_one_per_day_and_domain(project: Path) -> None:
    for path in sorted((project / "extracts" / "analytics").glob("*.parquet")):
        frame = pq.read_table(path).to_pandas()
        assert not frame.duplicated(["date", "customEvent:company_domain"]).any()
        assert frame["date"].str.fullmatch(r"\d{8}").all()
    assert frame["date"].min() == (STARTS[-2] - np.timedelta64(2, "D")).item().strftime("%Y%m%d")


def test_companies_are_one_json_object_per_line_with_text_properties(project: Path) -> None:
    for records in crm(project, "companies"):
        for record in records:
            assert set(record) == {"id", "properties", "archived"}
            assert all(value is None or isinstance(value, str) for value in record["properties"].values())
