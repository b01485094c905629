"""Customers whose horizon is not over: what each has shown so far, told and not judged.

They are no outcome yet (deciding early would let in those that showed something early), but nothing known of them is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from icp.label_rules import TOO_YOUNG, Labelled, Requirement, figure, is_good, weight_met

ENOUGH, NOT_YET, NOT_KNOWN = "enough already", "not yet", "not known yet"
COLUMNS = ("account_id", "account_name", "company_domain", "won_deal", "so_far", "weight_met", "weight_of_all", "parts")


def young_customers(young: pd.DataFrame, rules: Sequence[Requirement], at_least: float | None) -> pd.DataFrame:
    """The won deals too young to judge, those that have shown most first.

    `so_far` is "enough already" where the rules met would make a good customer today, "not known yet" where nothing at all
    is known, else "not yet". `parts` says of every rule where it stands and on which fact.

    Args:
        young: label rows of won deals whose horizon is not over, with their facts so far.
        rules: the rules of the label.
        at_least: the weight of rules it takes; None for all of them.
    """
    rows = young.assign(so_far=_so_far(young, rules, at_least), weight_met=weight_met(young, rules))
    rows = rows.assign(weight_of_all=sum(rule.weight for rule in rules), won_deal=rows["observation_id"])
    rows["parts"] = ["; ".join(parts) for parts in zip(*(_parts(rule, young) for rule in rules), strict=True)]
    ordered = rows.sort_values(["weight_met", "observation_id"], ascending=[False, True], kind="stable")
    return ordered.reindex(columns=list(COLUMNS)).reset_index(drop=True)


def told_so_far(labelled: Labelled, rules: Sequence[Requirement], at_least: float | None) -> Labelled:
    """The same labels; the line on the deals too young to judge says how many have shown what."""
    if labelled.young.empty or not rules:
        return labelled
    said = _said(labelled.young, rules, at_least)
    told = [
        replace(left, reason=f"{left.reason} {said}") if left.what == TOO_YOUNG else left for left in labelled.left_out
    ]
    return replace(labelled, left_out=tuple(told))


def _said(young: pd.DataFrame, rules: Sequence[Requirement], at_least: float | None) -> str:
    counts = pd.Series(_so_far(young, rules, at_least)).value_counts()
    parts = [f"{counts[state]:,} {state}" for state in (ENOUGH, NOT_YET, NOT_KNOWN) if state in counts]
    return f"So far the won ones have shown: {', '.join(parts)} (lists/young_customers.csv); none counts as a failure."


def _so_far(young: pd.DataFrame, rules: Sequence[Requirement], at_least: float | None) -> np.ndarray:
    known = np.any([rule.known(young) for rule in rules], axis=0)
    return np.where(is_good(young, rules, at_least), ENOUGH, np.where(known, NOT_YET, NOT_KNOWN))


def _parts(rule: Requirement, young: pd.DataFrame) -> list[str]:
    """Where each row stands with one rule, in words."""
    if rule.column not in young:
        return [f"{rule.words}: not known yet"] * len(young)
    facts = pd.to_numeric(young[rule.column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    is_flag = rule.rule in ("repeat", "not_churned")
    return [
        f"{rule.words}: {state}" if is_flag or not known else f"{rule.words}: {state} ({figure(fact)})"
        for state, known, fact in zip(_states(rule, young), rule.known(young), facts, strict=True)
    ]


def _states(rule: Requirement, young: pd.DataFrame) -> np.ndarray:
    return np.where(~rule.known(young), "not known yet", np.where(rule.met(young), "so far yes", "not yet"))
