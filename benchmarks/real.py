"""Two third-party sets kept outside the repository, as label rows; absent, they are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from icp.profile import Attribute

DATA = Path(__file__).resolve().parents[2] / "shared/data"
TEST_SHARE = 0.3
REAL_SETS = {"adventureworks": "adventureworks_resellers", "maven": "maven_crm"}

Loaded = tuple[pd.DataFrame, tuple[Attribute, ...]]


def is_at_hand(name: str) -> bool:
    return _folder(name).is_dir()


def load_real(name: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, tuple[Attribute, ...]]:
    """Training and test rows, split by account, and the attributes."""
    rows, attributes = {"adventureworks": _adventureworks, "maven": _maven}[name](_folder(name))
    accounts = np.sort(rows["account_id"].unique())
    held_out = set(np.random.default_rng(seed).choice(accounts, round(TEST_SHARE * len(accounts)), replace=False))
    is_test = rows["account_id"].isin(held_out)
    return rows[~is_test].reset_index(drop=True), rows[is_test].reset_index(drop=True), attributes


def _folder(name: str) -> Path:
    return DATA / REAL_SETS[name]


def _adventureworks(folder: Path) -> Loaded:
    """Resellers; won = among the fifth with the highest purchases in 2012."""
    resellers = pd.read_csv(folder / "DimReseller.csv").merge(
        pd.read_csv(folder / "DimGeography.csv"), on="GeographyKey", how="left", validate="m:1"
    )
    orders = pd.read_parquet(folder / "FactResellerSales.parquet", columns=["ResellerKey", "OrderDate", "SalesAmount"])
    orders = orders[orders["OrderDate"].dt.year == 2012]
    bought = orders["SalesAmount"].astype(float).groupby(orders["ResellerKey"]).sum()
    value = resellers["ResellerKey"].map(bought).fillna(0.0)
    columns = {
        "business_type": ("category", "BusinessType"), "product_line": ("category", "ProductLine"),
        "country": ("category", "CountryRegionCode"), "employees": ("numeric", "NumberEmployees"),
        "annual_sales": ("numeric", "AnnualSales"), "annual_revenue": ("numeric", "AnnualRevenue"),
        "year_opened": ("numeric", "YearOpened"),
    }  # fmt: skip
    won = value >= value.quantile(0.8)
    return _rows(resellers, columns, won, resellers["ResellerKey"], value.where(won), "2012Q4")


def _maven(folder: Path) -> Loaded:
    """Decided opportunities of a hardware vendor; the win rate does not depend on the account."""
    deals = pd.read_csv(folder / "sales_pipeline.csv")
    deals = deals[deals["deal_stage"].isin(["Won", "Lost"])]
    deals = deals.merge(pd.read_csv(folder / "accounts.csv"), on="account", how="inner", validate="m:1")
    columns = {
        "sector": ("category", "sector"), "country": ("category", "office_location"),
        "subsidiary_of": ("category", "subsidiary_of"), "founded": ("numeric", "year_established"),
        "revenue": ("numeric", "revenue"), "employees": ("numeric", "employees"),
    }  # fmt: skip
    closed = pd.to_datetime(deals["close_date"], format="%m/%d/%Y").dt.to_period("Q").astype(str)
    won = deals["deal_stage"] == "Won"
    return _rows(deals, columns, won, deals["account"], deals["close_value"].where(won), closed)


def _rows(
    source: pd.DataFrame,
    columns: dict[str, tuple[str, str]],
    won: pd.Series,
    account: pd.Series,
    value: pd.Series,
    quarter: str | pd.Series,
) -> Loaded:
    frame = pd.DataFrame({name: source[column] for name, (_, column) in columns.items()})
    frame["observation_id"] = [f"o{i:06d}" for i in range(len(frame))]
    frame["account_id"], frame["is_won"] = account.astype(str), won.astype(bool)
    frame["outcome_value"], frame["outcome_quarter"] = value, quarter
    attributes = tuple(
        Attribute(name, kind, "firmographic", name.replace("_", " ").capitalize())  # type: ignore[arg-type]
        for name, (kind, _) in columns.items()
    )
    return frame, attributes
