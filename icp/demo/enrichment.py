"""What enrichment vendors add to the CRM's companies: funding, ownership, web presence, spend, parents.

Drawn from a random stream of its own, so that nothing else of the company moves, and without regard to who buys.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icp.demo.timeline import DAY, STARTS, Days, Flags, Floats, Ints, random_source
from icp.demo.universe import NEVER, Universe
from icp.demo.vocabulary import FUNDING_STAGES, OPERATING_MODELS, OWNERSHIPS, SELLS_TO

ROUNDS = 6
FUNDED = 0.45
NOT_KNOWN = {"sells_to": 0.15, "operating_model": 0.35, "ownership": 0.3, "funding": 0.3, "web": 0.2, "spend": 0.35}
PARENT_IN_CRM = 0.6


@dataclass(frozen=True)
class Enrichment:
    """One position per company. `round_on` has one column per funding round, NEVER when there was none.

    `parent` is the company that owns it, -1 for none in the CRM. `known[field]` says whether the vendor has it.
    """

    sells_to: Ints
    operating_model: Ints
    ownership: Ints
    round_on: Days
    raised: Floats
    site_traffic: Ints
    social_followers: Ints
    technology_spend: Ints
    parent: Ints
    known: dict[str, Flags]

    def rounds_by(self, companies: Ints, day: np.datetime64) -> Ints:
        """How many funding rounds each of these companies had closed by this day."""
        counts: Ints = (self.round_on[companies] < day).sum(axis=1).astype(np.int64)
        return counts


def build_enrichment(seed: int, universe: Universe) -> Enrichment:
    """The vendors' view of this market."""
    rng, size = random_source(seed, "enrichment"), universe.size
    funded = rng.random(size) < FUNDED
    first = STARTS[-1] - (rng.random(size) * 3_000).astype(np.int64) * DAY
    gaps = np.cumsum(rng.gamma(4.0, 150.0, (size, ROUNDS)), axis=1).astype(np.int64)
    rounds = first[:, None] + (gaps - gaps[:, :1]) * DAY
    counts = rng.geometric(0.5, size)
    happened = funded[:, None] & (np.arange(ROUNDS) < counts[:, None])
    heads = universe.employees[0].astype(np.float64)
    return Enrichment(
        sells_to=rng.choice(len(SELLS_TO), size, p=(0.62, 0.16, 0.16, 0.06)),
        operating_model=rng.choice(len(OPERATING_MODELS), size, p=(0.25, 0.45, 0.2, 0.1)),
        ownership=rng.choice(len(OWNERSHIPS), size, p=(0.46, 0.24, 0.14, 0.1, 0.06)),
        round_on=np.where(happened, rounds, NEVER),
        raised=np.exp(rng.normal(np.log(1_500_000), 0.6, (size, ROUNDS)) + 0.7 * np.arange(ROUNDS)),
        site_traffic=np.floor(np.exp(rng.normal(7.5, 1.4, size)) * heads**0.3).astype(np.int64),
        social_followers=np.floor(np.exp(rng.normal(6.0, 1.3, size)) * heads**0.3).astype(np.int64),
        technology_spend=np.round(np.exp(rng.normal(6.6, 0.9, size)) * heads**0.35, -1).astype(np.int64),
        parent=_parents(rng, universe),
        known={field: rng.random(size) >= share for field, share in NOT_KNOWN.items()},
    )


def _parents(rng: np.random.Generator, universe: Universe) -> Ints:
    """The parent of companies that have one in the CRM: any company that was there from the start."""
    there = np.flatnonzero(universe.arrives_in < 0)
    parents = there[rng.integers(0, len(there), universe.size)]
    owned = universe.has_parent & (rng.random(universe.size) < PARENT_IN_CRM) & (parents != np.arange(universe.size))
    return np.where(owned, parents, -1).astype(np.int64)


def funding_texts(enrichment: Enrichment, companies: Ints, until: np.datetime64) -> dict[str, list[str | None]]:
    """Stage, sum and day of the last round before `until`, as the CRM keeps them; empty where the vendor knows nothing."""
    counts = enrichment.rounds_by(companies, until).tolist()
    sums = np.cumsum(enrichment.raised[companies], axis=1)
    known = enrichment.known["funding"][companies].tolist()
    stages: list[str | None] = [FUNDING_STAGES[n] if k else None for n, k in zip(counts, known, strict=True)]
    totals: list[str | None] = [
        (str(round(float(row[n - 1]), -3)) if n else "0") if k else None
        for row, n, k in zip(sums, counts, known, strict=True)
    ]
    days = np.datetime_as_string(enrichment.round_on[companies].astype("datetime64[D]"))
    dates: list[str | None] = [
        str(row[n - 1]) if k and n else None for row, n, k in zip(days, counts, known, strict=True)
    ]
    return {"funding_stage": stages, "total_funding": totals, "last_funding_date": dates}
