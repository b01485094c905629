"""What counts as won: the label of one ICP put to the features, as the profile keeps it and as people read it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from icp.config import IcpSettings, Settings
    from icp.label_rules import Labelled, Requirement
    from icp.pins import Pin
    from icp.profile import LabelRule


def label_requirements(config: IcpSettings) -> tuple[Requirement, ...]:
    """What a good customer must have shown; nothing under another label."""
    from icp.label_rules import requirements

    return requirements(section.model_dump(exclude_none=True) for section in config.label.require)


def pins_in_force(settings: Settings, icp: str, as_of: datetime) -> tuple[Pin, ...]:
    """The decisions about single customers that were known at that moment.

    Raises:
        ConfigError: the file is absent or malformed; with its line.
    """
    from icp.pins import in_force
    from icp.pins_file import read_pins

    path = settings.icp(icp).label.pins
    if path is None:
        return ()
    day = f"{as_of.astimezone(settings.calendar.zone):%Y-%m-%d}"
    return in_force(read_pins(settings.root / path), day)


def labelled_by(settings: Settings, icp: str, frame: pd.DataFrame, as_of: datetime) -> Labelled:
    """The rows with outcomes as this ICP counts them."""
    from icp.label_rules import apply_label
    from icp.pins import apply_pins, rows_judged
    from icp.young_customers import told_so_far

    config, pins = settings.icp(icp), pins_in_force(settings, icp, as_of)
    vouched = rows_judged(frame, pins) if pins else None
    rules, needed = label_requirements(config), config.label.at_least
    labelled = told_so_far(apply_label(frame, rules, needed, vouched), rules, needed)
    return apply_pins(labelled, pins, frame)


def label_rule(config: IcpSettings, pins: tuple[Pin, ...] = ()) -> LabelRule:
    """What counts as won, to be kept with the profile."""
    from icp.pins import version_of
    from icp.profile import LabelRule

    label, requirements = config.label, label_requirements(config)
    return LabelRule(
        label.kind,
        label.horizon,
        {rule.rule: rule.threshold for rule in requirements},
        label_words(config, pins),
        label.at_least,
        {rule.rule: rule.weight for rule in requirements if rule.weight != 1.0},
        version_of(pins),
    )


def label_words(config: IcpSettings, pins: tuple[Pin, ...] = ()) -> str:
    """What counts as won, in words."""
    from icp.pins import version_of

    words = _rule_words(config)
    if not pins:
        return words
    said = "1 customer" if len(pins) == 1 else f"{len(pins)} customers"
    return f"{words}; {said} decided by hand (version {version_of(pins)})"


def _rule_words(config: IcpSettings) -> str:
    label = config.label
    if label.kind == "won":
        return "won against lost"
    quarters = "quarter" if label.horizon == 1 else f"{label.horizon} quarters"
    if label.kind == "good_customer":
        return f"won and, within {quarters} of the win, {_required(config)}, against lost or won and not that"
    return f"best {label.top_share:.0%} by {label.measure.replace('_', ' ')} of the next {quarters} against the rest"


def _required(config: IcpSettings) -> str:
    rules, needed = label_requirements(config), config.label.at_least
    if needed is None:
        return " and ".join(rule.words for rule in rules)
    if all(rule.weight == 1.0 for rule in rules):
        return f"at least {needed:g} of: {', '.join(rule.words for rule in rules)}"
    parts = ", ".join(f"{rule.words} ({rule.weight:g})" for rule in rules)
    return f"at least {needed:g} of {sum(rule.weight for rule in rules):g} by weight of: {parts}"
