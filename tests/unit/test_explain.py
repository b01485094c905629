"""Why an account has its score: every point accounted for, and a refusal when they do not add up."""

from __future__ import annotations

import pandas as pd
import pytest
from small_profiles import FLAG_BINS, profile

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
    assert "Source: load 20260630T000000Z-abc, row 17, known since 2026-06-30." in text


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
