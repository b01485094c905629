"""Visits of companies to the demo company's site: a trickle from everybody, a surge from those about to buy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icp.demo.timeline import DAY, STARTS, WEB_FROM, Days, Ints, random_source
from icp.demo.universe import Universe
from icp.demo.vocabulary import CHANNELS

_DAYS = int((STARTS[-1] - WEB_FROM) / DAY)
_STRIDE = 4096
VISIT_DAYS_PER_COMPANY = 17.0
SURGE_CHANCE = 0.5


@dataclass(frozen=True)
class WebLog:
    """Visits per company and day, sorted by both; at most one row per company and day."""

    key: Ints
    sessions: Ints
    views: Ints
    key_events: Ints

    @property
    def company(self) -> Ints:
        """Company of each row."""
        return self.key // _STRIDE

    @property
    def day(self) -> Days:
        """Day of each row."""
        return WEB_FROM + (self.key % _STRIDE) * DAY

    def plus(self, other: WebLog) -> WebLog:
        """Both logs together, rows of the same company and day added up."""
        key, place = np.unique(np.concatenate([self.key, other.key]), return_inverse=True)

        def total(mine: Ints, theirs: Ints) -> Ints:
            return np.bincount(place, np.concatenate([mine, theirs]), len(key)).astype(np.int64)

        return WebLog(
            key,
            total(self.sessions, other.sessions),
            total(self.views, other.views),
            total(self.key_events, other.key_events),
        )

    def in_days_before(self, companies: Ints, days: Days, length: int) -> tuple[Ints, Ints]:
        """Sessions and key events of each company in the `length` days before each day, that day excluded."""
        day_number = ((days.astype("datetime64[D]") - WEB_FROM) / DAY).astype(np.int64)
        first = np.searchsorted(self.key, companies * _STRIDE + np.maximum(day_number - length, 0))
        last = np.searchsorted(self.key, companies * _STRIDE + np.maximum(day_number, 0))
        sessions = np.concatenate([[0], np.cumsum(self.sessions)])
        key_events = np.concatenate([[0], np.cumsum(self.key_events)])
        return sessions[last] - sessions[first], key_events[last] - key_events[first]


@dataclass(frozen=True)
class PageViews:
    """Of each row of a web log: views of three kinds of pages, and the channel of the day's first session."""

    pricing: Ints
    product: Ints
    content: Ints
    channel: Ints


def page_views(seed: int, web: WebLog) -> PageViews:
    """Which pages were viewed: the same shares for everybody, so they tell no more than the views themselves."""
    rng = random_source(seed, "pages")
    pricing = rng.binomial(web.views, 0.08)
    product = rng.binomial(web.views - pricing, 0.35)
    content = rng.binomial(web.views - pricing - product, 0.5)
    channel = rng.choice(len(CHANNELS), len(web.key), p=(0.34, 0.24, 0.16, 0.10, 0.09, 0.07))
    return PageViews(pricing, product, content, channel)


def _log(rng: np.random.Generator, companies: Ints, day_number: Ints, conversion: float) -> WebLog:
    sessions = 1 + rng.poisson(0.5, len(companies))
    rows = WebLog(
        companies * _STRIDE + day_number,
        sessions,
        sessions * (1 + rng.poisson(2.0, len(companies))),
        (rng.random(len(companies)) < conversion).astype(np.int64),
    )
    nothing = np.empty(0, dtype=np.int64)
    return rows.plus(WebLog(nothing, nothing, nothing, nothing))


def background_visits(seed: int, universe: Universe) -> WebLog:
    """What the site sees from everybody all the time, slowly growing; companies without a domain go unseen."""
    rng = random_source(seed, "background visits")
    rate = rng.gamma(0.6, VISIT_DAYS_PER_COMPANY / 0.6, universe.size) * universe.has_own_domain
    companies = np.repeat(np.arange(universe.size), rng.poisson(rate))
    day_number = np.floor(rng.random(len(companies)) ** 0.9 * _DAYS).astype(np.int64)
    return _log(rng, companies, day_number, 0.05)


def surge(rng: np.random.Generator, universe: Universe, companies: Ints, opened_on: Days) -> WebLog:
    """Extra visits of half of the companies in the weeks before their deal was opened."""
    surging = universe.has_own_domain[companies] & (rng.random(len(companies)) < SURGE_CHANCE)
    counts = np.where(surging, rng.geometric(0.3, len(companies)), 0)
    before = rng.integers(1, 75, int(counts.sum()))
    day_number = np.repeat(((opened_on.astype("datetime64[D]") - WEB_FROM) / DAY).astype(np.int64), counts) - before
    seen = day_number >= 0
    return _log(rng, np.repeat(companies, counts)[seen], day_number[seen], 0.14)
