"""Reading the feature frame: from the warehouse's two files when it is fresh, from a revision ever after."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from icp.deals_left_out import DealsLeftOut
from icp.errors import ConfigError, IcpError

KEY = "observation_id"
AccountsWhole = dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]  # an account's row and its points, by its id


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


def find_account(revision: Path, account: str) -> str:
    """The id of one account of a revision.

    Args:
        revision: Folder of the revision.
        account: Account id, company domain or exact name.

    Raises:
        ConfigError: no account or several accounts are called that.
    """
    called = ["account_id", "company_domain", "account_name"]
    accounts = pd.read_parquet(revision / "accounts.parquet", columns=called)
    is_meant = pd.Series(False, index=accounts.index)
    for column in called:
        if not is_meant.any():
            is_meant = accounts[column].astype("str").str.casefold() == account.strip().casefold()
    found = accounts[is_meant.fillna(False)]
    if len(found) != 1:
        raise ConfigError(_not_one(account, found["account_id"].astype("str").tolist(), revision))
    return str(found["account_id"].iloc[0])


def read_accounts_whole(revision: Path, wanted: Iterable[str]) -> AccountsWhole:
    """Accounts of a revision as published, each with its points one by one; those it does not have are left out."""
    ids = sorted(set(wanted))
    rows, points = (
        pd.read_parquet(revision / f"{name}.parquet", filters=[("account_id", "in", ids)])
        for name in ("accounts", "contributions")
    )
    found: AccountsWhole = {
        str(row["account_id"]): ({str(name): value for name, value in row.items()}, []) for row in _records(rows)
    }
    for line in _records(points):
        found[str(line["account_id"])][1].append(line)
    return found


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


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
