"""The CRM's company records: duplicates, merges, gaps and spellings over the true market, delivery by delivery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icp.demo.sales import History
from icp.demo.timeline import DAY, QUARTERS, STARTS, Days, Flags, Ints, Texts, random_source
from icp.demo.universe import Universe
from icp.demo.vocabulary import COUNTRY_SPELLINGS, INDUSTRY_SPELLINGS

FIRST_ID = 9_876_500_000
NEVER_FILLED = 99
DUPLICATED = 0.02
SPELLINGS = (
    "{}", "{}", "{}", "{}", "{}", "{}", "www.{}", "https://www.{}/", "http://{}", "https://{}/about-us",
)  # fmt: skip
MISSING = {
    "employees": 0.12, "industry": 0.12, "revenue": 0.25, "country": 0.02, "region": 0.03, "founded": 0.10,
    "model": 0.08, "offices": 0.10, "parent": 0.05,
}  # fmt: skip


@dataclass(frozen=True)
class AccountRecords:
    """One position per CRM record; the first `universe.size` are the companies' own, the rest are duplicates.

    `known_from[field]` is the first delivery that carries the field (0 always, NEVER_FILLED never). `merged_in` and
    `archived_in` are quarters, -1 when it never happens.
    """

    company: Ints
    record_id: Texts
    website: Texts
    industry: Texts
    country: Texts
    created_on: Days
    arrives_in: Ints
    merged_in: Ints
    archived_in: Ints
    survivor: Ints
    known_from: dict[str, Ints]
    unreadable: Flags

    def deal_record(self, rng: np.random.Generator, companies: Ints, days: Days) -> Ints:
        """The record a deal opened on this day hangs on: sometimes the duplicate, when it exists by then."""
        own = np.arange(len(self.company)) == self.survivor
        duplicate = np.full(int(own.sum()), -1, dtype=np.int64)
        duplicate[self.company[~own]] = np.flatnonzero(~own)
        other = duplicate[companies]
        merged_on = np.where(self.merged_in[other] >= 0, STARTS[np.clip(self.merged_in[other], 0, None)], STARTS[-1])
        there = (other >= 0) & (self.created_on[other] < days) & (days < merged_on)
        return np.where(there & (rng.random(len(companies)) < 0.4), other, companies)


def _spelled(rng: np.random.Generator, values: Ints, spellings: dict[str, tuple[str, ...]]) -> Texts:
    """The system's own spelling more often than not, else one of those people use."""
    official, picks = (rng.random(len(values)) < 0.55).tolist(), rng.integers(0, 60, len(values)).tolist()
    known = list(spellings.values())
    words = [
        known[value][0 if plain else pick % len(known[value])]
        for value, plain, pick in zip(values.tolist(), official, picks, strict=True)
    ]
    return np.array(words, dtype=object)


def _websites(rng: np.random.Generator, universe: Universe, company: Ints) -> Texts:
    """The domain in one of many spellings; somebody else's site or nothing for companies without a domain."""
    form, loud, empty = (
        rng.integers(0, len(SPELLINGS), len(company)).tolist(),
        (rng.random(len(company)) < 0.05).tolist(),
        (rng.random(len(company)) < 0.7).tolist(),
    )
    sites: list[str | None] = []
    for c, f, is_loud, is_empty in zip(company.tolist(), form, loud, empty, strict=True):
        if universe.has_own_domain[c]:
            site = SPELLINGS[f].format(universe.own_domain[c])
            sites.append(site.upper() if is_loud else site)
        else:
            sites.append(None if is_empty else universe.shared_site[c])
    return np.array(sites, dtype=object)


def _duplicates(rng: np.random.Generator, universe: Universe) -> tuple[Ints, Ints, Ints]:
    """Companies entered twice, the quarter the second record arrives in, and the quarter it is merged away (or -1)."""
    chosen = rng.random(universe.size) < DUPLICATED
    company = np.flatnonzero(chosen & universe.has_own_domain & (universe.arrives_in < 6)).astype(np.int64)
    later = rng.integers(0, 6, len(company)) + np.maximum(universe.arrives_in[company], 0)
    arrives = np.where((universe.arrives_in[company] < 0) & (rng.random(len(company)) < 0.5), -1, later)
    merged = np.minimum(np.maximum(arrives, 0) + 1 + rng.integers(0, 6, len(company)), len(QUARTERS) - 1)
    return company, arrives, np.where(rng.random(len(company)) < 0.5, merged, -1)


def _gaps(rng: np.random.Generator, count: int) -> dict[str, Ints]:
    """Which fields each record lacks, and in which delivery somebody fills them in, if ever."""
    gaps = {}
    for field, share in MISSING.items():
        filled = rng.geometric(0.04, count).astype(np.int64)
        late = np.where(filled <= len(QUARTERS), filled, NEVER_FILLED)
        gaps[field] = np.where(rng.random(count) < share, late, 0)
    return gaps


def _archived(rng: np.random.Generator, universe: Universe, history: History, twice: Ints) -> Ints:
    """Quarter in which records of companies never worked and not doubled are deleted, -1 for nearly all."""
    worked = np.zeros(universe.size, dtype=np.bool_)
    worked[history.deals["company"].to_numpy()] = True
    worked[history.earlier["company"].to_numpy()] = True
    worked[twice] = True
    gone = ~worked & (universe.arrives_in < 0) & (rng.random(universe.size) < 0.01)
    own = np.where(gone, rng.integers(1, len(QUARTERS), universe.size), -1)
    return np.concatenate([own, np.full(len(twice), -1)]).astype(np.int64)


def build_records(seed: int, universe: Universe, history: History) -> AccountRecords:
    """The records behind the companies: about one company in fifty has two."""
    rng = random_source(seed, "crm records")
    twice, twice_arrives, twice_merged = _duplicates(rng, universe)
    company = np.concatenate([np.arange(universe.size), twice])
    count = len(company)
    twice_created = np.where(
        twice_arrives < 0,
        STARTS[0] - DAY,
        STARTS[np.clip(twice_arrives, 0, None)] + rng.integers(1, 80, len(twice)) * DAY,
    )
    own_merged = np.full(universe.size, -1, dtype=np.int64)
    return AccountRecords(
        company=company,
        record_id=np.array([str(FIRST_ID + i) for i in range(count)], dtype=object),
        website=_websites(rng, universe, company),
        industry=_spelled(rng, universe.industry[company], INDUSTRY_SPELLINGS),
        country=_spelled(rng, universe.country[company], COUNTRY_SPELLINGS),
        created_on=np.concatenate([universe.created_on, twice_created]),
        arrives_in=np.concatenate([universe.arrives_in, twice_arrives]).astype(np.int64),
        merged_in=np.concatenate([own_merged, twice_merged]).astype(np.int64),
        archived_in=_archived(rng, universe, history, twice),
        survivor=company,
        known_from=_gaps(rng, count),
        unreadable=rng.random(count) < 0.005,
    )
