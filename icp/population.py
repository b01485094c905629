"""Which accounts an ICP speaks of: a filter on attribute values, the same for outcomes and for the accounts scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.label_rules import LeftOut
from icp.profile import Kind

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PopulationRule:
    """One condition on one attribute; an account is inside when it meets every rule.

    `values` and `excluded` are compared without regard to case; of a set one member is enough. `least` and `most` are
    inside the range. An account whose value is not known is outside, unless `keep_unknown`.
    """

    attribute: str
    values: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    keep_unknown: bool = False

    @property
    def words(self) -> str:
        """The rule as people read it."""
        name = self.attribute.removeprefix("attr_")
        parts = []
        if self.values:
            parts.append(f"{name} is {' or '.join(self.values)}")
        if self.excluded:
            parts.append(f"{name} is not {' or '.join(self.excluded)}")
        if self.least is not None and self.most is not None:
            parts.append(f"{name} from {self.least:,g} to {self.most:,g}")
        elif self.least is not None:
            parts.append(f"{name} at least {self.least:,g}")
        elif self.most is not None:
            parts.append(f"{name} at most {self.most:,g}")
        return " and ".join(parts) + (" or not known" if self.keep_unknown else "")

    def misfit(self, kind: Kind) -> str:
        """Why the rule cannot be put to an attribute of this kind; empty when it can."""
        has_range = self.least is not None or self.most is not None
        if kind == "numeric" and (self.values or self.excluded):
            return "is a number: give `min` and `max`, not values"
        if kind != "numeric" and has_range:
            return f"is a {kind}: name the values (`in` or `not_in`), not `min` or `max`"
        return ""


@dataclass(frozen=True)
class Population:
    """The rows inside, and the rows left out because a value is not known."""

    inside: Mask
    unknown: Mask

    def left_out(self, is_label: Mask, words: str) -> tuple[LeftOut, ...]:
        """What the filter left out, as the report tells it."""
        outside = ~self.inside & ~self.unknown
        found = []
        for rows, what in ((outside, "Outside the population"), (self.unknown, "Not known to be in the population")):
            outcomes, accounts = int((rows & is_label).sum()), int((rows & ~is_label).sum())
            reason = f"{outcomes:,} outcomes and {accounts:,} accounts; this ICP is about {words}."
            found.append(LeftOut(what, outcomes + accounts, reason))
        return tuple(left for left in found if left.rows)


def population_words(rules: Sequence[PopulationRule]) -> str:
    """All rules in one line; empty for an ICP of every account."""
    return ", ".join(rule.words for rule in rules)


def select(frame: pd.DataFrame, rules: Iterable[PopulationRule]) -> Population:
    """Which rows are inside by the values known when each was observed: nobody is let in by what came later.

    Args:
        frame: label and score rows with the attributes' columns.
        rules: all must be met; without any every row is inside.
    """
    inside, unknown = np.ones(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    failed = np.zeros(len(frame), dtype=bool)
    for rule in rules:
        met, known = _met(frame[rule.attribute], rule)
        inside &= np.where(known, met, rule.keep_unknown)
        failed |= known & ~met
        unknown |= ~known & (not rule.keep_unknown)
    return Population(inside, unknown & ~failed)


def values_of(column: pd.Series, most: int = 12) -> str:
    """The values an attribute has, the most frequent first: what a person who filtered on none of them needs to see."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.dropna()
        return f"{numbers.min():,g} to {numbers.max():,g}" if len(numbers) else "none is known"
    counts: dict[str, int] = {}
    for value in column:
        for text in _texts(value):
            counts[text] = counts.get(text, 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "none is known"


def from_section(section: Mapping[str, Mapping[str, object]], columns: Mapping[str, str]) -> tuple[PopulationRule, ...]:
    """The rules of a checked `population:` section, under the names the columns have in the feature frame."""
    return tuple(
        PopulationRule(
            columns[name],
            tuple(_text(v) for v in rule["in_"]),  # type: ignore[attr-defined]
            tuple(_text(v) for v in rule["not_in"]),  # type: ignore[attr-defined]
            rule["min"],  # type: ignore[arg-type]
            rule["max"],  # type: ignore[arg-type]
            bool(rule["keep_unknown"]),
        )
        for name, rule in section.items()
    )


def _met(column: pd.Series, rule: PopulationRule) -> tuple[Mask, Mask]:
    if rule.least is not None or rule.most is not None:
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        least = -np.inf if rule.least is None else rule.least
        most = np.inf if rule.most is None else rule.most
        return np.asarray((numbers >= least) & (numbers <= most)), np.isfinite(numbers)
    wanted, refused = ({text.casefold() for text in texts} for texts in (rule.values, rule.excluded))
    members = [{text.casefold() for text in _texts(value)} for value in column]
    met = [(not wanted or bool(own & wanted)) and not own & refused for own in members]
    return np.array(met, dtype=bool), np.array([bool(own) for own in members], dtype=bool)


def _texts(value: object) -> tuple[str, ...]:
    """The value, or the members of a set ("|aws|snowflake|"), as texts; nothing where it is not known."""
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return ()
    text = _text(value)
    members = text.strip("|").split("|") if text.startswith("|") and text.endswith("|") else [text]
    return tuple(member for member in members if member)


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return str(value).strip()
