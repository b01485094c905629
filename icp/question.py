"""What is asked of a quarter's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from icp.hypotheses import Hypothesis
from icp.label_rules import Requirement
from icp.profile import LabelRule

ContrastSetting = Literal["auto", "won_or_lost", "customer_or_not"]


@dataclass(frozen=True)
class Question:
    """What is asked of a quarter's data: which ICP, which quarter, how tiers are cut, the least that counts, and what
    people believe already.

    `label_rules` are what the ICP's label asks of a won deal beyond being won; the label rows already follow them and the
    whole `label`.
    `contrast` "auto" compares customers with all accounts only where too few lost deals are recorded.
    `population` says in words which accounts the rows are of; empty means all.
    """

    icp: str
    quarter: str
    tiers: Mapping[str, float]
    minimum: Mapping[str, int]
    seed: int = 0
    has_value: bool = True
    hypotheses: tuple[Hypothesis, ...] = ()
    label_rules: tuple[Requirement, ...] = ()
    label: LabelRule | None = None
    contrast: ContrastSetting = "auto"
    population: str = ""
