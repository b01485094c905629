"""An attribute that reads what happened later is another for the same deal a quarter on, whatever its own dates say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.gates import check_past
from icp.errors import GateFailed
from icp.profile import Attribute
from icp.restated import restated

HONEST, LATER, TOOLS = (
    Attribute("employees", "numeric", "firmographic", "Employees"),
    Attribute("tickets", "numeric", "behavioural", "Tickets"),
    Attribute("technologies", "set", "technographic", "Uses"),
)


def rows(deals: int, **columns: object) -> pd.DataFrame:
    made = {
        "observation_id": [f"d{n}" for n in range(deals)],
        "is_backfilled": False,
        "employees": 10.0,
        "tickets": 1.0,
    }
    return pd.DataFrame(made | {"technologies": "|aws|"} | columns)


def test_values_of_deals_looked_at_before_are_held_against_what_they_were() -> None:
    before = rows(200)
    tickets = np.where(np.arange(300) % 2 == 0, 1.0, 4.0)  # the tickets of later count too, in every other deal
    (found,) = restated(before, rows(300, tickets=tickets), (HONEST, LATER, TOOLS))
    assert (found.column, found.changed, found.compared) == ("tickets", 100, 200)
    assert "Tickets (tickets) is another than a quarter ago on 100 of 200 deals" in found.sentence
    assert restated(before, rows(300, tickets=tickets), (HONEST, LATER), accepted=["tickets"]) == ()


def test_late_entries_new_sources_and_backfilled_rows_are_no_proof() -> None:
    few = np.where(np.arange(200) < 10, 99.0, 10.0)  # 5 % of the deals
    assert restated(rows(200), rows(200, employees=few), (HONEST,)) == ()
    assert restated(rows(200, tickets=np.nan), rows(200), (LATER,)) == ()
    assert restated(rows(200, is_backfilled=True), rows(200, employees=99.0), (HONEST,)) == ()
    assert restated(rows(15), rows(15, employees=99.0), (HONEST,)) == ()
    (gone,) = restated(rows(200), rows(200, technologies=None), (TOOLS,))
    assert gone.share == 1.0


def test_a_feature_of_the_teams_own_is_stopped_and_a_vendors_column_is_told() -> None:
    before, now = rows(200), rows(250, tickets=3.0, employees=12.0)
    with pytest.raises(GateFailed) as stopped:
        check_past(now, before, (HONEST, LATER), own=lambda: {"tickets"}, accepted=(), quarter="2025Q2")
    said = str(stopped.value)
    assert "FAILED  Tickets (tickets)" in said and "Employees" not in said
    assert "dated before observed_at" in said and "leak_audit: {accept: [tickets]}" in said
    told = check_past(now, before, (HONEST,), own=lambda: {"tickets"}, accepted=(), quarter="2025Q2")
    assert (told["compared"], len(told["notes"])) == (200, 1)
    assert (
        check_past(before, before, (HONEST, LATER), own=lambda: {"tickets"}, accepted=(), quarter="2025Q2")["notes"]
        == []
    )
