"""What counts as won, as the profile keeps it and as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.refresh_steps import label_requirements

if TYPE_CHECKING:
    from icp.config import IcpSettings
    from icp.profile import LabelRule


def label_rule(config: IcpSettings) -> LabelRule:
    """What counts as won, to be kept with the profile."""
    from icp.profile import LabelRule

    label = config.label
    rules = {rule.rule: rule.threshold for rule in label_requirements(config)}
    return LabelRule(label.kind, label.horizon, rules, label_words(config))


def label_words(config: IcpSettings) -> str:
    """What counts as won, in words."""
    label = config.label
    if label.kind == "won":
        return "won against lost"
    quarters = "quarter" if label.horizon == 1 else f"{label.horizon} quarters"
    if label.kind == "good_customer":
        rules = " and ".join(rule.words for rule in label_requirements(config))
        return f"won and, within {quarters} of the win, {rules}, against lost or won and not that"
    return f"best {label.top_share:.0%} by {label.measure.replace('_', ' ')} of the next {quarters} against the rest"
