"""`icp quick`: what it makes of a file nobody described, and what it refuses."""

from __future__ import annotations

import json
from datetime import date as Day
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.quick import QuickRun, in_words, run_quick
from flows.quick_rows import Columns
from icp.errors import ConfigError, NotEnoughEvidence
from icp.profile import Criterion

TODAY = Day(2026, 2, 1)
DATA = Path(__file__).resolve().parents[2].parent / "shared/data"


def table(rows: int = 900, seed: int = 1) -> pd.DataFrame:
    """Industry and employees decide; the colour of the logo does not."""
    rng = np.random.default_rng(seed)
    industry = rng.choice(["Software", "Retail", "Mining"], rows)
    employees = np.exp(rng.normal(4, 1.2, rows)).round()
    log_odds = -1.5 + 1.2 * (industry == "Software") - 1.2 * (industry == "Mining") + 0.6 * (employees > 50)
    won = rng.random(rows) < 1 / (1 + np.exp(-log_odds))
    return pd.DataFrame(
        {
            "deal_id": [f"D{i:05d}" for i in range(rows)],
            "company": [f"Company {i} GmbH" for i in range(rows)],
            "industry": industry,
            "employees": employees,
            "logo": rng.choice(["red", "blue", "green"], rows),
            "tools": rng.choice(["aws;slack", "aws", "slack;jira", ""], rows),
            "stage": np.where(won, "Closed Won", "Closed Lost"),
            "closed": pd.to_datetime("2025-01-15") + pd.to_timedelta(rng.integers(0, 360, rows), "D"),
            "amount": np.where(won, rng.normal(9_000, 500, rows).round(2), np.nan),
        }
    )


def run(tmp_path: Path, frame: pd.DataFrame, *, columns: Columns | None = None, **csv: object) -> QuickRun:
    path = tmp_path / "deals.csv"
    frame.to_csv(path, index=False, **csv)  # type: ignore[call-overload]
    return run_quick(path, columns or Columns("stage", value="amount"), tmp_path / "out", TODAY)


def confirmed(done: QuickRun) -> set[str]:
    return {c.attribute for c in done.result.profile.fit.criteria if c.grade == "confirmed"}


def criterion(done: QuickRun, name: str) -> Criterion:
    found = done.result.profile.fit.criterion(name)
    assert found is not None
    return found


def test_what_decides_is_found_and_tested_on_the_newest_quarter(tmp_path: Path) -> None:
    done = run(tmp_path, table(), columns=Columns("stage", value="amount", date="closed"))
    assert confirmed(done) == {"industry", "employees"}
    assert {b.label: b.stance for b in criterion(done, "industry").bins}["Mining"] == "out"
    assert done.result.backtest is not None and done.result.backtest.auc is not None
    assert (done.result.backtest.profile_quarter, done.result.backtest.quarter) == (
        "2025Q3",
        "2025Q4 to 2026Q1",
    )  # nine days of 2026 judge nothing alone
    assert done.result.backtest.auc.low > 0.55
    words = in_words(done)
    assert words.startswith("industry and employees tell won from lost") or words.startswith("employees and industry")
    assert "  wins less      Mining " in words and "  wins more      Software " in words
    assert "Left out: deal_id" in words and "company" in words
    page = (done.folder / "report.html").read_text()
    assert "Tested on rows it had not seen" in page and "http://" not in page.replace("http://www.w3.org", "")
    assert json.loads((done.folder / "quick.json").read_text())["wins"] == done.result.profile.wins
    assert (done.folder / "scoring.sql").read_text().count("industry") > 1


def test_without_dates_one_half_judges_the_other_and_the_result_repeats(tmp_path: Path) -> None:
    first = run(tmp_path, table())
    assert first.result.backtest is not None
    assert first.result.backtest.quarter == "the held-out half"
    bytes_ = {p.name: p.read_bytes() for p in first.folder.iterdir()}
    again = run(tmp_path, table())
    assert {p.name: p.read_bytes() for p in again.folder.iterdir()} == bytes_


def test_shuffled_outcomes_are_no_driver(tmp_path: Path) -> None:
    frame = table(seed=3)
    frame["stage"] = np.random.default_rng(9).permutation(frame["stage"])
    done = run(tmp_path, frame)
    assert done.result.profile.state == "no_icp"
    assert in_words(done).startswith("The data support no ICP")


def test_european_files_read_alike(tmp_path: Path) -> None:
    frame = table()
    us = run(tmp_path, frame)
    european = run(tmp_path, frame, sep=";", decimal=",", encoding="cp1252")
    assert confirmed(european) == confirmed(us)
    assert any("separated by ';'" in note for note in european.notes)


def test_open_deals_are_left_out_and_counted(tmp_path: Path) -> None:
    frame = table()
    frame.loc[:99, "stage"] = "Negotiation"
    done = run(tmp_path, frame)
    assert done.result.profile.opportunities == 800
    assert any("100 rows are neither won nor lost and left out: Negotiation (100)" in note for note in done.notes)


def test_a_column_left_out_can_be_kept(tmp_path: Path) -> None:
    frame = table()
    frame["industry_id"] = frame["industry"].map({"Software": 7, "Retail": 8, "Mining": 9})
    assert "industry_id" in dict(run(tmp_path, frame).left_out)
    kept = run(tmp_path, frame, columns=Columns("stage", value="amount", keep=("industry_id",)))
    assert "industry_id" not in dict(kept.left_out)


def test_a_column_that_is_a_code_of_another_takes_none_of_its_evidence(tmp_path: Path) -> None:
    frame = table()
    frame["industry_code"] = frame["industry"].map({"Software": "S", "Retail": "R", "Mining": "M"})
    frame["staff_in_thousands"] = frame["employees"] / 1000
    done = run(tmp_path, frame)
    assert dict(done.left_out)["industry_code"] == "it tells the rows apart just as 'industry' does"
    assert "'employees'" in dict(done.left_out)["staff_in_thousands"]
    assert confirmed(done) == {"industry", "employees"}


def test_a_column_that_knows_the_outcome_is_left_out_and_named(tmp_path: Path) -> None:
    frame = table()
    codes = np.random.default_rng(4).choice(["price", "rival"], len(frame))
    frame["loss_code"] = np.where(frame["stage"] == "Closed Lost", codes, None)
    done = run(tmp_path, frame)
    assert "knows the outcome" in dict(done.left_out)["loss_code"]
    assert "loss_code" not in (done.folder / "scoring.sql").read_text()
    assert confirmed(done) == {"industry", "employees"}
    kept = run(tmp_path, frame, columns=Columns("stage", value="amount", keep=("loss_code",)))
    assert "loss_code" in confirmed(kept)


def test_a_file_too_small_to_keep_rows_aside_has_a_profile_and_no_test(tmp_path: Path) -> None:
    frame = pd.DataFrame({"industry": ["a", "b"] * 25, "won": [int(i % 5 < 2) for i in range(50)]})
    done = run(tmp_path, frame, columns=Columns("won"))
    assert done.result.backtest is None
    assert "Too few rows to keep some aside for a test." in in_words(done)
    assert (done.folder / "report.html").exists()


def test_what_else_was_counted_as_lost_is_said(tmp_path: Path) -> None:
    frame = table()
    frame["stage"] = np.where(frame["stage"] == "Closed Won", "Closed Won", "Negotiation")
    done = run(tmp_path, frame, columns=Columns("stage", value="amount", won=("Closed Won",)))
    assert any("counted as lost: Negotiation (" in note for note in done.notes)


def test_the_column_that_names_the_account_is_the_account_and_no_attribute(tmp_path: Path) -> None:
    frame = table().assign(company=lambda t: [f"Company {i % 40}" for i in range(len(t))])
    done = run(tmp_path, frame)
    assert any("the same 'company' are counted as deals of one account" in note for note in done.notes)
    assert any("900 of 900 rows are of 40 accounts with several rows" in note for note in done.notes)
    assert not any(t.attribute == "company" for t in done.result.profile.tests)
    two = run(tmp_path, frame.assign(client=frame["company"]))
    assert "--id client" in dict(two.left_out)["client"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns("Stage"), "no column 'Stage' .*Did you mean 'stage'.*It has: deal_id"),
        (Columns("logo"), "What 'logo' calls won is not clear. It holds .*--won VALUE"),
        (Columns("stage", won=("Win!",)), "No row of 'stage' is 'Win!'"),
        (Columns("stage", lost=("Closed Lots",)), "--lost.*Did you mean 'closed lost'"),
        (Columns("stage", won=("closed won",), lost=("Closed Won",)), "given as won and as lost"),
        (Columns("stage", date="stage"), "--outcome and --date both name the column 'stage'"),
        (Columns("stage", value="logo"), "No won row has a number in 'logo' .--value.*(red|blue|green)"),
        (Columns("stage", date="logo"), "No value of 'logo' .* reads as a date"),
        (Columns("stage", keep=("nothing",)), "no column 'nothing' .*--keep"),
    ],
)
def test_a_wrong_column_is_named(tmp_path: Path, columns: Columns, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, table(120), columns=columns)
    assert not (tmp_path / "out").exists()


def test_one_class_is_not_enough_evidence_and_says_what_was_not_used(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughEvidence, match="120 won and 0 lost") as caught:
        run(tmp_path, table(120).assign(stage="Closed Won"))
    assert "Left out: deal_id: " in str(caught.value) and "icp.yml" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_several_values_mean_won_and_lost_and_the_others_are_left_out(tmp_path: Path) -> None:
    frame = table()
    frame["stage"] = frame["stage"].replace({"Closed Won": "Signed", "Closed Lost": "Dead"})
    frame.loc[:99, "stage"], frame.loc[100:149, "stage"] = "Negotiation", "Renewed"
    done = run(tmp_path, frame, columns=Columns("stage", won=("signed", "Renewed"), lost=("Dead",)))
    assert done.result.profile.opportunities == 800
    assert "100 rows are neither won nor lost and left out: Negotiation (100)." in done.notes
    assert not any("counted as lost" in note for note in done.notes)


def test_copies_of_rows_are_left_out_where_a_column_names_the_row(tmp_path: Path) -> None:
    frame = table(300)
    done = run(tmp_path, pd.concat([frame, frame.head(50)]))
    assert done.result.profile.opportunities == 300
    assert "50 rows are copies of earlier rows and left out ('deal_id' names each row)." in done.notes
    alike = run(tmp_path, frame[["industry", "stage"]], columns=Columns("stage"))
    assert alike.result.profile.opportunities == 300
    assert any("equal to an earlier row in every column and kept" in note for note in alike.notes)


def test_dates_say_how_they_were_read_and_those_ahead_are_left_out(tmp_path: Path) -> None:
    frame = table()
    frame["closed"] = frame["closed"].dt.strftime("%d/%m/%Y")
    frame.loc[:9, "closed"], frame.loc[10:14, "closed"] = "01/01/2030", "soon"
    done = run(tmp_path, frame, columns=Columns("stage", date="closed"))
    assert done.result.profile.opportunities == 885
    assert "closed: dates were read as day/month/year." in done.notes
    assert "10 rows are dated after today (2026-02-01) and left out." in done.notes
    assert "5 rows are without a date that can be read and left out." in done.notes
    assert any("5 cells do not read as a date, such as 'soon'" in note for note in done.notes)


def test_accounts_on_both_sides_of_the_test_are_kept_out_of_it_or_said(tmp_path: Path) -> None:
    frame = table().assign(closed=lambda t: np.where(t.index < 600, "2025-05-01", "2025-08-01"))
    columns = Columns("stage", date="closed", id="company")
    few = frame.assign(company=lambda t: np.where(t.index.isin(range(600, 650)), "Company 1 GmbH", t["company"]))
    done = run(tmp_path, few, columns=columns)
    assert any(note.startswith("50 of 300 rows kept for the test are of accounts") for note in done.notes)
    assert done.result.backtest is not None and done.result.backtest.opportunities == 250
    all_ = frame.assign(company=lambda t: [f"Company {i % 40}" for i in range(len(t))])
    done = run(tmp_path, all_, columns=columns)
    assert any("300 of 300 rows kept for the test" in n and "says little about accounts never met" in n
               for n in done.notes)  # fmt: skip
    assert done.result.backtest is not None and done.result.backtest.opportunities == 300


def test_too_few_new_rows_to_test_on_are_tested_by_halves(tmp_path: Path) -> None:
    frame = table().assign(closed=lambda t: np.where(t.index < 890, "2025-05-01", "2025-08-01"))
    done = run(tmp_path, frame, columns=Columns("stage", date="closed"))
    assert done.result.backtest is not None and done.result.backtest.quarter == "the held-out half"
    assert any("newest quarters hold too few rows" in note for note in done.notes)


def test_what_a_win_is_worth_is_told_without_the_values_that_are_none(tmp_path: Path) -> None:
    frame = table()
    won = frame.index[frame["stage"] == "Closed Won"]
    frame["amount"] = frame["amount"].astype(object)
    frame.loc[won[:7], "amount"], frame.loc[won[7:10], "amount"] = "-250", "inf"
    done = run(tmp_path, frame)
    assert done.result.profile.value is not None and done.result.profile.value.not_positive == 7
    words = in_words(done)
    assert "Value: " in words and "3 cells do not read as a number, such as 'inf'" in words
    assert "7 won rows have a value of 0 or less in 'amount' (7 negative)" in words
    assert "What a win is worth" in (done.folder / "report.html").read_text()


def test_odd_columns_do_no_harm(tmp_path: Path) -> None:
    frame, rng = table(), np.random.default_rng(4)
    frame["empty"] = np.nan
    frame["same"] = "x"
    frame["negative"] = rng.normal(0, 10, len(frame)).round(2)
    frame["broken"] = rng.choice(["inf", "-inf", "NaN", "3", "4"], len(frame))
    frame["many"] = rng.integers(0, 5_000, len(frame)).astype(str) + " street"
    frame["is_won"] = rng.choice(["a", "b"], len(frame))
    done = run(tmp_path, pd.concat([frame, frame.head(50)]))
    left = dict(done.left_out)
    assert left["empty"] == "no value in any row"
    assert "same value in every row" in left["same"]
    assert "many" in left
    assert confirmed(done) == {"industry", "employees"}


def test_somebody_elses_folder_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").write_text("precious")
    with pytest.raises(ConfigError, match="did not write"):
        run(tmp_path, table(120))


@pytest.mark.realdata
@pytest.mark.skipif(not (DATA / "maven_crm").is_dir(), reason=f"no data at {DATA}")
def test_a_crm_whose_accounts_do_not_decide_has_no_driver(tmp_path: Path) -> None:
    accounts = pd.read_csv(DATA / "maven_crm/accounts.csv")
    deals = pd.read_csv(DATA / "maven_crm/sales_pipeline.csv")[["account", "deal_stage", "close_date"]]
    done = run(
        tmp_path, deals.merge(accounts, on="account"), columns=Columns("deal_stage", None, "close_date", "account")
    )
    assert done.result.profile.state == "no_icp"
    assert in_words(done).startswith("The data support no ICP")


@pytest.mark.realdata
@pytest.mark.skipif(not (DATA / "adventureworks_resellers").is_dir(), reason=f"no data at {DATA}")
def test_resellers_are_told_by_their_business_type(tmp_path: Path) -> None:
    folder = DATA / "adventureworks_resellers"
    resellers = pd.read_csv(folder / "DimReseller.csv")
    orders = pd.read_parquet(folder / "FactResellerSales.parquet", columns=["ResellerKey", "OrderDate", "SalesAmount"])
    day = pd.to_datetime(orders["OrderDate"])
    sales = orders[(day >= "2012-04-01") & (day < "2012-07-01")].groupby("ResellerKey")["SalesAmount"].sum()
    bought = resellers["ResellerKey"].map(sales).fillna(0)
    leaks = ["FirstOrderYear", "LastOrderYear", "OrderFrequency", "OrderMonth"]
    frame = resellers.drop(columns=leaks).assign(best=bought.rank(ascending=False) <= 0.2 * len(resellers))
    done = run(tmp_path, frame, columns=Columns("best", id="ResellerKey"))
    assert "BusinessType" in confirmed(done)
    shops = {b.label: b for b in criterion(done, "BusinessType").bins}["Specialty Bike Shop"]
    assert shops.stance == "out" and shops.odds.high < 0.7
