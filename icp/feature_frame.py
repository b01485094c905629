"""Reading the feature frame: from the warehouse's two files when it is fresh, from a revision ever after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from icp.deals_left_out import DealsLeftOut
from icp.errors import ConfigError, IcpError

KEY = "observation_id"


def read_features(features: Path, declared: Path) -> pd.DataFrame:
    """Label and score rows with every attribute, sorted by observation.

    Args:
        features: Parquet of `fct_account_features`.
        declared: Parquet of `fct_account_declared_attributes`: the attributes icp.yml declares, same observations.

    Raises:
        IcpError: the two files do not hold the same observations.
    """
    left, right = _frame(features), _frame(declared)
    if not left[KEY].equals(right[KEY]):
        raise IcpError(
            f"{features.name} and {declared.name} do not hold the same observations; delete the warehouse and run again."
        )
    return left.join(right.drop(columns=[c for c in right.columns if c in left.columns]))


def read_left_out(path: Path) -> tuple[DealsLeftOut, ...]:
    """The deals that are no evidence, counted by quarter and reason; none where the dbt project counts none."""
    if not path.exists():
        return ()
    rows = pd.read_parquet(path).sort_values(["quarter", "exclusion"]).to_dict("records")
    return tuple(DealsLeftOut(str(row["quarter"]), str(row["exclusion"]), int(row["deals"])) for row in rows)


def read_label_rows(revision: Path) -> pd.DataFrame:
    """The outcomes a published revision was derived from, with the attributes as they were known."""
    frame = pd.read_parquet(revision / "features.parquet")
    return frame[frame["role"] == "label"].reset_index(drop=True)


def read_account(revision: Path, account: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One account of a revision as published, and its points one by one.

    Args:
        revision: Folder of the revision.
        account: Account id, company domain or exact name.

    Raises:
        ConfigError: no account or several accounts are called that.
    """
    accounts = pd.read_parquet(revision / "accounts.parquet")
    is_meant = pd.Series(False, index=accounts.index)
    for column in ("account_id", "company_domain", "account_name"):
        if not is_meant.any():
            is_meant = accounts[column].astype("str").str.casefold() == account.strip().casefold()
    found = accounts[is_meant.fillna(False)]
    if len(found) != 1:
        raise ConfigError(_not_one(account, found["account_id"].astype("str").tolist(), revision))
    row = {str(name): value for name, value in found.iloc[0].items()}
    contributions = pd.read_parquet(
        revision / "contributions.parquet", filters=[("account_id", "==", row["account_id"])]
    )
    return row, [{str(name): value for name, value in line.items()} for line in contributions.to_dict("records")]


def _frame(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path).sort_values(KEY, kind="stable", ignore_index=True)


def _not_one(account: str, found: list[str], revision: Path) -> str:
    if found:
        ids = ", ".join(found[:5])
        return f"{len(found)} accounts are called {account!r}: {ids}. Use the account id."
    return (
        f"No account is called {account!r} in {revision.parent.name}/{revision.name}. "
        "Use the account id, the company domain or the exact name, as in accounts.csv. "
        "An account outside the population of an ICP is not among its accounts."
    )
