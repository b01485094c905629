"""When a won deal counts as a good one: rules on what became of the customer within a horizon after the win.

The facts (`outcome_…` columns) come with the label rows; here they become yes, no or not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.errors import ConfigError, NotEnoughEvidence
from icp.profile import LabelRule

MATURE, DEAL_WON = "outcome_is_mature", "outcome_deal_won"

TOO_YOUNG = "Deals too young to judge"
TOLERANCE = 1e-9  # weights are decimals a person typed; their sums are not exact

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Fact:
    """Where the fact of a rule comes from and how the rule is said."""

    column: str
    family: str
    words: str


_FACTS: Mapping[str, _Fact] = {
    "min_gross_margin": _Fact("outcome_gross_margin", "revenue", "gross margin of at least {:,.0f}"),
    "min_revenue": _Fact("outcome_revenue", "revenue", "revenue of at least {:,.0f}"),
    "min_tenure_months": _Fact("outcome_tenure_months", "revenue", "paying for at least {:g} months"),
    "min_expansion": _Fact("outcome_expansion", "revenue", "revenue grown to at least ×{:g}"),
    "not_churned": _Fact("outcome_is_churned", "revenue", "not churned"),
    "repeat": _Fact("outcome_has_repeated", "opportunities", "bought again"),
    "min_nps": _Fact("outcome_nps", "surveys", "NPS answers of at least {:g} on average"),
    "min_cs_rating": _Fact("outcome_cs_rating", "surveys", "rated at least {:g} by those who serve it"),
    "min_csat": _Fact("outcome_csat", "surveys", "CSAT answers of at least {:g} on average"),
}
RULES = tuple(_FACTS)


@dataclass(frozen=True)
class Requirement:
    """One thing a good customer must have shown within the horizon; `threshold` is unused by yes/no rules.

    `weight` is what it counts for where a customer need not have shown everything.
    """

    rule: str
    threshold: float = 0.0
    weight: float = 1.0

    @property
    def column(self) -> str:
        return _FACTS[self.rule].column

    @property
    def family(self) -> str:
        """The canonical table the fact is made from."""
        return _FACTS[self.rule].family

    @property
    def words(self) -> str:
        return _FACTS[self.rule].words.format(self.threshold)

    def known(self, frame: pd.DataFrame) -> Mask:
        """Rows whose fact is known."""
        return np.isfinite(self._fact(frame))

    def met(self, frame: pd.DataFrame) -> Mask:
        """Rows that are known to fulfil it."""
        fact = self._fact(frame)
        if self.rule == "not_churned":
            return np.asarray(fact == 0.0)
        return np.asarray(fact >= (1.0 if self.rule == "repeat" else self.threshold))

    def _fact(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        if self.column not in frame:
            return np.full(len(frame), np.nan)
        return pd.to_numeric(frame[self.column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


@dataclass(frozen=True)
class LeftOut:
    """Outcomes that are not in the label frame, and why."""

    what: str
    rows: int
    reason: str


@dataclass(frozen=True)
class Labelled:
    """The frame with `is_won` meaning "a good customer", and what could not be labelled yet.

    `young` are the won deals whose horizon is not over, with what is known of them so far.
    """

    frame: pd.DataFrame
    left_out: tuple[LeftOut, ...] = ()
    young: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)


def figure(value: float) -> str:
    """A fact for a reader: money in whole units, small numbers as they are."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def requirements(sections: Iterable[Mapping[str, float | bool]]) -> tuple[Requirement, ...]:
    """The rules of `label.require`, in the order they are written."""
    return tuple(
        Requirement(rule, float(value), float(section.get("weight", 1.0)))
        for section in sections
        for rule, value in section.items()
        if rule != "weight"
    )


def weight_met(frame: pd.DataFrame, rules: Collection[Requirement]) -> NDArray[np.float64]:
    """The weight of the rules each row is known to meet."""
    return np.asarray(sum((rule.weight * rule.met(frame) for rule in rules), np.zeros(len(frame))))


def is_good(frame: pd.DataFrame, rules: Collection[Requirement], at_least: float | None) -> Mask:
    """Rows that meet enough: rules of this weight together, or every rule where none is given."""
    if at_least is None:
        return np.asarray(np.all([rule.met(frame) for rule in rules], axis=0))
    return np.asarray(weight_met(frame, rules) >= at_least - TOLERANCE)


def require_families(rules: Iterable[Requirement], landed: Collection[str]) -> None:
    """Refuse a rule whose facts nothing landed could tell.

    Raises:
        ConfigError: a table the rules need has not landed.
    """
    for rule in rules:
        if rule.family not in landed:
            raise ConfigError(
                f"label.require asks for {rule.rule}, which is known from `{rule.family}`, and no {rule.family} have "
                f"landed. Map `{rule.family}` in icp.yml and run `icp ingest`, or take {rule.rule} out of the label."
            )


def apply_label(
    frame: pd.DataFrame, rules: Collection[Requirement], at_least: float | None = None, vouched: Mask | None = None
) -> Labelled:
    """Turn deals won and lost into good customers and the rest; without rules the frame stays as it is.

    A won deal that meets every rule, or rules of the weight `at_least`, is won; any other is lost, as is a lost deal.
    Left out are deals whose horizon is not over, the lost ones too: they would make young quarters look worse than old
    ones. So are won deals a fact is not known of, also where the other facts decide: otherwise only the bad half of them
    (with `at_least` also the good) would stay.

    Args:
        frame: label and score rows; score rows pass unchanged.
        rules: what a good customer must have shown.
        at_least: the weight of rules it takes; None for all of them.
        vouched: rows a person has judged, which no unknown fact leaves out.

    Raises:
        NotEnoughEvidence: no deal is old enough.
        ConfigError: a fact is known of no won deal at all.
    """
    if not rules:
        return Labelled(frame)
    is_label = (frame["role"] == "label").to_numpy()
    won = is_label & is_true(frame["is_won"])
    mature = is_label & is_true(frame[MATURE])
    _require_facts(frame[won & mature], rules)
    unknown = won & mature & ~np.all([rule.known(frame) for rule in rules], axis=0)
    if vouched is not None:
        unknown &= ~vouched
    kept = ~is_label | (mature & ~unknown)
    good = won & is_good(frame, rules, at_least)
    labelled = frame[kept].reset_index(drop=True)
    now, before = good[kept], won[kept]
    outcome = is_label[kept]
    labelled["is_won"] = pd.Series(np.where(outcome, now, None), dtype=object)
    labelled[DEAL_WON] = pd.Series(np.where(outcome, before, None), dtype=object)
    if "outcome_value" in labelled:
        labelled["outcome_value"] = labelled["outcome_value"].where(~outcome | now)
    young = frame[won & ~mature].reset_index(drop=True)
    return Labelled(labelled, _left_out(is_label & ~mature, won, unknown), young)


@dataclass(frozen=True)
class Judgement:
    """Which outcomes another label counts as won, and of which rows it can tell; the `reason` says why of none."""

    won: Mask
    known: Mask
    reason: str = ""


def judge_by(frame: pd.DataFrame, rule: LabelRule, present: LabelRule) -> Judgement:
    """The outcomes of these label rows had they been counted by another label.

    Args:
        frame: label rows made under the `present` label, with their facts.
        rule: the other label.
        present: what the rows were made under.
    """
    deals = is_true(frame[DEAL_WON] if DEAL_WON in frame else frame["is_won"])
    everything, nothing = np.ones(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    if "best_customer" in (rule.kind, present.kind):
        return Judgement(nothing, nothing, "best customers are counted by account and horizon, deals one by one")
    if rule.version:
        return Judgement(
            nothing, nothing, "some of its customers were judged by hand, and that is not kept with the data"
        )
    if rule.kind == "won":
        return Judgement(deals, everything)
    if MATURE not in frame:
        return Judgement(nothing, nothing, "nothing is known of what became of the won deals")
    if rule.horizon != present.horizon:
        reason = f"it judged customers after {rule.horizon} quarters, the data say what became of them after {present.horizon}"
        return Judgement(nothing, nothing, reason)
    rules = [Requirement(name, level, rule.weights.get(name, 1.0)) for name, level in sorted(rule.rules.items())]
    known = is_true(frame[MATURE]) & (~deals | np.all([each.known(frame) for each in rules], axis=0))
    return Judgement(deals & is_good(frame, rules, rule.at_least), known)


def is_true(column: pd.Series) -> Mask:
    """True where the value is true, not where it is false or not known."""
    return column.astype(object).map(lambda value: value is not None and value == True).to_numpy(dtype=bool)  # noqa: E712


def _require_facts(won: pd.DataFrame, rules: Collection[Requirement]) -> None:
    if won.empty:
        raise NotEnoughEvidence(
            "No won deal is old enough to say whether it brought a good customer: wait, or shorten label.horizon_quarters."
        )
    for rule in rules:
        if not rule.known(won).any():
            raise ConfigError(
                f"label.require asks for {rule.rule}, but of none of the {len(won)} won deals that are old enough is "
                f"`{rule.column}` known. Map what it is made from in `{rule.family}`, or take the rule out of the label."
            )


def _left_out(young: Mask, won: Mask, unknown: Mask) -> tuple[LeftOut, ...]:
    found = (
        LeftOut(
            TOO_YOUNG,
            int(young.sum()),
            f"{int((young & won).sum())} won and {int((young & ~won).sum())} lost deals whose horizon is not over. "
            "The lost ones wait as long as the won ones, so that quarters compare.",
        ),
        LeftOut(
            "Won deals with an unknown fact",
            int(unknown.sum()),
            "Not yet known to be good or bad, so counted as neither.",
        ),
    )
    return tuple(f for f in found if f.rows)
