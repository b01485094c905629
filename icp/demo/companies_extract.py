"""HubSpot companies as JSON lines: the full list at the baseline, then what was created or modified in each quarter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from icp.demo.accounts import AccountRecords
from icp.demo.enrichment import Enrichment, funding_texts
from icp.demo.sales import History
from icp.demo.timeline import (
    DAY,
    QUARTERS,
    STARTS,
    Flags,
    Ints,
    Times,
    hours_later,
    iso,
    moments,
    quarter_index,
    random_source,
)
from icp.demo.universe import Universe
from icp.demo.vocabulary import (
    BUSINESS_MODELS,
    CITIES,
    COUNTRIES,
    LOGO_STYLES,
    MONTHS,
    OPERATING_MODELS,
    OWNER_TEAMS,
    OWNERSHIPS,
    REGIONS,
    SELLS_TO,
    UNPARSEABLE_EMPLOYEES,
    UNPARSEABLE_REVENUE,
)

UNREADABLE_AT_MOST = 0.008
NO_YES = ("false", "true")


@dataclass(frozen=True)
class Relations:
    """First quarter a company was a prospect with a deal, and a customer; `len(QUARTERS)` when it never was."""

    deal_from: Ints
    customer_from: Ints


@dataclass(frozen=True)
class _Delivered:
    """The records one delivery carries."""

    records: AccountRecords
    universe: Universe
    related: Relations
    enrichment: Enrichment
    rows: Ints
    delivery: int

    @property
    def company(self) -> Ints:
        return self.records.company[self.rows]

    def known(self, field: str) -> list[bool]:
        """Whether each record carries the field by now."""
        known: list[bool] = (self.records.known_from[field][self.rows] <= self.delivery).tolist()
        return known


def relations(universe: Universe, history: History) -> Relations:
    """What the CRM's life-cycle stage is read from."""
    deal_from = np.full(universe.size, len(QUARTERS))
    customer_from = np.full(universe.size, len(QUARTERS))
    deals, won = history.deals, history.deals[history.deals["is_won"]]
    np.minimum.at(deal_from, deals["company"].to_numpy(), quarter_index(deals["opened_on"].to_numpy()))
    np.minimum.at(customer_from, won["company"].to_numpy(), won["quarter"].to_numpy())
    customer_from[history.earlier["company"].to_numpy()] = -1
    return Relations(deal_from, customer_from)


def _touched(records: AccountRecords, universe: Universe, related: Relations, chance: Flags, quarter: int) -> Flags:
    """Records that changed in this quarter: resized, filled in, sold to, merged, deleted, or just saved again."""
    company, own = records.company, np.arange(len(records.company)) == records.survivor
    resized = universe.employees[quarter + 1, company] != universe.employees[quarter, company]
    filled = np.any([since == quarter + 1 for since in records.known_from.values()], axis=0)
    sold_to = own & ((related.deal_from[company] == quarter) | (related.customer_from[company] == quarter))
    merged = records.merged_in == quarter
    merged[records.survivor[merged]] = True
    touched: Flags = resized | filled | sold_to | merged | (records.archived_in == quarter) | chance
    return touched


def _rows(records: AccountRecords, universe: Universe, related: Relations, chance: Flags, delivery: int) -> Ints:
    """Records this delivery carries: new ones, and old ones that changed and are still there."""
    quarter = delivery - 1
    new = records.arrives_in == quarter
    if delivery == 0:
        return np.flatnonzero(new).astype(np.int64)
    gone = ((records.archived_in >= 0) & (records.archived_in < quarter)) | (
        (records.merged_in >= 0) & (records.merged_in < quarter)
    )
    changed = (records.arrives_in < quarter) & ~gone & _touched(records, universe, related, chance, quarter)
    return np.flatnonzero(new | changed).astype(np.int64)


def _modified(rng: np.random.Generator, records: AccountRecords, rows: Ints, delivery: int) -> Times:
    """When each record last changed: within the delivery's quarter, never before it was created."""
    if delivery == 0:
        since, days = records.created_on[rows], ((STARTS[0] - records.created_on[rows]) / DAY).astype(np.int64)
    else:
        since = np.maximum(records.created_on[rows], STARTS[delivery - 1])
        days = ((STARTS[delivery] - since) / DAY).astype(np.int64)
    ahead = np.floor(rng.random(len(rows)) * np.maximum(days, 1)).astype(np.int64)
    return hours_later(moments(rng, since + ahead * DAY), 1)


def _stage(related: Relations, company: Ints, quarter: int) -> list[str]:
    names = np.where(related.deal_from[company] <= quarter, "opportunity", "lead")
    stages: list[str] = np.where(related.customer_from[company] <= quarter, "customer", names).tolist()
    return stages


def _number(value: int, style: int) -> str:
    """A number as people type it: mostly plain, sometimes with thousands separators."""
    return f"{value:,}" if style == 0 else str(value)


def _numbers(values: Ints, known: list[bool], bad: Flags, style: Ints, wrong: tuple[str, ...]) -> list[str | None]:
    allowed = int(UNREADABLE_AT_MOST * len(values))
    is_bad = (bad & (np.cumsum(bad) <= allowed)).tolist()
    return [
        None if not is_known else wrong[value % len(wrong)] if unreadable else _number(value, kind)
        for value, is_known, unreadable, kind in zip(values.tolist(), known, is_bad, style.tolist(), strict=True)
    ]


def _choice(values: Ints, names: tuple[str, ...], known: list[bool] | None = None) -> list[str | None]:
    there = known or [True] * len(values)
    return [names[v] if k else None for v, k in zip(values.tolist(), there, strict=True)]


def _optional(values: list[str], known: list[bool]) -> list[str | None]:
    return [v if k else None for v, k in zip(values, known, strict=True)]


def _merge_notes(records: AccountRecords, rows: Ints, quarter: int) -> tuple[list[str | None], list[str | None]]:
    """The survivor's id on records merged away, and the ids merged into each survivor so far."""
    merged = np.flatnonzero((records.merged_in >= 0) & (records.merged_in <= quarter))
    into = {int(r): str(records.record_id[records.survivor[r]]) for r in merged}
    absorbed = {int(records.survivor[r]): str(records.record_id[r]) for r in merged}
    return [into.get(r) for r in rows.tolist()], [absorbed.get(r) for r in rows.tolist()]


def _standard(delivered: _Delivered) -> dict[str, list[str | None]]:
    """HubSpot's own properties, one list per property."""
    records, universe, c = delivered.records, delivered.universe, delivered.company
    size = universe.employees[delivered.delivery, c]
    revenue = np.round(size * universe.revenue_per_head[c], -3).astype(np.int64)
    style, bad = (c * 7919) % 10, records.unreadable[delivered.rows]
    cities = [CITIES[COUNTRIES[k]] for k in universe.country[c].tolist()]
    return {
        "name": universe.name[c].tolist(),
        "domain": records.website[delivered.rows].tolist(),
        "industry": _optional(records.industry[delivered.rows].tolist(), delivered.known("industry")),
        "numberofemployees": _numbers(size, delivered.known("employees"), bad, style, UNPARSEABLE_EMPLOYEES),
        "annualrevenue": _numbers(revenue, delivered.known("revenue"), np.roll(bad, 1), style, UNPARSEABLE_REVENUE),
        "country": _optional(records.country[delivered.rows].tolist(), delivered.known("country")),
        "city": [names[place % len(names)] for names, place in zip(cities, c.tolist(), strict=True)],
        "founded_year": _optional([str(y) for y in universe.founded_year[c].tolist()], delivered.known("founded")),
        "lifecyclestage": list(_stage(delivered.related, c, delivered.delivery - 1)),
    }


def _custom(delivered: _Delivered) -> dict[str, list[str | None]]:
    """Properties Lumenworks added to its own portal."""
    universe, c = delivered.universe, delivered.company
    return {
        "sales_region": _choice(universe.region[c], REGIONS, delivered.known("region")),
        "business_model": _choice(universe.business_model[c], BUSINESS_MODELS, delivered.known("model")),
        "owner_team": _choice(universe.owner_team[c], OWNER_TEAMS),
        "fiscal_year_end_month": _choice(universe.fiscal_month[c], MONTHS),
        "logo_style": _choice(universe.logo_style[c], LOGO_STYLES),
        "office_count": _optional([str(n) for n in universe.office_count[c].tolist()], delivered.known("offices")),
        "has_parent_company": _choice(universe.has_parent[c].astype(np.int64), NO_YES, delivered.known("parent")),
    }


def _enriched(delivered: _Delivered) -> dict[str, list[str | None]]:
    """Properties an enrichment vendor fills in."""
    enrichment, c = delivered.enrichment, delivered.company

    def told(field: str, values: Ints) -> list[str | None]:
        return _optional([str(v) for v in values[c].tolist()], enrichment.known[field][c].tolist())

    def named(field: str, values: Ints, names: tuple[str, ...]) -> list[str | None]:
        return _choice(values[c], names, enrichment.known[field][c].tolist())

    parents = enrichment.parent[c].tolist()
    return {
        "sells_to": named("sells_to", enrichment.sells_to, SELLS_TO),
        "operating_model": named("operating_model", enrichment.operating_model, OPERATING_MODELS),
        "ownership": named("ownership", enrichment.ownership, OWNERSHIPS),
        **funding_texts(enrichment, c, STARTS[delivered.delivery]),
        "technology_spend": told("spend", enrichment.technology_spend),
        "site_traffic": told("web", enrichment.site_traffic),
        "social_followers": told("web", enrichment.social_followers),
        "parent_company_id": [str(delivered.records.record_id[p]) if p >= 0 else None for p in parents],
    }


def company_lines(
    seed: int, records: AccountRecords, universe: Universe, related: Relations, enrichment: Enrichment, delivery: int
) -> Iterator[str]:
    """One delivery of companies, one JSON object per line."""
    rng = random_source(seed, f"companies {delivery}")
    chance = rng.random(len(records.company)) < 0.02
    rows = _rows(records, universe, related, chance, delivery)
    delivered = _Delivered(records, universe, related, enrichment, rows, delivery)
    columns = _standard(delivered) | _custom(delivered) | _enriched(delivered)
    columns["merged_into_id"], columns["hs_merged_object_ids"] = _merge_notes(records, rows, delivery - 1)
    columns["createdate"] = list(iso(hours_later(records.created_on[rows], 8)))
    columns["hs_lastmodifieddate"] = list(iso(_modified(rng, records, rows, delivery)))
    away = (delivery > 0) & ((records.archived_in[rows] == delivery - 1) | (records.merged_in[rows] == delivery - 1))
    values = zip(*columns.values(), strict=True)
    for record_id, archived, row in zip(records.record_id[rows].tolist(), away.tolist(), values, strict=True):
        record = {"id": record_id, "properties": dict(zip(columns, row, strict=True)), "archived": archived}
        yield json.dumps(record, ensure_ascii=False, separators=(",", ":"))
