"""Whom one ICP of the project speaks of: its filter, put to the features; every complaint names its line in icp.yml."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from flows.refresh_steps import Features, Plan
    from icp.config import Settings
    from icp.label_rules import LeftOut
    from icp.population import PopulationRule
    from icp.profile import Attribute


def population_rules(settings: Settings, icp: str) -> tuple[PopulationRule, ...]:
    """The filter of one ICP, under the names of the feature frame."""
    from icp.population import from_section

    section = settings.icp(icp).population
    declared = {a.name.removeprefix("attr_"): a.name for a in settings.declared_attributes}
    columns = {name: declared.get(name, name) for name in section}
    return from_section({name: rule.model_dump() for name, rule in section.items()}, columns)


def checked_rules(settings: Settings, icp: str, attributes: Sequence[Attribute]) -> tuple[PopulationRule, ...]:
    """The filter of one ICP, held against the attributes there are.

    Raises:
        ConfigError: the filter names no attribute or does not fit its kind.
    """
    from icp.yaml_lines import unknown

    rules = population_rules(settings, icp)
    known = {attribute.name: attribute for attribute in attributes}
    for name, rule in zip(settings.icp(icp).population, rules, strict=True):
        where = ("icps", icp, "population", name)
        if rule.attribute not in known:
            raise settings.complain(where, unknown(name, [a.removeprefix("attr_") for a in known], "attribute"))
        misfit = rule.misfit(known[rule.attribute].kind)
        if misfit:
            raise settings.complain(where, f"{misfit}.")
    return rules


def in_population(
    settings: Settings, icp: str, frame: pd.DataFrame, attributes: Sequence[Attribute]
) -> tuple[pd.DataFrame, tuple[LeftOut, ...]]:
    """The rows of this ICP's accounts, and what was left out; without a filter all rows.

    Raises:
        ConfigError: the filter names no attribute, does not fit its kind, or selects no account.
    """
    from icp.population import population_words, select, values_of

    rules = checked_rules(settings, icp, attributes)
    if not rules:
        return frame, ()
    population = select(frame, rules)
    is_label = (frame["role"] == "label").to_numpy()
    if not population.inside[~is_label].any():
        there = "; ".join(f"{rule.attribute} is {values_of(frame[rule.attribute][~is_label])}" for rule in rules)
        told = f"selects none of the {int((~is_label).sum()):,} accounts ({population_words(rules)})."
        remedy = f"Widen it, or correct a value. Of the accounts, {there}."
        raise settings.complain(("icps", icp, "population"), f"{told} {remedy}")
    inside = frame[population.inside].reset_index(drop=True)
    return inside, population.left_out(is_label, population_words(rules))


def in_watched_population(settings: Settings, icp: str, frame: pd.DataFrame, revision: Path) -> pd.DataFrame:
    """The rows of the accounts the ICP in force speaks of.

    Raises:
        ConfigError: the filter of icp.yml is another than that of the ICP in force; what came since cannot be compared.
    """
    from flows.reading import read_profile
    from icp.population import population_words, select

    rules, before = population_rules(settings, icp), read_profile(revision).population
    if population_words(rules) != before:
        raise settings.complain(
            ("icps", icp, "population"),
            f"the ICP in force is about {before or 'all accounts'}, the file now says "
            f"{population_words(rules) or 'all accounts'}. Run `icp refresh` before `icp monitor`.",
        )
    return frame[select(frame, rules).inside].reset_index(drop=True) if rules else frame


def population_file(plan: Plan, features: Features) -> str:
    """Where dbt reads which accounts to score; empty for an ICP of every account."""
    from icp.publication import write_parquet

    if not plan.config.population:
        return ""
    path = plan.cache / "features" / "population.parquet"
    write_parquet(path, features.universe[["account_id"]])
    return str(path)
