"""The answer sheet: what was planted, written beside the extracts for tests, documentation and the curious."""

from __future__ import annotations

import io

import numpy as np
from ruamel.yaml import YAML

from icp.demo.planted import (
    CHANGES,
    NOISE_ATTRIBUTES,
    PLANTED,
    PROXIES,
    PlantedAttribute,
    PlantedChange,
    noise_technologies,
    planted,
)
from icp.demo.sales import History
from icp.demo.timeline import QUARTERS, REFRESHED

Plain = dict[str, object]


def _criterion(attribute: PlantedAttribute) -> Plain:
    """An attribute's log-odds per bin, by the first quarter they hold in, and whether it still matters at the end."""
    effects = {start: dict(zip(attribute.bins, values, strict=True)) for start, values in attribute.effects.items()}
    return {
        "attribute": attribute.name,
        "kind": attribute.kind,
        "axis": attribute.axis,
        "log_odds_from_quarter": effects,
        "matters_in_last_quarter": any(value != 0 for value in attribute.effects_in(QUARTERS[-1])),
    }


def _change(change: PlantedChange, history: History) -> Plain:
    """A change with log-odds before and after, and its sd over that quarter's deals: the size that power depends on."""
    attribute, quarter = planted(change.attribute), QUARTERS.index(change.quarter)
    before, after = attribute.effects_in(QUARTERS[quarter - 1]), attribute.effects_in(change.quarter)
    deals = history.deals[history.deals["quarter"] == quarter]
    places = attribute.bin_of(deals[attribute.name].to_numpy())
    moves = (np.array(after) - np.array(before))[places]
    return {
        "quarter": change.quarter,
        "attribute": change.attribute,
        "what": change.what,
        "visible": change.visible,
        "sentence": change.sentence,
        "segment": change.segment,
        "before": dict(zip(attribute.bins, before, strict=True)),
        "after": dict(zip(attribute.bins, after, strict=True)),
        "sd_of_change": round(float(moves.std()), 2),
    }


def truth(seed: int, accounts: int, history: History) -> Plain:
    """Everything a test may want to hold a result against, as plain data."""
    visible = {change.quarter for change in CHANGES if change.visible}
    return {
        "company": "Lumenworks",
        "seed": seed,
        "accounts": accounts,
        "criteria": [_criterion(attribute) for attribute in PLANTED],
        "changes": [_change(change, history) for change in CHANGES],
        "quiet_quarters": [quarter for quarter in REFRESHED[1:] if quarter not in visible],
        "noise_attributes": list(NOISE_ATTRIBUTES),
        "noise_technologies": list(noise_technologies()),
        "correlated_without_effect": dict(PROXIES),
        "quarters": [
            {"quarter": q.quarter, "opportunities": q.opportunities, "wins": q.wins,
             "win_rate": round(q.wins / q.opportunities, 4), "intercept": q.intercept}
            for q in history.quarters
        ],
    }  # fmt: skip


def truth_text(document: Plain) -> str:
    """The answer sheet as YAML with a word of explanation on top."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 120
    text = io.StringIO()
    yaml.dump(document, text)
    return (
        "# What was planted in this invented company: log-odds of winning per attribute and bin, by quarter of close.\n"
        "# The pipeline never reads this file; tests and documentation do.\n" + text.getvalue()
    )
