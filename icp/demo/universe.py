"""The market: companies as they are and as they change, before anybody sells them anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icp.demo.planted import TECHNOLOGIES
from icp.demo.timeline import DAY, QUARTERS, STARTS, Days, Flags, Floats, Ints, Texts, random_source
from icp.demo.vocabulary import (
    BUSINESS_MODELS,
    COUNTRIES,
    INDUSTRIES,
    LOGO_STYLES,
    MONTHS,
    NAME_HEADS,
    NAME_MIDDLES,
    NAME_TAILS,
    OWNER_TEAMS,
    REGIONS,
    SHARED_SITES,
    TOP_LEVEL,
)
from icp.errors import ConfigError

NEVER = np.datetime64("2100-01-01", "D")

SIZE_BINS = ((2, 10), (11, 50), (51, 200), (201, 500), (501, 1000), (1001, 5000), (5001, 30000))
SIZE_SHARES = (0.13, 0.25, 0.25, 0.15, 0.10, 0.09, 0.03)
INDUSTRY_SHARES = (0.17, 0.13, 0.11, 0.10, 0.10, 0.10, 0.09, 0.08, 0.06, 0.06)
COUNTRY_SHARES = (0.42, 0.16, 0.09, 0.06, 0.05, 0.07, 0.06, 0.09)
MODEL_SHARES = (0.35, 0.16, 0.29, 0.20)

ARRIVING_LATER = 0.07
RESIZED_PER_QUARTER = 0.03
TECHNOLOGY_KNOWN = 0.62
TECHNOLOGY_LOST_PER_DAY = 1 / 6000
EVER_PER_NOW = 1.55


@dataclass(frozen=True)
class Universe:
    """Every company of the market, one position per company in all arrays.

    `employees` has one row per delivery: row 0 at the baseline, row k + 1 at the end of quarter k. Technologies are
    two day matrices (company x technology): in use from `adopted` up to `dropped`.
    """

    size: int
    name: Texts
    slug: Texts
    own_domain: Texts
    shared_site: Texts
    has_own_domain: Flags
    created_on: Days
    arrives_in: Ints
    industry: Ints
    country: Ints
    region: Ints
    business_model: Ints
    owner_team: Ints
    logo_style: Ints
    fiscal_month: Ints
    office_count: Ints
    has_parent: Flags
    founded_year: Ints
    revenue_per_head: Floats
    employees: Ints
    adopted: Days
    dropped: Days
    technology_known: Flags

    def technologies_in_use(self, companies: Ints, days: Days) -> Flags:
        """Which technologies each of these companies really used on each of these days."""
        at = days.astype("datetime64[D]")[:, None]
        return (self.adopted[companies] <= at) & (self.dropped[companies] > at)


def _names(rng: np.random.Generator, size: int) -> tuple[Texts, Texts]:
    """Distinct invented names and their slugs, such as 'Harborfinch Labs' and 'harborfinch-labs'."""
    middles, tails = len(NAME_MIDDLES), len(NAME_TAILS)
    picks = rng.permutation(len(NAME_HEADS) * middles * tails)[:size]
    if len(picks) < size:
        raise ConfigError(
            f"The demo company knows {len(picks)} company names, {size} were asked for: ask for fewer accounts."
        )
    heads, rest = np.divmod(picks, middles * tails)
    words = [
        (NAME_HEADS[h] + NAME_MIDDLES[m], NAME_TAILS[t])
        for h, m, t in zip(heads.tolist(), (rest // tails).tolist(), (rest % tails).tolist(), strict=True)
    ]
    names = np.array([f"{first} {last}" for first, last in words], dtype=object)
    slugs = np.array([f"{first}-{last}".lower() for first, last in words], dtype=object)
    return names, slugs


def _domains(rng: np.random.Generator, slugs: Texts, country: Ints) -> Texts:
    picks = rng.integers(0, 6, len(slugs)).tolist()
    endings = [TOP_LEVEL[COUNTRIES[c]] for c in country.tolist()]
    return np.array(
        [f"{slug}.{tops[pick % len(tops)]}" for slug, tops, pick in zip(slugs, endings, picks, strict=True)],
        dtype=object,
    )


def _shared_sites(rng: np.random.Generator, slugs: Texts) -> Texts:
    picks = rng.integers(0, len(SHARED_SITES), len(slugs)).tolist()
    return np.array([SHARED_SITES[p].format(slug=s) for s, p in zip(slugs, picks, strict=True)], dtype=object)


def _arrivals(rng: np.random.Generator, size: int) -> tuple[Ints, Days]:
    """When each company entered the CRM: -1 and a day before the baseline, or a quarter and a day within it."""
    later = np.arange(size) >= round(size * (1 - ARRIVING_LATER))
    quarter = np.where(later, rng.integers(0, len(QUARTERS), size), -1)
    spread = rng.random(size)
    before = STARTS[0] - (1 + (spread * 2200).astype(np.int64)) * DAY
    within = STARTS[quarter] + (spread * 85).astype(np.int64) * DAY
    return quarter.astype(np.int64), np.where(later, within, before)


def _sizes(rng: np.random.Generator, size: int) -> Ints:
    """Employees at every delivery: log-uniform inside a size bin, then now and then grown or shrunk for good."""
    bins = rng.choice(len(SIZE_BINS), size, p=SIZE_SHARES)
    low, high = np.array(SIZE_BINS, dtype=np.float64).T
    log_size = np.log(low[bins]) + rng.random(size) * np.log((high[bins] + 0.99) / low[bins])
    steps = rng.normal(0.25, 0.45, (len(QUARTERS), size)) * (rng.random((len(QUARTERS), size)) < RESIZED_PER_QUARTER)
    path = np.vstack([log_size, log_size + np.cumsum(steps, axis=0)])
    sizes: Ints = np.floor(np.exp(np.clip(path, np.log(2.0), np.log(40_000.0)))).astype(np.int64)
    return sizes


def _technologies(rng: np.random.Generator, size: int) -> tuple[Days, Days]:
    """When each company adopted and dropped each technology; mature companies run more of the demanding ones."""
    count = len(TECHNOLOGIES)
    share = np.array([t.share for t in TECHNOLOGIES])
    demanding = np.array([t.demanding for t in TECHNOLOGIES])
    level = rng.choice([0.15, 0.8, 1.6, 3.0], size, p=[0.42, 0.28, 0.18, 0.12])
    chance = np.where(demanding, np.minimum(share * level[:, None], 0.75), share)
    ever = rng.random((size, count)) < np.minimum(chance * EVER_PER_NOW, 0.95)
    adopted_back = (rng.random((size, count)) * 4000).astype(np.int64)
    adopted = STARTS[-1] - DAY - adopted_back * DAY
    life = np.ceil(rng.exponential(1 / TECHNOLOGY_LOST_PER_DAY, (size, count))).astype(np.int64) + 120
    return np.where(ever, adopted, NEVER), np.where(ever, adopted + life * DAY, NEVER)


def build_universe(seed: int, size: int) -> Universe:
    """The whole market for this seed: about one company in fourteen enters the CRM after the baseline."""
    rng = random_source(seed, "universe")
    names, slugs = _names(rng, size)
    country = rng.choice(len(COUNTRIES), size, p=COUNTRY_SHARES)
    domains, shared = _domains(rng, slugs, country), _shared_sites(rng, slugs)
    has_domain = rng.random(size) >= 0.035
    arrives_in, created_on = _arrivals(rng, size)
    age_in_2023 = np.floor(rng.gamma(1.5, 8.0, size)).astype(np.int64)
    adopted, dropped = _technologies(rng, size)
    return Universe(
        size=size, name=names, slug=slugs, own_domain=domains, shared_site=shared, has_own_domain=has_domain,
        created_on=created_on, arrives_in=arrives_in, country=country,
        industry=rng.choice(len(INDUSTRIES), size, p=INDUSTRY_SHARES),
        region=rng.integers(0, len(REGIONS), size),
        business_model=rng.choice(len(BUSINESS_MODELS), size, p=MODEL_SHARES),
        owner_team=rng.integers(0, len(OWNER_TEAMS), size),
        logo_style=rng.integers(0, len(LOGO_STYLES), size),
        fiscal_month=rng.integers(0, len(MONTHS), size),
        office_count=1 + rng.geometric(0.35, size),
        has_parent=rng.random(size) < 0.2,
        founded_year=2022 - age_in_2023,
        revenue_per_head=np.exp(rng.normal(np.log(140_000), 0.5, size)),
        employees=_sizes(rng, size), adopted=adopted, dropped=dropped,
        technology_known=has_domain & (rng.random(size) < TECHNOLOGY_KNOWN),
    )  # fmt: skip
