"""Won against lost, and customers against everybody: where the two disagree, sales' choice and the market differ.

Won against lost says who wins of those sales chose to work. Customers against the universe of accounts says who becomes
a customer, which is choice and winning together. Where an attribute raises one and lowers the other, sales works
accounts it wins less from, or passes by accounts it would win.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from icp.evidence import Evidence, fit_axis, gather_evidence, shortage
from icp.label_rows import hashed_share, read_label_rows
from icp.label_rules import DEAL_WON, is_true
from icp.profile import MISSING, BinDictionary, Estimate, Profile
from icp.selection import select
from icp.stats import Floats, normal_quantile

MOST_BACKGROUND = 10_000
LEAST_CUSTOMERS = 20
LEAST_SHARE = 0.03


@dataclass(frozen=True)
class BinContrast:
    """Odds of a bin against the average account of the bins that are worked, in both contrasts."""

    key: str
    label: str
    won_or_lost: Estimate
    customer_or_not: Estimate
    disagrees: bool


@dataclass(frozen=True)
class AttributeContrast:
    """One attribute in both contrasts; it disagrees when both confirm it and a bin lies on credibly opposite sides."""

    attribute: str
    label: str
    won_or_lost_q: float | None
    customer_or_not_q: float | None
    bins: tuple[BinContrast, ...]

    @property
    def disagrees(self) -> bool:
        return any(b.disagrees for b in self.bins)


@dataclass(frozen=True)
class Contrasts:
    """Both contrasts on the same bins. `background` counts the accounts customers are compared with."""

    customers: int
    background: int
    attributes: tuple[AttributeContrast, ...]


def compare_contrasts(
    profile: Profile, labels: pd.DataFrame, universe: pd.DataFrame, seed: int = 0
) -> Contrasts | None:
    """Fit customers against the universe beside won against lost; None with too few customers or accounts.

    Only fit attributes are looked at: what an account does now follows from being worked. Nothing of it enters the
    score.

    Args:
        profile: the profile to publish; its frozen bins are used.
        labels: the label rows.
        universe: the accounts to be scored.
        seed: of the hash that thins a large universe.
    """
    fit_side = tuple(a for a in profile.bins.attributes if a.axis == "fit")
    dictionary = BinDictionary(profile.bins.made_in, fit_side, {a.name: profile.bins.bins[a.name] for a in fit_side})
    frame = customers_and_background(labels, universe, profile.quarter, seed)
    customers = int(frame["is_won"].sum())
    if min(customers, len(frame) - customers) < LEAST_CUSTOMERS:
        return None
    rows = read_label_rows(labels, dictionary)
    deals = gather_evidence(rows, dictionary, profile.change_points)
    people = Evidence(read_label_rows(frame, dictionary), dictionary, contrast="customer_or_not")
    lines = _side_by_side(deals, people)
    return Contrasts(customers, len(frame) - customers, lines)


def customers_and_background(
    labels: pd.DataFrame, universe: pd.DataFrame, quarter: str, seed: int, *, only_good: bool = False
) -> pd.DataFrame:
    """A label frame of customers (their first win of the window, as known when it opened) and accounts that are none.

    A large universe is thinned to 10,000 accounts by a hash of their id. With `only_good`, customers are those the label
    calls good; the others are on neither side.
    """
    won = is_true(labels[DEAL_WON] if DEAL_WON in labels else labels["is_won"])
    chosen = labels[is_true(labels["is_won"]) if only_good else won]
    first = chosen.sort_values(["outcome_quarter", "observation_id"], kind="stable").drop_duplicates("account_id")
    is_other = ~universe["account_id"].isin(labels.loc[won, "account_id"])
    if "is_customer" in universe:
        is_other &= ~is_true(universe["is_customer"])
    others = universe[is_other]
    place = np.array([hashed_share(str(account), seed) for account in others["account_id"]])
    others = others[np.argsort(np.argsort(place)) < MOST_BACKGROUND]
    ids = "universe:" + others["account_id"].astype(str)
    background = others.assign(observation_id=ids, is_won=False, role="label")
    frame = pd.concat([first.assign(is_won=True, role="label"), background], ignore_index=True)
    return frame.assign(outcome_quarter=quarter, outcome_value=np.nan)


def _side_by_side(deals: Evidence, people: Evidence) -> tuple[AttributeContrast, ...]:
    names = [a.name for a in deals.dictionary.attributes if not shortage(deals, a) and not shortage(people, a)]
    fits = fit_axis(deals, names), fit_axis(people, names)
    found = select(deals), select(people)
    q_values = [{v.attribute.name: v.q_value for v in selection.verdicts} for selection in found]
    lines = []
    for block, name in enumerate(names):
        bins = deals.dictionary.bins[name]
        thick = np.minimum(people.shares(name), deals.shares(name)) >= LEAST_SHARE
        # Both against the mix of the market, as far as it is worked: a bin nobody works would drag one average down.
        shares = people.shares(name) * thick
        shares = shares / max(float(shares.sum()), 1e-9)
        both = found[0].is_confirmed(name) and found[1].is_confirmed(name)
        sides = [fit.contrast(block, shares) for fit in fits]
        opposite = _opposite(*sides) & thick & both & np.array([b.key != MISSING for b in bins])
        odds = [_odds(*side) for side in sides]
        states = tuple(
            BinContrast(state.key, state.label, odds[0][b], odds[1][b], bool(opposite[b]))
            for b, state in enumerate(bins)
        )
        label = deals.dictionary.attribute(name).label
        lines.append(AttributeContrast(name, label, q_values[0][name], q_values[1][name], states))
    return tuple(lines)


def _opposite(left: tuple[Floats, Floats], right: tuple[Floats, Floats]) -> np.ndarray:
    """Bins above average in one contrast and below it in the other, both beyond their 95 % interval."""
    signs = []
    for effect, error in (left, right):
        beyond = (error > 0) & (np.abs(effect) > normal_quantile() * error)
        signs.append(np.where(beyond, np.sign(effect), 0.0))
    return np.asarray(signs[0] * signs[1] < 0)


def _odds(effect: Floats, error: Floats) -> list[Estimate]:
    half = normal_quantile() * error
    return [Estimate(*row) for row in np.exp(np.column_stack([effect, effect - half, effect + half])).tolist()]
