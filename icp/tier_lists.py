"""The lists that follow from tiers: who rose, who fell, who is net-new, who is not worth an hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from icp.profile import Profile


def qualified_tiers(accounts: pd.DataFrame, profile: Profile) -> tuple[str, ...]:
    """The tiers whose accounts count as fitting, best first, as the warehouse marked them."""
    fitting = accounts.loc[accounts["is_icp_qualified"].fillna(False).astype(bool), "tier"]
    found = set(fitting.dropna().astype(str))
    return tuple(name for name in tier_names(profile) if name in found)


def tier_names(profile: Profile) -> tuple[str, ...]:
    """The tiers from best to worst."""
    return tuple(tier.name for tier in sorted(profile.tiers, key=lambda tier: -tier.min_score))


def movers(accounts: pd.DataFrame, tiers: Sequence[str], most: int = 15) -> pd.DataFrame:
    """The accounts the report names: those that rose or fell furthest between tiers, with a `direction`."""
    risen, fallen = risers(accounts, tiers).head(most), fallers(accounts, tiers).head(most)
    return pd.concat([risen.assign(direction="up"), fallen.assign(direction="down")], ignore_index=True)


def risers(accounts: pd.DataFrame, tiers: Sequence[str]) -> pd.DataFrame:
    """Accounts in a better tier than in the ICP before, the furthest risen first."""
    steps = _steps(accounts, tiers)
    return by_fit(accounts.assign(_steps=-steps)[steps < 0])


def fallers(accounts: pd.DataFrame, tiers: Sequence[str]) -> pd.DataFrame:
    """Accounts in a worse tier than in the ICP before, the furthest fallen first."""
    steps = _steps(accounts, tiers)
    return by_fit(accounts.assign(_steps=steps)[steps > 0])


def net_new(accounts: pd.DataFrame, tiers: Sequence[str]) -> pd.DataFrame:
    """Accounts of the two best tiers that are not customers yet and may be contacted, the best fit first."""
    is_prospect = ~accounts["is_customer"].fillna(False).astype(bool)
    if "do_not_contact" in accounts:
        is_prospect &= ~accounts["do_not_contact"].fillna(False).astype(bool)
    return by_fit(accounts[is_prospect & accounts["tier"].isin(list(tiers)[:2])])


def not_icp(accounts: pd.DataFrame, tiers: Sequence[str]) -> pd.DataFrame:
    """Accounts of the last tier that are not customers: where an hour of prospecting is worth least."""
    is_prospect = ~accounts["is_customer"].fillna(False).astype(bool)
    return by_fit(accounts[is_prospect & accounts["tier"].isin(list(tiers)[-1:])])


LISTS: Mapping[str, Callable[[pd.DataFrame, Sequence[str]], pd.DataFrame]] = {
    "risers": risers, "fallers": fallers, "net_new": net_new, "not_icp": not_icp,
}  # fmt: skip


def _steps(accounts: pd.DataFrame, tiers: Sequence[str]) -> pd.Series[float]:
    """Tiers down (positive) or up (negative) since the ICP before; missing for accounts that had no tier."""
    rank = {name: place for place, name in enumerate(tiers)}
    now, before = (accounts[column].astype(object).map(rank).astype(float) for column in ("tier", "previous_tier"))
    return now - before


def by_fit(accounts: pd.DataFrame) -> pd.DataFrame:
    """The accounts, those that moved furthest first, then the best fit."""
    keys = [key for key in ("_steps", "fit_score", "intent_score") if key in accounts]
    ordered = accounts.sort_values([*keys, "account_id"], ascending=[*[False] * len(keys), True], kind="stable")
    return ordered.drop(columns="_steps", errors="ignore").reset_index(drop=True)
