"""What people believe about their ICP before outcomes can say: stated hypotheses, turned into prior means on the bins.

A hypothesis names an attribute, which of its values or which end of its scale wins more, and how strongly. On the
frozen bins it becomes log odds against the average account, the mean of the prior of that attribute's effects.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from icp.profile import MISSING, NO, YES, Attribute, Bin, BinDictionary
from icp.stats import Floats

Direction = Literal["in", "out", "higher", "lower"]
Strength = Literal["weak", "medium", "strong"]

# How many times the odds of the named values are those of the others (of the highest bin, those of the lowest).
STRENGTH_ODDS: Mapping[Strength, float] = {"weak": 1.5, "medium": 2.0, "strong": 3.0}

Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Hypothesis:
    """One stated belief: `values` for categories, flags and sets, `bins` (ranges, both ends included) for numbers.

    "in" and "out" say that the named values win more or less often than the others, "higher" and "lower" which end of
    a numeric scale wins. `line` is where it stands in hypotheses.yml.
    """

    attribute: str
    direction: Direction
    strength: Strength
    values: tuple[str, ...] = ()
    bins: tuple[Range, ...] = ()
    source: str = ""
    author: str = ""
    date: str = ""
    note: str = ""
    line: int = 0

    @property
    def odds(self) -> float:
        """The odds multiplier believed in, below 1 for "out" and "lower"."""
        odds = STRENGTH_ODDS[self.strength]
        return odds if self.direction in ("in", "higher") else 1 / odds


@dataclass(frozen=True)
class Placement:
    """Where a hypothesis lies on one attribute's bins: 1 where the belief holds in full, 0 where not at all, NaN for
    "not known", of which it says nothing."""

    attribute: str
    position: Floats

    def contrast(self, shares: Floats) -> Floats:
        """Weights c of the bins so that c'effect is the log odds of position 1 against position 0.

        The least-squares slope of the effects on the position, bins weighted by their share; for a set of named values
        that is their mean less the mean of the others. All 0 when the rows lie on one side only.
        """
        weights = np.where(np.isnan(self.position), 0.0, shares)
        position = np.nan_to_num(self.position)
        total = float(weights.sum())
        centred = weights * (position - float(weights @ position) / total) if total > 0 else weights
        spread = float(centred @ position)
        return centred / spread if spread > 1e-12 else np.zeros_like(centred)


def place(hypothesis: Hypothesis, dictionary: BinDictionary) -> tuple[tuple[Placement, ...], tuple[str, ...]]:
    """Find a hypothesis on the frozen bins: its placements (one per set member), and what it names that has no bin."""
    own = [a for a in dictionary.attributes if hypothesis.attribute in (a.name, a.column)]
    if not own:
        return (), (hypothesis.attribute,)
    if own[0].member:
        return _place_members(hypothesis, own, dictionary)
    bins = dictionary.bins[own[0].name]
    if hypothesis.direction in ("higher", "lower"):
        return (Placement(own[0].name, _scale(bins)),), ()
    if own[0].kind == "numeric":
        return _place_ranges(hypothesis, own[0], bins)
    return _place_values(hypothesis, own[0], bins)


def _place_members(
    hypothesis: Hypothesis, own: Sequence[Attribute], dictionary: BinDictionary
) -> tuple[tuple[Placement, ...], tuple[str, ...]]:
    members = {a.member.casefold(): a.name for a in own}
    wanted = hypothesis.values or tuple(a.member for a in own if a.name == hypothesis.attribute)
    found = [members[v.casefold()] for v in wanted if v.casefold() in members]
    absent = tuple(v for v in wanted if v.casefold() not in members)
    return tuple(Placement(name, _marked(dictionary.bins[name], {YES})) for name in found), absent


def _place_values(
    hypothesis: Hypothesis, attribute: Attribute, bins: Sequence[Bin]
) -> tuple[tuple[Placement, ...], tuple[str, ...]]:
    if attribute.kind == "flag":
        return (Placement(attribute.name, _marked(bins, {_flag(v) for v in hypothesis.values or ("yes",)})),), ()
    keys = {level.casefold(): b.key for b in bins for level in b.levels}
    found = {keys[v.casefold()] for v in hypothesis.values if v.casefold() in keys}
    absent = tuple(v for v in hypothesis.values if v.casefold() not in keys)
    return ((Placement(attribute.name, _marked(bins, found)),) if found else ()), absent


def _place_ranges(
    hypothesis: Hypothesis, attribute: Attribute, bins: Sequence[Bin]
) -> tuple[tuple[Placement, ...], tuple[str, ...]]:
    found = {b.key for b in bins if b.key != MISSING and any(_is_within(b, r) for r in hypothesis.bins)}
    absent = tuple(range_text(r) for r in hypothesis.bins if not any(_is_within(b, r) for b in bins))
    return ((Placement(attribute.name, _marked(bins, found)),) if found else ()), absent


def range_text(ends: Range) -> str:
    """A range as people write it: 51-500, up to 10, 1,001 or more."""
    low, high = ends
    if low is None:
        return f"up to {high:,.10g}"
    return f"{low:,.10g} or more" if high is None else f"{low:,.10g}-{high:,.10g}"


def _is_within(state: Bin, ends: Range) -> bool:
    """Whether the middle of a bin lies in the range; an open bin is taken at its one end, the lowest half-way to 0."""
    if state.key == MISSING or (state.lower is None and state.upper is None):
        return False
    low, high = -math.inf if ends[0] is None else ends[0], math.inf if ends[1] is None else ends[1]
    upper = state.lower if state.upper is None else state.upper
    lower = min(0.0, 2 * (upper or 0.0)) if state.lower is None else state.lower
    return low <= (lower + (upper or 0.0)) / 2 <= high


def _scale(bins: Sequence[Bin]) -> Floats:
    """Evenly from 0 at the lowest known bin to 1 at the highest."""
    known = sum(b.key != MISSING for b in bins)
    steps = np.arange(known) / max(known - 1, 1)
    return np.concatenate([steps, np.full(len(bins) - known, np.nan)])


def _marked(bins: Sequence[Bin], keys: Iterable[str]) -> Floats:
    wanted = set(keys)
    return np.array([np.nan if b.key == MISSING else float(b.key in wanted) for b in bins])


def _flag(value: str) -> str:
    return NO if value.casefold() in ("no", "false", "0", "n") else YES


def prior_means(
    hypotheses: Iterable[Hypothesis], dictionary: BinDictionary, shares: Mapping[str, Floats]
) -> dict[str, Floats]:
    """The believed effect of every bin: log odds against the average account, 0 for "not known".

    Several hypotheses about one attribute add up.

    Args:
        hypotheses: what is believed.
        dictionary: the frozen bins.
        shares: the share of accounts per bin and attribute, which says what "average" is.
    """
    means: dict[str, Floats] = {}
    for hypothesis in hypotheses:
        for placement in place(hypothesis, dictionary)[0]:
            raw = math.log(hypothesis.odds) * placement.position
            believed = _centred(raw, shares[placement.attribute])
            means[placement.attribute] = means.get(placement.attribute, np.zeros_like(believed)) + believed
    return means


def _centred(raw: Floats, shares: Floats) -> Floats:
    known = ~np.isnan(raw)
    weights = np.where(known, shares, 0.0)
    if weights.sum() <= 0:
        weights = known.astype(float)
    centre = float(weights @ np.nan_to_num(raw) / weights.sum())
    return np.where(known, np.nan_to_num(raw) - centre, 0.0)


def belief_text(hypothesis: Hypothesis) -> str:
    """What is believed, in a few words: "51-500: more often", "higher is better"."""
    if hypothesis.direction in ("higher", "lower"):
        return f"{hypothesis.direction} wins more often"
    named = [*hypothesis.values, *(range_text(r) for r in hypothesis.bins)] or ["yes"]
    return f"{', '.join(named)} wins {'more' if hypothesis.direction == 'in' else 'less'} often"


def contradictions(hypotheses: Sequence[Hypothesis]) -> list[tuple[Hypothesis, str]]:
    """Entries that say the opposite of an earlier one, or the same again, with why."""
    seen: dict[tuple[str, object], Hypothesis] = {}
    found = []
    for hypothesis in hypotheses:
        for what in _claims(hypothesis):
            key = (hypothesis.attribute, what)
            earlier = seen.setdefault(key, hypothesis)
            if earlier is not hypothesis:
                kind = "says again what" if earlier.direction == hypothesis.direction else "contradicts"
                found.append((hypothesis, f"{kind} line {earlier.line} says of {hypothesis.attribute} {_said(what)}"))
                break
    return found


def _claims(hypothesis: Hypothesis) -> list[object]:
    if hypothesis.direction in ("higher", "lower"):
        return ["scale"]
    named: list[object] = [v.casefold() for v in hypothesis.values]
    return [*named, *hypothesis.bins] or ["yes"]


def _said(what: object) -> str:
    return "" if what == "scale" else range_text(what) if isinstance(what, tuple) else f"“{what}”"
