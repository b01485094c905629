"""The best customers by the label in force, each with the parts that made it so."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from icp.label_rules import DEAL_WON, Requirement, figure, is_true, weight_met
from icp.pins import Pin, pinned

COLUMNS = (
    "account_id", "account_name", "company_domain", "judged_in", "weight_met", "weight_of_all", "parts", "by_hand",
)  # fmt: skip
ORDER = ("outcome_gross_margin", "outcome_revenue")


def best_customers(labels: pd.DataFrame, rules: Sequence[Requirement], pins: Sequence[Pin], most: int) -> pd.DataFrame:
    """The customers whose won deals counted as good, best first: by weight of the rules met, then by what they brought.

    One row per account, for its newest good deal. `parts` says of every rule whether it was met and the fact behind it,
    `by_hand` who called it good, when and why.

    Args:
        labels: label rows under the label in force, with their facts.
        rules: the rules of the label.
        pins: the decisions in force.
        most: how many to list.
    """
    deal_won = is_true(labels[DEAL_WON] if DEAL_WON in labels else labels["is_won"])
    good = labels[is_true(labels["is_won"]) & deal_won]
    good = good.assign(_place=pinned(good, pins), _weight=weight_met(good, rules))
    newest = good.sort_values(["outcome_quarter", "observation_id"], kind="stable").drop_duplicates(
        "account_id", keep="last"
    )
    keys = ["_weight", *(name for name in ORDER if name in newest)]
    numeric = newest.assign(**{name: pd.to_numeric(newest[name], errors="coerce") for name in keys})
    ranked = numeric.sort_values([*keys, "account_id"], ascending=[*[False] * len(keys), True], kind="stable").head(
        most
    )
    total = sum(rule.weight for rule in rules)
    rows = [
        {
            "account_id": row["account_id"], "account_name": row.get("account_name"),
            "company_domain": row.get("company_domain"), "judged_in": row["outcome_quarter"],
            "weight_met": row["_weight"], "weight_of_all": total,
            "parts": "; ".join(_part(rule, row) for rule in rules),
            "by_hand": _by_hand(pins, int(row["_place"])),
        }
        for _, row in ranked.iterrows()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _part(rule: Requirement, row: pd.Series) -> str:
    one = row.to_frame().T
    if not rule.known(one)[0]:
        return f"{rule.words}: not known"
    met = "yes" if rule.met(one)[0] else "no"
    fact = row[rule.column]
    return (
        f"{rule.words}: {met}"
        if rule.rule in ("repeat", "not_churned")
        else f"{rule.words}: {met} ({figure(float(fact))})"
    )


def _by_hand(pins: Sequence[Pin], place: int) -> str:
    if place < 0:
        return ""
    pin = pins[place]
    return f"{pin.verdict}: {pin.reason} ({pin.author}, {pin.date})"
