"""Columns that know the outcome are found in the data, whatever they are called; honest ones are left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_market import ATTRIBUTES, make_outcomes

from benchmarks.leaks import LEAKS, plant
from flows.gates import check_leaks
from icp.errors import ConfigError, GateFailed
from icp.leaks import find_leaks
from icp.profile import Attribute


@pytest.fixture(scope="module")
def honest() -> pd.DataFrame:
    return make_outcomes(("2025Q4", "2026Q1"), 300, seed=5)


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_column_is_caught_among_honest_ones(honest: pd.DataFrame, leak: str) -> None:
    frame, attribute = plant(honest, leak, np.random.default_rng(1))
    found = find_leaks(frame, (*ATTRIBUTES, attribute))
    assert [f.column for f in found] == [leak]
    assert any(figure in found[0].evidence for figure in ("AUC of 0.9", "AUC of 1.0", " outcomes and for "))


def test_an_honest_table_is_left_alone(honest: pd.DataFrame) -> None:
    assert find_leaks(honest, ATTRIBUTES) == ()


def test_a_level_that_never_wins_is_a_disqualifier_not_a_leak(honest: pd.DataFrame) -> None:
    won = honest["is_won"].astype(bool).to_numpy()
    rng = np.random.default_rng(2)
    segment = np.where(~won & (rng.random(len(won)) < 0.6), "student", rng.choice(["firm", "public"], len(won)))
    attribute = Attribute("segment_name", "category", "firmographic", "Segment")
    assert find_leaks(honest.assign(segment_name=segment), (attribute,)) == ()


def test_a_member_of_a_set_is_named_with_its_column(honest: pd.DataFrame) -> None:
    won = honest["is_won"].astype(bool).to_numpy()
    tags = np.where(won, "|customer|news|", "|news|")
    found = find_leaks(honest.assign(tags=tags), (Attribute("tags", "set", "relationship", "Tag"),))
    assert [(f.column, f.attribute, f.pattern) for f in found] == [("tags", "tags=customer", "only_won")]


def test_few_outcomes_convict_nobody(honest: pd.DataFrame) -> None:
    won = honest["is_won"].astype(bool)
    few = pd.concat([honest[won].head(19), honest[~won].head(200)], ignore_index=True)
    frame, attribute = plant(few, "days_in_last_stage", np.random.default_rng(1))
    assert find_leaks(frame, (attribute,)) == ()


@pytest.mark.parametrize("values", [[None], ["same"], [float("nan")]], ids=["missing", "constant", "nan"])
def test_a_column_without_information_is_no_leak(honest: pd.DataFrame, values: list[object]) -> None:
    frame = honest.assign(empty=values * len(honest))
    assert find_leaks(frame, (Attribute("empty", "category", "firmographic", "Empty"),)) == ()
    assert find_leaks(honest, (Attribute("absent", "numeric", "firmographic", "Absent"),)) == ()


def test_row_numbers_are_no_leak(honest: pd.DataFrame) -> None:
    attribute = Attribute("name", "category", "firmographic", "Name")
    assert find_leaks(honest.assign(name=[f"n{i}" for i in range(len(honest))]), (attribute,)) == ()


def test_the_gate_refuses_with_the_evidence_and_what_to_do(honest: pd.DataFrame) -> None:
    frame, attribute = plant(honest, "loss_reason_code", np.random.default_rng(1))
    with pytest.raises(GateFailed) as refused:
        check_leaks(frame, (*ATTRIBUTES, attribute), accepted=(), quarter="2026Q1")
    words = str(refused.value)
    assert "loss_reason_code" in words and "lost outcomes" in words
    assert "exclude_attributes: [loss_reason_code]" in words and "accept: [loss_reason_code]" in words


def test_a_person_may_vouch_for_a_column(honest: pd.DataFrame) -> None:
    frame, attribute = plant(honest, "loss_reason_code", np.random.default_rng(1))
    report = check_leaks(frame, (*ATTRIBUTES, attribute), accepted=("loss_reason_code",), quarter="2026Q1")
    assert report["accepted"] == ["loss_reason_code"] and report["leaks"] == []
    with pytest.raises(ConfigError, match="no_such"):
        check_leaks(frame, ATTRIBUTES, accepted=("no_such",), quarter="2026Q1")
