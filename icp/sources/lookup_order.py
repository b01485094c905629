"""Which companies are looked up first when credits do not reach for all.

1. Companies with a deal, the newest deal first, won and lost alike: the profile is learned from them, and a criterion
   can only be found where both sides were looked at.
2. The others by the score they have in the ICP in force: lists are worked from the top.
3. The others by the last change of their record.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from icp.lake import Lake
from icp.published import PublishedStore

if TYPE_CHECKING:
    import pandas as pd

ACCOUNTS = ["account_id", "company_domain", "is_deleted", "modified_at"]
DEALS = ["account_id", "created_at", "closed_at"]


def domains_by_value(lake: Lake, icps: Iterable[str]) -> list[str]:
    """Every domain of an account there is now, each once, the most valuable first; empty before accounts have landed."""
    import pandas as pd

    landed = lake.landed_files()
    accounts = _read(landed.get("accounts", []), ACCOUNTS)
    if accounts.empty:
        return []
    accounts = accounts.drop_duplicates("account_id", keep="last")
    deleted = accounts["is_deleted"].astype("boolean").fillna(False)
    accounts = accounts[~deleted.astype(bool) & accounts["company_domain"].notna()]
    deals = _read(landed.get("opportunities", []), DEALS)
    newest = deals[["created_at", "closed_at"]].max(axis=1).groupby(deals["account_id"]).max()
    ranked = pd.DataFrame(
        {
            "domain": accounts["company_domain"],
            "deal": pd.to_datetime(accounts["account_id"].map(newest)),
            "score": accounts["company_domain"].map(_scores(lake.root, icps)).astype("float64"),
            "modified_at": pd.to_datetime(accounts["modified_at"]),
        }
    )
    # of several accounts of one domain the most valuable counts
    by = ["deal", "score", "modified_at", "domain"]
    ranked = ranked.sort_values(by, ascending=[False, False, False, True], na_position="last", kind="stable")
    return list(dict.fromkeys(ranked["domain"].tolist()))


def _read(files: Iterable[str], columns: list[str]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow.parquet as pq

    parts = [pq.read_table(file, columns=columns, partitioning=None).to_pandas() for file in files]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _scores(root: Path, icps: Iterable[str]) -> dict[str, float]:
    """The best score a domain has in any ICP in force."""
    import pandas as pd

    best: dict[str, float] = {}
    for icp in icps:
        store = PublishedStore(root, icp)
        current = store.current()
        if current is None:
            continue
        file = store.path(current["quarter"], current["revision"]) / "accounts.parquet"
        if not file.exists():
            continue
        scored = pd.read_parquet(file, columns=["company_domain", "fit_score"]).dropna()
        for domain, score in scored.itertuples(index=False):
            best[domain] = max(score, best.get(domain, score))
    return best
