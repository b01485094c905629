"""What stands beside an account's score: the best customers nearest to it, and why it moved since the ICP before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

NEAREST = 3


@dataclass(frozen=True)
class Neighbour:
    """A customer of a qualified tier, and on how many of the fit criteria it is in the same state."""

    account_id: str
    account_name: str
    tier: str
    shared: int
    criteria: int


@dataclass(frozen=True)
class Step:
    """What one criterion added to or took from the score since the ICP before.

    `cause` is "account changed" where the account is in another state now, "ICP changed" where the same state is worth
    other points, the criterion is new or it scores no more; "both" where state and points of a state changed.
    """

    attribute: str
    label: str
    value_before: str
    value_now: str
    points_before: int
    points_now: int
    cause: str


@dataclass(frozen=True)
class SinceBefore:
    """The account under the ICP that was in force before; `steps` sum to the change of the fit score."""

    quarter: str
    tier: str
    fit_score: int
    steps: tuple[Step, ...]


def nearest_customers(
    wanted: Sequence[str], best: pd.DataFrame, states: pd.DataFrame
) -> dict[str, tuple[Neighbour, ...]]:
    """By account the customers that fit and share most states of fit criteria with it, the best fit first among equals.

    Args:
        wanted: ids of the accounts.
        best: the best customers, see `best_customers_of`.
        states: `account_id, attribute, bin_key` of the fit criteria of the wanted accounts and of the best customers.
    """
    best = best.sort_values(["fit_score", "account_id"], ascending=[False, True])
    coded = states.assign(state=pd.factorize(states["bin_key"])[0])
    table = coded.pivot(index="account_id", columns="attribute", values="state")
    theirs = table.reindex(best["account_id"]).to_numpy(dtype=float)
    found = {}
    for account_id in wanted:
        own = table.reindex([account_id]).to_numpy(dtype=float)
        shared = (theirs == own).sum(axis=1) * (best["account_id"] != account_id).to_numpy()
        nearest = [place for place in np.argsort(-shared, kind="stable")[:NEAREST] if shared[place]]
        found[account_id] = tuple(
            Neighbour(
                str(row.account_id), _text(row.account_name), _text(row.tier), int(n), int((~np.isnan(own)).sum())
            )
            for row, n in zip(best.iloc[nearest].itertuples(), shared[nearest], strict=True)
        )
    return found


def best_customers_of(accounts: pd.DataFrame) -> pd.DataFrame:
    """The customers in a qualified tier.

    Args:
        accounts: `account_id, account_name, tier, fit_score, is_customer, is_icp_qualified` of a revision.
    """
    flags = [accounts[name].astype("boolean").fillna(False) for name in ("is_customer", "is_icp_qualified")]
    return accounts[flags[0] & flags[1]]


def since_before(
    quarter: str,
    before: Mapping[str, Any],
    rows_before: Iterable[Mapping[str, Any]],
    rows_now: Iterable[Mapping[str, Any]],
    worth_before: Mapping[tuple[str, str], int],
) -> SinceBefore:
    """What moved the fit score of one account, criterion by criterion, the largest step first.

    Args:
        quarter: of the ICP before.
        before: the account's row then.
        rows_before: its points then.
        rows_now: its points now.
        worth_before: points of every state of the ICP before, by attribute and bin.
    """
    then = {str(row["attribute"]): row for row in rows_before if row["axis"] == "fit"}
    now = {str(row["attribute"]): row for row in rows_now if row["axis"] == "fit"}
    steps = [_step(name, then.get(name), now.get(name), worth_before) for name in sorted(then.keys() | now.keys())]
    moved = sorted((step for step in steps if step.points_now != step.points_before), key=_size)
    return SinceBefore(quarter, _text(before.get("tier")), int(before["fit_score"]), tuple(moved))


def since_text(since: SinceBefore, tier: str, fit_score: int) -> str:
    """Why the account moved, for a terminal."""
    head = (
        f"Since {since.quarter}: tier {since.tier or 'none'} to {tier or 'none'}, fit {since.fit_score} to {fit_score}."
    )
    lines = [
        f"  {s.points_now - s.points_before:+d}  {s.label}: {s.value_before} to {s.value_now} "
        f"({s.points_before} to {s.points_now} points; {s.cause})"
        for s in since.steps
    ]
    return "\n".join([head, *(lines or ["  No criterion gives it other points."])])


def neighbours_text(neighbours: Iterable[Neighbour]) -> str:
    """The nearest best customers, for a terminal."""
    named = [
        f"{n.account_name or n.account_id} (tier {n.tier}, {n.shared} of {n.criteria} criteria alike)"
        for n in neighbours
    ]
    return f"Nearest best customers: {'; '.join(named)}." if named else "No best customer is like it on any criterion."


def _step(
    name: str,
    then: Mapping[str, Any] | None,
    now: Mapping[str, Any] | None,
    worth_before: Mapping[tuple[str, str], int],
) -> Step:
    shown = now or then or {}
    before, after = (int(row["points"]) if row else 0 for row in (then, now))
    cause = "ICP changed"
    if then and now and then["bin_key"] != now["bin_key"]:
        cause = "account changed" if worth_before.get((name, str(now["bin_key"]))) == after else "both"
    return Step(name, str(shown["attribute_label"]), _value(then), _value(now), before, after, cause)


def _value(row: Mapping[str, Any] | None) -> str:
    return "not scored" if row is None else _text(row.get("value_text")) or "not known"


def _size(step: Step) -> tuple[int, str]:
    return (-abs(step.points_now - step.points_before), step.attribute)


def _text(value: Any) -> str:
    return "" if value is None or bool(pd.isna(value)) else str(value)
