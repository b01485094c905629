"""A good customer: rules on what became of a won deal, and outcomes that are not known yet."""

from __future__ import annotations

import pandas as pd
import pytest

from flows.label import label_rule
from icp import attributes
from icp.config_icp import IcpSettings
from icp.errors import ConfigError, NotEnoughEvidence
from icp.label_rules import DEAL_WON, RULES, Requirement, apply_label, judge_by, require_families, requirements
from icp.profile import LabelRule

MARGIN, STAYS = Requirement("min_gross_margin", 100.0), Requirement("not_churned", 1.0)


def frame() -> pd.DataFrame:
    rows = [
        ("good", "label", True, True, 100.0, False),
        ("poor", "label", True, True, 99.0, False),
        ("left", "label", True, True, 500.0, True),
        ("left_unknown_margin", "label", True, True, None, True),
        ("never_billed", "label", True, True, None, None),
        ("lost", "label", False, True, None, None),
        ("young_won", "label", True, False, None, None),
        ("young_lost", "label", False, False, None, None),
        ("score:x", "score", None, None, None, None),
    ]
    columns = ["observation_id", "role", "is_won", "outcome_is_mature", "outcome_gross_margin", "outcome_is_churned"]
    made = pd.DataFrame(rows, columns=columns)
    return made.assign(outcome_value=[7.0 if won else None for won in made["is_won"]])


def test_a_won_deal_that_fails_a_rule_is_a_loss_and_what_is_unknown_is_neither() -> None:
    labelled = apply_label(frame(), [MARGIN, STAYS])
    won = dict(zip(labelled.frame["observation_id"], labelled.frame["is_won"], strict=True))
    assert won == {"good": True, "poor": False, "left": False, "lost": False, "score:x": None}
    was_won = dict(zip(labelled.frame["observation_id"], labelled.frame[DEAL_WON], strict=True))
    assert was_won == {"good": True, "poor": True, "left": True, "lost": False, "score:x": None}
    value = labelled.frame.set_index("observation_id")["outcome_value"]
    assert value.dropna().to_dict() == {"good": 7.0}


def test_what_is_left_out_is_counted_and_said() -> None:
    young, unknown = apply_label(frame(), [MARGIN, STAYS]).left_out
    assert (young.rows, unknown.rows) == (2, 2)
    assert young.reason.startswith("1 won and 1 lost deals")
    assert [left.what for left in apply_label(frame(), [STAYS]).left_out] == [young.what, unknown.what]


def test_without_rules_nothing_is_relabelled_or_left_out() -> None:
    labelled = apply_label(frame(), [])
    assert labelled.left_out == ()
    pd.testing.assert_frame_equal(labelled.frame, frame())


@pytest.mark.parametrize(
    ("rule", "threshold", "column", "good", "bad"),
    [
        ("min_revenue", 10, "outcome_revenue", 10.0, 9.9),
        ("min_tenure_months", 12, "outcome_tenure_months", 12.0, 11.0),
        ("min_expansion", 1.1, "outcome_expansion", 1.1, 1.0),
        ("repeat", 1, "outcome_has_repeated", True, False),
        ("not_churned", 1, "outcome_is_churned", False, True),
        ("min_nps", 7, "outcome_nps", 7.0, 6.9),
        ("min_cs_rating", 4, "outcome_cs_rating", 4.0, 3.9),
        ("min_csat", 4, "outcome_csat", 4.0, 3.9),
    ],
)
def test_every_rule_reads_its_fact(rule: str, threshold: float, column: str, good: object, bad: object) -> None:
    rows = pd.DataFrame({column: pd.Series([good, bad, None], dtype=object)})
    (requirement,) = requirements([{rule: threshold}])
    assert requirement.met(rows).tolist() == [True, False, False]
    assert requirement.known(rows).tolist() == [True, True, False]
    assert rule in RULES


def test_rules_nothing_landed_could_tell_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="no surveys have landed"):
        require_families([STAYS, Requirement("min_nps", 7)], {"revenue", "opportunities"})
    require_families([STAYS], {"revenue"})
    with pytest.raises(ConfigError, match="min_csat, but of none of the 5 won deals"):
        apply_label(frame(), [Requirement("min_csat", 4)])
    with pytest.raises(NotEnoughEvidence, match="No won deal is old enough"):
        apply_label(frame().assign(outcome_is_mature=False), [STAYS])


@pytest.mark.parametrize("name", ["outcome_nps", "outcome_is_churned", "is_worked", "is_won"])
def test_what_became_of_a_deal_can_never_be_an_attribute(name: str) -> None:
    meta = {"icp": {"kind": "numeric", "family": "firmographic"}}
    with pytest.raises(ConfigError, match="known only after the outcome"):
        attributes.from_columns({name: {"description": "", "meta": meta}}, "fct_account_features")


GOOD = LabelRule("good_customer", 4, {"min_gross_margin": 100.0, "not_churned": 1.0}, "good")


def test_rows_of_won_deals_are_judged_by_the_rules_of_a_good_customer() -> None:
    rows = frame().iloc[:-1]
    judged = judge_by(rows, GOOD, LabelRule("won", 4))
    assert list(rows["observation_id"][judged.won & judged.known]) == ["good"]
    assert list(rows["observation_id"][~judged.known]) == [
        "left_unknown_margin",
        "never_billed",
        "young_won",
        "young_lost",
    ]


def test_rows_of_good_customers_still_know_which_deals_were_won() -> None:
    rows = apply_label(frame(), [MARGIN, STAYS]).frame.iloc[:-1]
    judged = judge_by(rows, LabelRule("won", 4), GOOD)
    assert judged.known.all() and list(rows["observation_id"][judged.won]) == ["good", "poor", "left"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ({}, LabelRule("won", 4, {}, "won against lost")),
        (
            {"kind": "good_customer", "require": [{"min_gross_margin": 100}, {"not_churned": True}]},
            LabelRule(
                "good_customer",
                4,
                {"min_gross_margin": 100.0, "not_churned": 1.0},
                "won and, within 4 quarters of the win, gross margin of at least 100 and not churned, against lost or "
                "won and not that",
            ),
        ),
        (
            {"kind": "best_customer", "measure": "gross_margin"},
            LabelRule("best_customer", 1, {}, "best 20% by gross margin of the next quarter against the rest"),
        ),
    ],
)
def test_the_label_of_icp_yml_is_kept_with_the_profile(label: dict[str, object], expected: LabelRule) -> None:
    rule = label_rule(IcpSettings.model_validate({"label": label}))
    assert rule == expected and rule.is_same_as(expected)
    assert not rule.is_same_as(LabelRule(words="another"))
