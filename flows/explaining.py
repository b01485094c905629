"""Scores taken apart for the terminal and the report, from the tables of a revision and of the ICP in force before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icp.account_context import Neighbour, SinceBefore
    from icp.explain import Explanation
    from icp.feature_frame import AccountsWhole
    from icp.profile import Profile
    from icp.published import PublishedStore


def explain_account(store: PublishedStore, account: str, reference: str | None, *, as_json: bool) -> str:
    """The points of one account with the evidence behind each, where it came from, what is like it and what moved it."""
    from flows.reading import find_revision, read_profile
    from icp.explain import explanation_text
    from icp.feature_frame import find_account
    from icp.serialize import to_json

    revision = find_revision(store, reference)
    (explanation,) = explanations(
        revision,
        [find_account(revision, account)],
        profile=read_profile(revision),
        incumbent=store.incumbent(before_quarter=revision.parent.name),
        name=f"{store.icp}/{revision.parent.name}/{revision.name}",
    )
    return to_json(explanation) if as_json else explanation_text(explanation)


def explanations(
    revision: Path, wanted: Sequence[str], *, profile: Profile, incumbent: Path | None, name: str
) -> tuple[Explanation, ...]:
    """The score of each of these accounts taken apart, in this order.

    Args:
        revision: folder with `accounts.parquet` and `contributions.parquet`; it may still be in the making.
        wanted: ids of the accounts.
        profile: what scored them.
        incumbent: the revision in force before; None when there was none.
        name: what the revision is called, such as `main/2026Q3/r1`.
    """
    from icp.explain import explain
    from icp.feature_frame import read_accounts_whole

    if not wanted:
        return ()
    found, near = read_accounts_whole(revision, wanted), _neighbours(revision, wanted)
    since = _since_before(found, incumbent) if incumbent else {}
    return tuple(
        replace(explain(*found[one], profile), revision=name, since=since.get(one), neighbours=near[one])
        for one in wanted
    )


def _neighbours(revision: Path, wanted: Sequence[str]) -> dict[str, tuple[Neighbour, ...]]:
    import pandas as pd

    from icp.account_context import best_customers_of, nearest_customers

    columns = ["account_id", "account_name", "tier", "fit_score", "is_customer", "is_icp_qualified"]
    customers = pd.read_parquet(
        revision / "accounts.parquet", columns=columns, filters=[("is_icp_qualified", "==", True)]
    )
    best = best_customers_of(customers)
    states = pd.read_parquet(
        revision / "contributions.parquet",
        columns=["account_id", "attribute", "bin_key"],
        filters=[("axis", "==", "fit"), ("account_id", "in", sorted({*best["account_id"], *wanted}))],
    )
    return nearest_customers(wanted, best, states)


def _since_before(now: AccountsWhole, incumbent: Path) -> dict[str, SinceBefore]:
    """The accounts under the ICP in force before; those that had no score in it are left out."""
    from flows.reading import read_profile
    from icp.account_context import since_before
    from icp.feature_frame import read_accounts_whole

    profile = read_profile(incumbent)
    worth = {(c.attribute, b.key): b.points for c in profile.fit.criteria for b in c.bins}
    return {
        one: since_before(incumbent.parent.name, row, points, now[one][1], worth)
        for one, (row, points) in read_accounts_whole(incumbent, now).items()
    }
