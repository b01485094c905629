"""HubSpot deals as JSON lines: nested properties, every value a string, the company in an association."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from icp.demo.accounts import AccountRecords
from icp.demo.deals import OPEN_STAGES
from icp.demo.timeline import Texts, iso
from icp.demo.universe import Universe
from icp.demo.vocabulary import UNPARSEABLE_AMOUNT

UNREADABLE_EVERY = 250


def _amount(value: float, place: int) -> str | None:
    """The amount as text; one row in 250 holds words instead."""
    if place % UNREADABLE_EVERY == UNREADABLE_EVERY - 1:
        return UNPARSEABLE_AMOUNT[place % len(UNPARSEABLE_AMOUNT)]
    return None if math.isnan(value) else f"{value:.2f}"


def _properties(deal: pd.DataFrame, names: Texts) -> dict[str, list[str | None]]:
    state = deal["state"].to_numpy()
    is_open = state == "open"
    open_stage = np.array(OPEN_STAGES, dtype=object)[deal["stage_pick"].to_numpy()]
    won = np.where(state == "closedwon", "true", "false")
    kind = deal["kind"].to_numpy()
    titles = [
        f"{name} - {'expansion' if k == 'existingbusiness' else 'new'}" for name, k in zip(names, kind, strict=True)
    ]
    return {
        "dealname": list(titles),
        "amount": [_amount(value, place) for place, value in enumerate(deal["amount"].tolist())],
        "deal_currency_code": deal["currency"].tolist(),
        "dealstage": np.where(is_open, open_stage, state).tolist(),
        "dealtype": kind.tolist(),
        "pipeline": ["default"] * len(deal),
        "createdate": list(iso(deal["opened_at"].to_numpy())),
        "closedate": list(iso(deal["closed_at"].to_numpy())),
        "hs_is_closed": np.where(is_open, "false", "true").tolist(),
        "hs_is_closed_won": won.tolist(),
        "hs_lastmodifieddate": list(iso(deal["modified_at"].to_numpy())),
    }


def deal_lines(versions: pd.DataFrame, records: AccountRecords, universe: Universe, delivery: int) -> Iterator[str]:
    """One delivery of deals, one JSON object per line; a deal without a company has no association."""
    deal = versions[versions["delivery"] == delivery]
    columns = _properties(deal, universe.name[deal["company"].to_numpy()])
    values = zip(*columns.values(), strict=True)
    rows = zip(deal["deal_id"].tolist(), deal["record"].tolist(), deal["archived"].tolist(), values, strict=True)
    for deal_id, record, archived, row in rows:
        properties = dict(zip(columns, row, strict=True))
        line: dict[str, object] = {"id": deal_id, "properties": properties, "archived": archived}
        if record >= 0:
            company = {"id": records.record_id[record], "type": "deal_to_company"}
            line["associations"] = {"companies": {"results": [company]}}
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":"))
