"""The CRM's deals: what was sold, as the sales team entered it, with every version a delivery would show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp.demo.accounts import AccountRecords
from icp.demo.sales import FULL_SIZE, History
from icp.demo.timeline import DAY, QUARTERS, STARTS, Days, Floats, Ints, moments, quarter_index, random_source
from icp.demo.universe import Universe
from icp.demo.vocabulary import COUNTRIES, CURRENCY

FIRST_ID = 5_550_000_000
OPEN_STAGES = ("appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "contractsent")
REOPENED_AT_MOST = 8
EXPANSIONS_PER_QUARTER = 60
OPEN_AT_THE_END = 380


def _amounts(rng: np.random.Generator, universe: Universe, company: Ints, quarter: Ints) -> Floats:
    """Yearly contract value: grows with the square root of the company's size."""
    size = universe.employees[np.clip(quarter + 1, 0, len(QUARTERS)), company]
    return np.asarray(np.round(2_000 * np.sqrt(size) * np.exp(rng.normal(0, 0.35, len(company))), -2) + 500)


def _new_business(history: History) -> pd.DataFrame:
    deals = history.deals[["company", "opened_on", "closed_on", "is_won"]].assign(kind="newbusiness")
    earlier = history.earlier.assign(is_won=True, kind="newbusiness")
    return pd.concat([earlier, deals], ignore_index=True)


def _expansions(rng: np.random.Generator, universe: Universe, history: History) -> pd.DataFrame:
    """Deals with companies that are customers already: the CRM holds them beside new business."""
    won = history.deals[history.deals["is_won"]]
    since = np.concatenate([np.full(len(history.earlier), -1), won["quarter"].to_numpy()])
    customers = np.concatenate([history.earlier["company"].to_numpy(), won["company"].to_numpy()])
    count = max(round(EXPANSIONS_PER_QUARTER * universe.size / FULL_SIZE), 1)
    parts = []
    for quarter in range(len(QUARTERS)):
        company = rng.choice(customers[since < quarter], count)
        opened = STARTS[quarter] + rng.integers(0, 40, count) * DAY
        closed = opened + rng.integers(15, 45, count) * DAY
        parts.append(pd.DataFrame({"company": company, "opened_on": opened, "closed_on": closed}))
    expansions = pd.concat(parts, ignore_index=True).drop_duplicates(["company", "opened_on"])
    return expansions.assign(is_won=rng.random(len(expansions)) < 0.7, kind="existingbusiness")


def _still_open(rng: np.random.Generator, universe: Universe, history: History) -> pd.DataFrame:
    """Deals opened shortly before the end and not decided by then."""
    free = np.ones(universe.size, dtype=np.bool_)
    free[history.deals["company"].to_numpy()] = False
    free[history.earlier["company"].to_numpy()] = False
    candidates = np.flatnonzero(free & (universe.arrives_in < len(QUARTERS) - 1))
    count = max(round(OPEN_AT_THE_END * universe.size / FULL_SIZE), 1)
    company = rng.choice(candidates, min(count, len(candidates)), replace=False)
    opened = STARTS[-1] - rng.integers(2, 60, len(company)) * DAY
    return pd.DataFrame(
        {
            "company": company,
            "opened_on": opened,
            "closed_on": STARTS[-1] + 20 * DAY,
            "is_won": False,
            "kind": "newbusiness",
        }
    )


def build_deals(seed: int, universe: Universe, history: History, records: AccountRecords) -> pd.DataFrame:
    """One row per deal as the CRM would know it in the end: dates, outcome, amount, company record or none."""
    rng = random_source(seed, "crm deals")
    parts = [_new_business(history), _expansions(rng, universe, history), _still_open(rng, universe, history)]
    deals = pd.concat(parts, ignore_index=True)
    company, opened = deals["company"].to_numpy(), deals["opened_on"].to_numpy().astype("datetime64[D]")
    closed = deals["closed_on"].to_numpy().astype("datetime64[D]")
    quarter = np.clip(quarter_index(closed), -1, len(QUARTERS) - 1)
    currencies = np.array([CURRENCY.get(name, "USD") for name in COUNTRIES], dtype=object)
    lost_link = (rng.random(len(deals)) < 0.005) & (deals["kind"] == "newbusiness").to_numpy()
    return deals.assign(
        deal_id=[str(FIRST_ID + i) for i in range(len(deals))],
        record=np.where(lost_link, -1, records.deal_record(rng, company, opened)),
        amount=np.where(rng.random(len(deals)) < 0.03, np.nan, _amounts(rng, universe, company, quarter)),
        currency=currencies[universe.country[company]],
        opened_at=moments(rng, opened),
        closed_at=moments(rng, closed) + np.timedelta64(1, "h"),
        opened_in=quarter_index(opened),
        closed_in=quarter_index(closed),
        stage_pick=rng.integers(0, len(OPEN_STAGES), len(deals)),
    )


def _version(deals: pd.DataFrame, delivery: Ints, state: str, modified: pd.Series) -> pd.DataFrame:
    """A version of these deals that a delivery carries."""
    return deals.assign(delivery=np.maximum(delivery, 0), state=state, modified_at=modified, archived=False)


def _open_versions(rng: np.random.Generator, deals: pd.DataFrame) -> pd.DataFrame:
    """Deals seen open, with a guess of the close date in the future, because they were decided in a later quarter."""
    early = deals[deals["opened_in"] < deals["closed_in"]]
    guess = early["opened_at"] + pd.to_timedelta(rng.integers(80, 160, len(early)), unit="D")
    entered = early["opened_at"] + pd.Timedelta(hours=1)
    return _version(early.assign(closed_at=guess), early["opened_in"].to_numpy() + 1, "open", entered)


def _closed_versions(rng: np.random.Generator, deals: pd.DataFrame) -> pd.DataFrame:
    """Decided deals; one in a hundred is entered only in the next quarter, back-dated to the day it was decided."""
    done = deals[deals["closed_in"] < len(QUARTERS)]
    closed_in = done["closed_in"].to_numpy()
    late = (rng.random(len(done)) < 0.01) & (closed_in >= 0) & (closed_in < len(QUARTERS) - 1)
    entered = STARTS[np.clip(closed_in + 1, 0, len(QUARTERS))] + rng.integers(3, 40, len(done)) * DAY
    modified = np.where(late, moments(rng, entered), done["closed_at"].to_numpy() + np.timedelta64(1, "h"))
    state = np.where(done["is_won"], "closedwon", "closedlost")
    return _version(done, closed_in + 1 + late, "", pd.Series(modified, index=done.index)).assign(state=state)


def _later_versions(rng: np.random.Generator, closed: pd.DataFrame) -> pd.DataFrame:
    """Decided deals that arrive once more, a quarter later: an amount corrected, or the record deleted."""
    again = closed[(rng.random(len(closed)) < 0.02) & (closed["delivery"] < len(QUARTERS) - 1).to_numpy()]
    delivery = again["delivery"].to_numpy() + 1
    day: Days = STARTS[delivery - 1] + rng.integers(45, 85, len(again)) * DAY
    return again.assign(
        delivery=delivery,
        modified_at=moments(rng, day),
        amount=(again["amount"] * rng.uniform(0.9, 1.1, len(again))).round(-2),
        archived=rng.random(len(again)) < 0.15,
    )


def _reopened_versions(deals: pd.DataFrame) -> pd.DataFrame:
    """Deals first seen lost, then open again, then won: long ones that span three quarters."""
    long = deals[deals["is_won"] & (deals["closed_in"] - deals["opened_in"] == 2) & (deals["opened_in"] >= 0)]
    long = long.head(REOPENED_AT_MOST)
    opened_in = long["opened_in"].to_numpy()
    lost_at = pd.Series(STARTS[opened_in + 1] - 2 * np.timedelta64(1, "h"), index=long.index).astype("datetime64[ms]")
    open_at = pd.Series(STARTS[opened_in + 1] + 30 * DAY, index=long.index).astype("datetime64[ms]")
    lost = _version(long.assign(closed_at=lost_at), opened_in + 1, "closedlost", lost_at)
    hoped = long.assign(closed_at=open_at + pd.Timedelta(days=60))
    return pd.concat([lost, _version(hoped, opened_in + 2, "open", open_at)])


def deal_versions(seed: int, deals: pd.DataFrame) -> pd.DataFrame:
    """Every version of every deal that some delivery carries; at most one per deal and delivery, the last one."""
    rng = random_source(seed, "deal versions")
    opened, closed = _open_versions(rng, deals), _closed_versions(rng, deals)
    versions = pd.concat([opened, closed, _later_versions(rng, closed), _reopened_versions(deals)], ignore_index=True)
    ordered = versions.sort_values(["deal_id", "delivery", "modified_at"], kind="stable")
    return ordered.drop_duplicates(["deal_id", "delivery"], keep="last")
