"""The best customer as a composite: enough of the parts, what people decided by hand, and the list of the best."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from flows.label import label_rule, label_words
from icp.best_customers import best_customers
from icp.config_icp import IcpSettings
from icp.errors import ConfigError
from icp.label_rules import DEAL_WON, Labelled, Requirement, apply_label, judge_by
from icp.pins import Pin, apply_pins, in_force, rows_judged, version_of
from icp.pins_file import read_pins
from icp.profile import LabelRule
from icp.serialize import from_json, to_json
from icp.young_customers import told_so_far, young_customers

RULES = (Requirement("min_revenue", 100.0, 2.0), Requirement("not_churned", 1.0), Requirement("min_cs_rating", 4.0))


def frame() -> pd.DataFrame:
    rows = [
        ("all", True, True, 200.0, False, 5.0),
        ("rich_but_gone", True, True, 150.0, True, 5.0),
        ("small_and_kind", True, True, 50.0, False, 5.0),
        ("unrated", True, True, 300.0, False, None),
        ("lost", False, True, None, None, None),
        ("young", True, False, None, None, None),
        ("young_good", True, False, 120.0, False, 5.0),
        ("young_lost", False, False, None, None, None),
    ]
    facts = ["outcome_revenue", "outcome_is_churned", "outcome_cs_rating"]
    made = pd.DataFrame(rows, columns=["account_id", "is_won", "outcome_is_mature", *facts])
    return made.assign(
        role="label", observation_id=made["account_id"], outcome_quarter="2025Q1", outcome_value=1.0,
        company_domain=made["account_id"] + ".com", account_name=made["account_id"].str.upper(),
    )  # fmt: skip


def good(labelled: Labelled) -> dict[str, bool]:
    return {str(a): bool(w) for a, w in zip(labelled.frame["account_id"], labelled.frame["is_won"], strict=True)}


@pytest.mark.parametrize(
    ("at_least", "winners"),
    [(None, {"all"}), (4, {"all"}), (3, {"all", "rich_but_gone"}), (2, {"all", "rich_but_gone", "small_and_kind"})],
)
def test_enough_weight_makes_a_good_customer(at_least: float | None, winners: set[str]) -> None:
    found = good(apply_label(frame(), RULES, at_least))
    assert {name for name, is_good in found.items() if is_good} == winners
    assert set(found) == {"all", "rich_but_gone", "small_and_kind", "lost"}  # unknown and young are neither


def test_the_composite_is_kept_in_the_profile_and_can_be_judged_again() -> None:
    config = IcpSettings.model_validate(
        {"label": {"kind": "good_customer", "at_least": 3, "require": [
            {"min_revenue": 100, "weight": 2}, {"not_churned": True}, {"min_cs_rating": 4}]}}
    )  # fmt: skip
    rule = label_rule(config)
    assert (rule.at_least, rule.weights, rule.version) == (3, {"min_revenue": 2.0}, "")
    assert "at least 3 of 4 by weight of: revenue of at least 100 (2), not churned (1)" in rule.words
    assert from_json(LabelRule, to_json(rule)) == rule
    judged = judge_by(frame(), rule, LabelRule("won", 4))
    assert frame()["account_id"][judged.won & judged.known].tolist() == ["all", "rich_but_gone"]


def test_a_label_without_a_composite_is_written_as_before() -> None:
    assert "at_least" not in to_json(LabelRule())
    assert "version" not in to_json(LabelRule()).replace("schema_version", "")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"at_least": 3, "require": [{"repeat": True}, {"not_churned": True}]}, "can never be reached"),
        ({"require": [{"repeat": True, "weight": 2}]}, "say how much weight"),
        ({"at_least": 1, "require": [{"repeat": True, "not_churned": True, "weight": 2}]}, "an entry of its own"),
    ],
)
def test_weights_that_make_no_sense_are_refused(label: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        IcpSettings.model_validate({"label": {"kind": "good_customer", **label}})


PINS = (
    Pin("small_and_kind.com", "good", "reference customer", "Ada", "2025-02-01", 2),
    Pin("ALL", "bad", "sues us", "Bo", "2025-03-01", 3),
    Pin("rich_but_gone", "exclude", "bankrupt", "Bo", "2025-03-01", 4),
    Pin("unrated", "good", "strategic", "Ada", "2025-03-01", 5),
    Pin("lost", "good", "friends", "Ada", "2025-03-01", 6),
    Pin("nobody", "bad", "a typing error", "Ada", "2025-03-01", 7),
)


def test_decisions_by_hand_overrule_the_parts_but_not_the_outcome() -> None:
    every = frame()
    labelled = apply_label(every, RULES, None, rows_judged(every, PINS))
    done = apply_pins(labelled, PINS, every)
    assert good(done) == {"all": False, "small_and_kind": True, "unrated": True, "lost": False}
    assert done.frame.set_index("account_id")[DEAL_WON].to_dict()["all"] is True
    told = {left.what: (left.rows, left.reason) for left in done.left_out}
    assert told["Excluded by hand"][0] == 1
    assert "nobody (line 7)" in told["Decisions about accounts there are none of"][1]
    assert apply_pins(labelled, (), every) is labelled


def test_what_is_decided_later_is_not_known_yet_and_the_last_word_counts() -> None:
    pins = (Pin("a", "good", "r", "x", "2025-01-01", 2), Pin("A", "bad", "r", "x", "2025-02-01", 3))
    assert [p.verdict for p in in_force(pins, "2025-01-31")] == ["good"]
    assert [p.verdict for p in in_force(pins, "2025-02-01")] == ["bad"]
    assert in_force(pins, "2024-12-31") == () and version_of(()) == ""
    assert version_of(pins) == version_of([Pin(p.account, p.verdict, p.reason, p.author, p.date, 99) for p in pins])
    config = IcpSettings()
    old, new = label_rule(config), label_rule(config, pins[:1])
    assert not old.is_same_as(new)
    assert label_words(config, pins[:1]).startswith("won against lost; 1 customer decided by hand (version ")
    assert "judged by hand" in judge_by(frame(), new, old).reason


def test_a_file_of_decisions_is_checked_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "pins.csv"
    head = "account,verdict,reason,author,date\n"
    path.write_text(head + "acme.com,good,great,Ada,2025-01-31\n")
    assert read_pins(path) == (Pin("acme.com", "good", "great", "Ada", "2025-01-31", 2),)
    path.write_text(
        head + "a,godo,r,Ada,2025-01-31\nb,bad,,Ada,31.01.2025\nc,bad,r,A,2025-01-01\nC,good,r,A,2025-01-01\n"
    )
    with pytest.raises(ConfigError) as error:
        read_pins(path)
    assert "pins.csv, line 2: 'godo': unknown verdict. Did you mean `good`?" in str(error.value)
    assert "pins.csv, line 3: reason is empty" in str(error.value)
    assert "line 3: '31.01.2025' is not a date" in str(error.value)
    assert "line 5: C has another entry of 2025-01-01 in line 4" in str(error.value)
    path.write_text("account,verdict\n")
    with pytest.raises(ConfigError, match=r"line 1: the column reason, author, date is missing"):
        read_pins(path)
    with pytest.raises(ConfigError, match="does not exist"):
        read_pins(tmp_path / "none.csv")


def test_the_best_customers_are_listed_with_the_parts_that_made_them_so() -> None:
    every, pins = frame(), PINS[3:4]
    labelled = apply_pins(apply_label(every, RULES, 2, rows_judged(every, pins)), pins, every)
    best = best_customers(labelled.frame, RULES, pins, 3)
    assert best["account_id"].tolist() == ["all", "unrated", "rich_but_gone"]  # 4; 3 with 300; 3 with 150
    assert best["weight_met"].tolist() == [4.0, 3.0, 3.0]
    first, second, third = best["parts"]
    assert (
        first == "revenue of at least 100: yes (200); not churned: yes; rated at least 4 by those who serve it: yes (5)"
    )
    assert second.endswith("rated at least 4 by those who serve it: not known")
    assert "not churned: no" in third
    assert best["by_hand"].tolist() == ["", "good: strategic (Ada, 2025-03-01)", ""]


def test_of_young_customers_is_told_what_is_known_so_far_and_none_is_a_failure() -> None:
    labelled = told_so_far(apply_label(frame(), RULES, 3), RULES, 3)
    assert not {"young", "young_good", "young_lost"} & set(good(labelled))
    (told,) = [left for left in labelled.left_out if left.what == "Deals too young to judge"]
    assert told.rows == 3 and told.reason.startswith("2 won and 1 lost deals")
    assert (
        "shown: 1 enough already, 1 not known yet (lists/young_customers.csv); none counts as a failure" in told.reason
    )
    listed = young_customers(labelled.young, RULES, 3)
    assert listed[["account_id", "so_far", "weight_met", "weight_of_all"]].to_numpy().tolist() == [
        ["young_good", "enough already", 4.0, 4.0], ["young", "not known yet", 0.0, 4.0],
    ]  # fmt: skip
    assert listed["parts"][0] == (
        "revenue of at least 100: so far yes (120); not churned: so far yes; rated at least 4 by those who serve it: so far "
        "yes (5)"
    )
    assert listed["parts"][1].count("not known yet") == 3
    judged_all = young_customers(labelled.young.assign(outcome_revenue=40.0), RULES, None)
    assert (
        set(judged_all["so_far"]) == {"not yet"} and "revenue of at least 100: not yet (40)" in judged_all["parts"][0]
    )
    assert told_so_far(apply_label(frame(), []), [], None).young.empty
