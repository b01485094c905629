"""Twelve quarters of selling: who was worked, when, and who bought, by the planted odds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.demo.planted import PLANTED, TECHNOLOGIES, WIN_RATES, QuarterTruth, log_odds, member_name, technology_maturity
from icp.demo.timeline import DAY, QUARTERS, STARTS, Days, Flags, Floats, Ints, quarter_index, random_source
from icp.demo.universe import SIZE_BINS, Universe
from icp.demo.vocabulary import INDUSTRIES
from icp.demo.web import WebLog, background_visits, surge

DEALS_PER_QUARTER = (830, 845, 850, 860, 850, 845, 860, 850, 865, 850, 855, 850)
FULL_SIZE = 30_000
EARLIER_CUSTOMERS = 0.012
EARLIER_UNTIL = np.datetime64("2022-09-30", "D")
"""Older customers were won before the first lookback, so that no quarter of it holds wins without losses."""
HEALTH_CARE = INDUSTRIES.index("Hospital & Health Care")
SEGMENT_ENTERS = QUARTERS.index("2025Q4")


@dataclass(frozen=True)
class History:
    """What really happened: one row per decided new-business deal, the web log it left, and the rates behind it.

    `deals` has company, opened_on, closed_on, quarter (index), is_won, log_odds and the features that decided it.
    `earlier` are the customers won before the baseline.
    """

    deals: pd.DataFrame
    earlier: pd.DataFrame
    web: WebLog
    quarters: tuple[QuarterTruth, ...]


def true_features(universe: Universe, web: WebLog, companies: Ints, days: Days) -> dict[str, NDArray[np.generic]]:
    """The planted attributes of each company as they were on each day."""
    delivery = np.clip(quarter_index(days), 0, None)
    in_use = universe.technologies_in_use(companies, days)
    visits, key_events = web.in_days_before(companies, days, 90)
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    features: dict[str, NDArray[np.generic]] = {
        "employees": universe.employees[delivery, companies],
        "industry": universe.industry[companies],
        "country": universe.country[companies],
        "attr_business_model": universe.business_model[companies],
        "company_age_years": years - universe.founded_year[companies],
        "technology_maturity": technology_maturity(in_use),
        "visits_90d": visits,
        "key_events_90d": key_events,
    }
    flags = {f"technologies={member_name(t.name)}": in_use[:, i] for i, t in enumerate(TECHNOLOGIES)}
    wanted = {attribute.name for attribute in PLANTED}
    return features | {name: flag for name, flag in flags.items() if name in wanted}


def _appetite(universe: Universe, quarter: int) -> Floats:
    """How keen sales is on each company: drifts slowly up-market; health care is left alone until 2025Q4."""
    drift = quarter / len(QUARTERS)
    by_size = np.array([0.9 - 0.3 * drift, 1.0, 1.15, 1.1, 1.0 + 0.2 * drift, 1.0 + 0.2 * drift, 0.8])
    lowest = np.array([low for low, _ in SIZE_BINS[1:]])
    sizes = np.searchsorted(lowest, universe.employees[quarter], side="right")
    by_industry = np.ones(len(INDUSTRIES))
    by_industry[INDUSTRIES.index("Internet")] = 1.1 - 0.25 * drift
    by_industry[HEALTH_CARE] = 1.35 if quarter >= SEGMENT_ENTERS else 0.04
    fresh = np.where(universe.arrives_in >= max(quarter - 2, 0), 2.0, 1.0)
    appetite: Floats = by_size[sizes] * by_industry[universe.industry] * fresh
    return appetite


def _worked(rng: np.random.Generator, weight: Floats, eligible: Flags, count: int) -> Ints:
    """Companies drawn without replacement with chances proportional to weight (Gumbel's trick)."""
    keys = np.where(eligible, np.log(weight) + rng.gumbel(size=len(weight)), -np.inf)
    count = min(count, int(eligible.sum()))
    return np.sort(np.argpartition(-keys, count - 1)[:count]).astype(np.int64)


def _dates(rng: np.random.Generator, quarter: int, not_before: Days) -> tuple[Days, Days]:
    """Opened and closed days: deals bunch towards the quarter's end after a cycle of about seven weeks."""
    length = int((STARTS[quarter + 1] - STARTS[quarter]) / DAY)
    closed = STARTS[quarter] + np.floor(length * rng.random(len(not_before)) ** 0.75).astype(np.int64) * DAY
    cycle = np.clip(np.exp(rng.normal(np.log(50), 0.45, len(not_before))), 10, 150).astype(np.int64)
    opened = np.maximum(closed - cycle * DAY, not_before)
    return opened, np.maximum(closed, opened + DAY)


def _intercept(odds: Floats, rate: float) -> float:
    """The intercept that makes the expected win rate equal to `rate`, by bisection."""
    low, high = -15.0, 15.0
    for _ in range(60):
        middle = (low + high) / 2
        too_low = float(np.mean(1 / (1 + np.exp(-(odds + middle))))) < rate
        low, high = (middle, high) if too_low else (low, middle)
    return (low + high) / 2


def _decide(
    rng: np.random.Generator, features: Mapping[str, NDArray[np.generic]], quarter: str
) -> tuple[Flags, Floats, float]:
    odds = log_odds(features, quarter)
    intercept = _intercept(odds, WIN_RATES[quarter])
    return rng.random(len(odds)) < 1 / (1 + np.exp(-(odds + intercept))), odds, intercept


def _earlier_customers(rng: np.random.Generator, universe: Universe, web: WebLog) -> pd.DataFrame:
    """Customers won long before the baseline; of the deals lost at that time the CRM knows nothing."""
    last = EARLIER_UNTIL - 60 * DAY
    everybody = np.flatnonzero(universe.created_on < last).astype(np.int64)
    features = true_features(universe, web, everybody, np.full(len(everybody), STARTS[0] - DAY))
    weight = np.exp(log_odds(features, QUARTERS[0]))
    count = max(round(universe.size * EARLIER_CUSTOMERS), 1)
    company = everybody[_worked(rng, weight, np.ones(len(everybody), dtype=np.bool_), count)]
    room = ((last - universe.created_on[company]) / DAY).astype(np.int64)
    opened = universe.created_on[company] + np.floor(rng.random(len(company)) * room).astype(np.int64) * DAY
    return pd.DataFrame({"company": company, "opened_on": opened, "closed_on": opened + 45 * DAY})


@dataclass
class _Market:
    """What selling has changed so far: who is a customer, who was turned down when, and all visits seen."""

    universe: Universe
    web: WebLog
    customer: Flags
    last_closed: Days


def _sell(rng: np.random.Generator, market: _Market, quarter: int) -> tuple[pd.DataFrame, QuarterTruth]:
    universe = market.universe
    settled = market.last_closed < STARTS[max(quarter - 1, 0)]
    eligible = ~market.customer & (universe.arrives_in < max(quarter, 0)) & settled
    count = max(round(DEALS_PER_QUARTER[quarter] * universe.size / FULL_SIZE), 8)
    company = _worked(rng, _appetite(universe, quarter), eligible, count)
    not_before = np.maximum(universe.created_on[company] + DAY, market.last_closed[company] + 3 * DAY)
    opened, closed = _dates(rng, quarter, not_before)
    market.web = market.web.plus(surge(rng, universe, company, opened))
    features = true_features(universe, market.web, company, opened)
    won, odds, intercept = _decide(rng, features, QUARTERS[quarter])
    market.customer[company[won]] = True
    market.last_closed[company] = closed
    deals = pd.DataFrame(
        {
            "company": company,
            "opened_on": opened,
            "closed_on": closed,
            "quarter": quarter,
            "is_won": won,
            "log_odds": odds,
        }
        | dict(features)
    )
    return deals, QuarterTruth(QUARTERS[quarter], len(deals), int(won.sum()), round(intercept, 4))


def sell(seed: int, universe: Universe) -> History:
    """Twelve quarters of new business on this market."""
    rng = random_source(seed, "sales")
    web = background_visits(seed, universe)
    earlier = _earlier_customers(rng, universe, web)
    customer = np.zeros(universe.size, dtype=np.bool_)
    customer[earlier["company"].to_numpy()] = True
    long_ago = np.full(universe.size, np.datetime64("2000-01-01", "D"))
    market = _Market(universe, web, customer, long_ago)
    quarters = [_sell(rng, market, quarter) for quarter in range(len(QUARTERS))]
    deals = pd.concat([deals for deals, _ in quarters], ignore_index=True)
    return History(deals, earlier, market.web, tuple(truth for _, truth in quarters))
