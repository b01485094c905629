"""Beliefs on the frozen bins: the mean of the prior of each attribute's effects.

On the bins a hypothesis becomes log odds against the average account, 0 for "not known", of which it says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from icp.hypotheses import FLAG_NO, Hypothesis, Range, range_text
from icp.profile import MISSING, NO, YES, Attribute, Bin, BinDictionary
from icp.stats import Floats


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
    return NO if value.casefold() in FLAG_NO else YES


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
