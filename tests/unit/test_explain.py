"""Why an account has its score: every point accounted for, and a refusal when they do not add up."""

from __future__ import annotations

import pandas as pd
import pytest
from small_profiles import FLAG_BINS, profile

from icp.account_context import best_customers_of, nearest_customers, since_before, since_text
from icp.errors import IcpError
from icp.explain import explain, explanation_text
from icp.profile import Attribute, Bin

SIZE = Attribute("employees", "numeric", "firmographic", "Company size")
SNOWFLAKE = Attribute(
    "technologies=snowflake",
    "flag",
    "technographic",
    "Uses snowflake",
    source_column="technologies",
    member="snowflake",
)
VISITS = Attribute("visits_30d", "numeric", "behavioural", "Visits in 30 days")
SIZE_BINS = (Bin("lt_11", "1-10", None, 11), Bin("11_up", "11 or more", 11, None), Bin("missing", "not known"))
PROFILE = profile(
    [(SIZE, SIZE_BINS, (0, 60, 20)), (SNOWFLAKE, FLAG_BINS, (0, 40, 10)), (VISITS, SIZE_BINS, (0, 100, 0))]
)
ACCOUNT = {
    "account_id": "a1",
    "account_name": "Acme",
    "fit_score": 70,
    "intent_score": 0,
    "tier": "A",
    "win_probability": 0.574,
    "known_at": pd.Timestamp("2026-06-30"),
    "source_load_id": "20260630T000000Z-abc",
    "source_row": 17,
}


def row(
    attribute: str, axis: str, value: str | None, key: str, points: int, average: float = 20.0
) -> dict[str, object]:
    return {
        "account_id": "a1", "axis": axis, "attribute": attribute, "attribute_label": attribute, "value_text": value,
        "bin_key": key, "bin_label": key, "points": points, "average_points": average,
    }  # fmt: skip


ROWS = [
    row("employees", "fit", "120", "11_up", 60),
    row("technologies=snowflake", "fit", None, "missing", 10, 11.0),
    row("visits_30d", "intent", "3", "lt_11", 0),
]


def test_points_sum_to_the_score_and_the_most_telling_attribute_comes_first() -> None:
    explanation = explain(ACCOUNT, ROWS, PROFILE)
    fit = explanation.axis_lines("fit")
    assert [(line.label, line.value, line.points) for line in fit] == [
        ("Company size", "120", 60),
        ("Uses snowflake", "not known", 10),
    ]
    assert sum(line.points for line in fit) == explanation.fit_score == 70
    assert (fit[0].odds.value, fit[0].bin_label, fit[0].since) == (1.5, "11 or more", "2026Q1")


def test_rows_of_other_accounts_are_passed_over() -> None:
    other = ROWS[0] | {"account_id": "a2"}
    assert explain(ACCOUNT, [*ROWS, other], PROFILE) == explain(ACCOUNT, ROWS, PROFILE)


def test_the_text_shows_points_odds_and_the_trail_to_the_source_row() -> None:
    text = explanation_text(explain(ACCOUNT, ROWS, PROFILE))
    assert (
        "Acme, ICP main of 2026Q2\ntier A · fit 70 of 100 · intent 0 of 100 · 57% expected to be won if worked" in text
    )
    assert "    60       +40.0  Company size    120        11 or more  ×1.50 (1.20 to 1.90)" in text
    assert "Source: table accounts, load 20260630T000000Z-abc, row 17, known since 2026-06-30." in text


def test_an_account_without_a_recorded_source_says_so() -> None:
    bare = {key: value for key, value in ACCOUNT.items() if not key.startswith(("source", "known", "win"))}
    text = explanation_text(explain(bare, ROWS, PROFILE))
    assert "Source: not recorded" in text
    assert "expected to be won" not in text


def test_points_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(IcpError, match="fit points sum to 60 but its fit score is 70"):
        explain(ACCOUNT, [ROWS[0], ROWS[2]], PROFILE)


def test_points_of_another_profile_are_refused() -> None:
    with pytest.raises(IcpError, match="'industry' = 'software', which the profile main 2026Q2 does not have"):
        explain(ACCOUNT, [*ROWS, row("industry", "fit", "Software", "software", 5)], PROFILE)


def test_what_moved_the_score_is_said_criterion_by_criterion() -> None:
    then = [row("employees", "fit", "8", "lt_11", 0), row("technologies=snowflake", "fit", None, "missing", 4, 11.0)]
    worth = {("employees", "lt_11"): 0, ("employees", "11_up"): 60, ("technologies=snowflake", "missing"): 4}
    since = since_before("2026Q1", {"tier": "C", "fit_score": 4}, then, ROWS, worth)
    assert [(s.attribute, s.points_now - s.points_before, s.cause) for s in since.steps] == [
        ("employees", 60, "account changed"),
        ("technologies=snowflake", 6, "ICP changed"),
    ]
    assert sum(s.points_now - s.points_before for s in since.steps) == ACCOUNT["fit_score"] - since.fit_score
    text = since_text(since, "A", 70)
    assert "tier C to A, fit 4 to 70" in text and "+60  employees: 8 to 120 (0 to 60 points; account changed)" in text
    cheaper = since_before("2026Q1", {"tier": "C", "fit_score": 4}, then, ROWS, worth | {("employees", "11_up"): 50})
    assert cheaper.steps[0].cause == "both"


def test_the_nearest_best_customers_share_most_states() -> None:
    accounts = pd.DataFrame(
        {
            "account_id": ["a1", "far", "near", "prospect"], "account_name": ["Acme", "Far", "Near", "P"],
            "tier": ["A", "A", "B", "A"], "fit_score": [70, 90, 60, 70],
            "is_customer": [True, True, True, False], "is_icp_qualified": [True, True, True, True],
        }
    )  # fmt: skip
    rows = [row("employees", "fit", "", "lt_11", 0) | {"account_id": "far"}]
    rows += [r | {"account_id": name} for name in ("near", "prospect", "a1") for r in ROWS]
    states = pd.DataFrame([r for r in rows if r["axis"] == "fit"])
    found = nearest_customers(["a1", "far"], best_customers_of(accounts), states)
    assert [(n.account_id, n.shared, n.criteria) for n in found["a1"]] == [("near", 2, 2)]
    assert found["far"] == ()
