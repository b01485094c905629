"""The lists dbt makes (`fct_account_lists`): their files, how many accounts each has, and why one may be empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from icp.errors import IcpError

# Each list: what the report calls it, the feature without which nobody can be on it, and what lands that feature.
LISTS: Mapping[str, tuple[str, str, str]] = {
    "look_alikes": ("Net-new look-alikes of customers", "", ""),
    "churned_fit": ("Churned accounts that fit now", "is_past_customer", "no revenue has landed"),
    "competitor_customers": (
        "Customers of competitors that fit",
        "uses_competitor",
        "no competitor signals have landed",
    ),
    "customers_no_longer_fit": ("Customers that no longer fit", "", ""),
    "do_not_contact": ("Kept off these lists: asked not to be contacted", "", ""),
}


@dataclass(frozen=True)
class ListCount:
    """One list in the report. `note` says why an empty list is no finding; empty where the list can be read as it is."""

    name: str
    title: str
    accounts: int
    note: str = ""


def read_lists(folder: Path) -> pd.DataFrame:
    """Who is on which list and why: `list, account_id, detail`, as the warehouse left it in the revision.

    Raises:
        IcpError: the warehouse has not written `lists.parquet` into the folder.
    """
    path = folder / "lists.parquet"
    if not path.exists():
        raise IcpError(f"{path.name} is not in {path.parent}: build the serving models into this folder first")
    return pd.read_parquet(path, dtype_backend="numpy_nullable")


def list_tables(lists: pd.DataFrame, accounts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every list as a table of its accounts with `detail` last, the best fit first; an empty one keeps its columns."""
    joined = lists.merge(accounts, on="account_id", how="left", validate="many_to_one")
    joined = joined[["list", *accounts.columns, "detail"]]
    ordered = joined.sort_values(["fit_score", "intent_score", "account_id"], ascending=[False, False, True])
    return {name: ordered[ordered["list"] == name].drop(columns="list").reset_index(drop=True) for name in LISTS}


def list_counts(lists: pd.DataFrame, universe: pd.DataFrame, *, has_tiers: bool) -> tuple[ListCount, ...]:
    """How many accounts each list has, and what stands in the way of one that nobody can be on.

    Args:
        lists: As `read_lists` gives it.
        universe: The score rows; a feature empty in all of them was never known.
        has_tiers: Whether the profile has tiers; without them nobody is known to fit.
    """
    counts = lists["list"].value_counts()
    return tuple(
        ListCount(name, title, int(counts.get(name, 0)), _obstacle(universe, feature, reason, has_tiers))
        for name, (title, feature, reason) in LISTS.items()
    )


def _obstacle(universe: pd.DataFrame, feature: str, reason: str, has_tiers: bool) -> str:
    if not has_tiers:
        return "cannot tell: the profile has no tiers, so nobody is known to fit"
    is_unknown = feature and (feature not in universe or bool(universe[feature].isna().all()))
    return f"cannot tell: {reason}" if is_unknown else ""
