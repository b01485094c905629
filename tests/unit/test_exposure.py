"""Who was worked, and where customers against everybody says the opposite of won against lost."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from small_market import ATTRIBUTES, make_accounts, size_band, usual_log_odds

from icp.bins import make_bins
from icp.contrasts import MOST_BACKGROUND, Contrasts, compare_contrasts, customers_and_background
from icp.derive import derive
from icp.exposure import measure_exposure
from icp.profile import Profile
from icp.serialize import rounded


@cache
def market() -> tuple[pd.DataFrame, pd.DataFrame, Profile]:
    """Sales works Public companies, which it wins less often, and never touches the smallest ones."""
    rng = np.random.default_rng(11)
    universe = make_accounts(12_000, rng).assign(account_id=[f"u{i:05d}" for i in range(12_000)])
    public = (universe["industry"] == "Public").to_numpy()
    chance = np.where(public, 0.7, 0.2) * (size_band(universe) > 0)
    universe["is_worked"] = rng.random(len(universe)) < chance
    worked = universe[universe["is_worked"]].reset_index(drop=True)
    won = rng.random(len(worked)) < 1 / (1 + np.exp(1.2 - usual_log_odds(worked)))
    quarters = np.array(["2026Q1", "2026Q2"])[rng.integers(0, 2, len(worked))]
    labels = worked.assign(observation_id=worked["account_id"], is_won=won, outcome_quarter=quarters, role="label")
    universe["is_customer"] = universe["account_id"].isin(labels.loc[won, "account_id"])
    dictionary = make_bins(universe, ATTRIBUTES, "2026Q2")
    profile = derive(labels, dictionary, icp="main", quarter="2026Q2", universe=universe)
    return labels, universe, profile


@cache
def contrasts() -> Contrasts:
    labels, universe, profile = market()
    found = compare_contrasts(profile, labels, universe)
    assert found is not None
    return found


def test_the_share_worked_is_counted_over_all_accounts_and_per_bin() -> None:
    _, universe, profile = market()
    found = measure_exposure(profile, universe)
    assert found is not None
    assert (found.accounts, found.worked) == (12_000, universe["is_worked"].sum())
    (industry,) = [c for c in found.criteria if c.attribute == "industry"]
    (public,) = [b for b in industry.bins if b.key == "Public"]
    mine = universe[universe["industry"] == "Public"]
    assert (public.accounts, public.worked) == (len(mine), mine["is_worked"].sum())
    assert public.share.low < mine["is_worked"].mean() < public.share.high
    assert {b.support for b in industry.bins if b.accounts} == {"worked"}


def test_bins_that_were_never_worked_are_named() -> None:
    _, universe, profile = market()
    found = measure_exposure(profile, universe)
    assert found is not None
    (size,) = [c for c in found.criteria if c.attribute == "employees"]
    assert next(b.support for b in size.bins if b.accounts) == "no_deals"
    rare = universe.assign(is_worked=universe["is_worked"] & ((size_band(universe) != 2) | (universe.index % 12 == 0)))
    again = measure_exposure(profile, rare)
    assert again is not None
    (size,) = [c for c in again.criteria if c.attribute == "employees"]
    assert [b.support for b in size.bins][1] == "worked"
    assert "rarely_worked" in {b.support for b in size.bins}


def test_tiers_hold_every_account_once() -> None:
    _, universe, profile = market()
    found = measure_exposure(profile, universe)
    assert found is not None
    assert [t.key for t in found.tiers] == ["A", "B", "C", "D"]
    assert [t.accounts for t in found.tiers] == [t.accounts for t in profile.tiers]
    assert sum(t.worked for t in found.tiers) == found.worked


@pytest.mark.parametrize("column", [None, False])
def test_nothing_is_said_when_nobody_is_known_to_have_been_worked(column: object) -> None:
    _, universe, profile = market()
    assert measure_exposure(profile, universe.assign(is_worked=column)) is None
    assert measure_exposure(profile, universe.drop(columns="is_worked")) is None


def test_what_sales_picks_but_wins_less_is_listed_and_what_both_like_is_not() -> None:
    disagreeing = [a for a in contrasts().attributes if a.disagrees]
    assert [a.attribute for a in disagreeing] == ["industry"]
    assert [b.key for b in disagreeing[0].bins if b.disagrees] == ["Public"]
    (public,) = [b for b in disagreeing[0].bins if b.key == "Public"]
    assert public.won_or_lost.high < 1 < public.customer_or_not.low


def test_customers_are_compared_with_accounts_that_are_none_each_once() -> None:
    labels, universe, _ = market()
    frame = customers_and_background(pd.concat([labels, labels.assign(observation_id="again")]), universe, "2026Q2", 0)
    assert not frame["account_id"].duplicated().any()
    customers = set(labels.loc[labels["is_won"], "account_id"])
    assert set(frame.loc[frame["is_won"], "account_id"]) == customers
    assert not set(frame.loc[~frame["is_won"], "account_id"]) & customers
    assert (~frame["is_won"]).sum() == min(MOST_BACKGROUND, (~universe["is_customer"]).sum())


def test_the_order_of_rows_does_not_matter() -> None:
    labels, universe, profile = market()
    mixed = labels.sample(frac=1.0, random_state=1), universe.sample(frac=1.0, random_state=2)
    again = compare_contrasts(profile, mixed[0].reset_index(drop=True), mixed[1].reset_index(drop=True))
    assert again is not None
    assert rounded(again) == rounded(contrasts())


def test_a_handful_of_customers_says_nothing() -> None:
    labels, universe, profile = market()
    few = pd.concat([labels[labels["is_won"]].head(10), labels[~labels["is_won"]]], ignore_index=True)
    assert compare_contrasts(profile, few, universe) is None
