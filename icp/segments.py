"""Conjunctions that win more (or less) often than their parts add up to: found on half of the accounts, confirmed on the other.

Additive points cannot say that an industry wins only when the account is also large and uses a certain technology. A
beam search looks for such segments among the accounts of one half; the other half, which the search has not seen,
decides. What holds enters the profile as an attribute of its own: yes, no, or not known.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from icp.bins import is_ordered, segment_bins, with_segment_codes
from icp.evidence import Evidence, fit_axis, shortage
from icp.profile import MISSING, OTHER, Attribute, Bin, BinDictionary, Condition
from icp.stats import Floats, benjamini_hochberg

LEAST_ROWS, LEAST_WINS = 2_000, 200  # fewer cannot show a conjunction (docs/method.md)
MOST_SEARCHED = 20_000
RUN_SHARES = (0.25, 0.5, 0.75)
LEAST_SHARE, LEAST_MEMBERS, MOST_SHARE = 0.03, 40, 0.8
DEPTH_COST = 1.2
CLEAR, PAYS, DEEPER = 2.5, 1.5, 0.7  # sd of a segment's excess, of each literal's contribution, a third one's gain
BEAM, CARRIED, MOST_SEGMENTS = 60, 12, 5
VERIFIED_RATE, LEAST_RATIO = 0.05, 1.15
OVERLAP = 0.35

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Half:
    """Rows of one half: residuals and variances at what its additive fit expects."""

    rows: Mask
    residual: Floats
    variance: Floats
    expected: Floats

    def clarity(self, members: Mask) -> float:
        """How many sd more (or fewer) wins than expected the members have."""
        return float(self.residual[members].sum() / math.sqrt(max(self.variance[members].sum(), 1e-9)))

    def ratio(self, members: Mask) -> float:
        """Observed over expected wins."""
        expected = max(float(self.expected[members].sum()), 1e-9)
        return (expected + float(self.residual[members].sum())) / expected


@dataclass(frozen=True)
class _Found:
    """A conjunction of literals (by number) with its members among the searched rows."""

    literals: tuple[int, ...]
    members: Mask
    clarity: float

    @property
    def rank(self) -> float:
        """How clear for its depth: there are many more conjunctions of three than of two, so chance reaches further."""
        return abs(self.clarity) - DEPTH_COST * (len(self.literals) - 2)


def with_segments(evidence: Evidence, quarter: str) -> Evidence:
    """The evidence with the segments that hold as further candidates; unchanged where there are too few outcomes.

    Args:
        evidence: labelled rows and bins; segments the dictionary already has stay.
        quarter: when they were found, kept with each.
    """
    wins = float(evidence.rows.won.sum())
    if len(evidence.rows) < LEAST_ROWS or min(wins, len(evidence.rows) - wins) < LEAST_WINS:
        return evidence
    names = [a.name for a in evidence.dictionary.attributes if a.axis == "fit" and not shortage(evidence, a)]
    simple = [n for n in names if not evidence.dictionary.attribute(n).conditions]
    literals = [c for name in simple for c in _literals(evidence, name)]
    if len(literals) < 2:
        return evidence
    search, verify = _halves(evidence, names)
    masks = np.array([_members(evidence.rows.codes, evidence.dictionary, c) for c in literals])
    carried = _searched(search, masks[:, search.rows], literals)
    kept = _verified(verify, masks[:, verify.rows], carried)
    segments = [_attribute(evidence.dictionary, [literals[int(i)] for i in found], quarter) for found in kept]
    return _extended(evidence, [s for s in segments if s.name not in evidence.dictionary.bins])


def keeping_segments(evidence: Evidence, names: Collection[str]) -> Evidence:
    """The evidence with these of its segments only; none gives the evidence as it is before a search."""
    dictionary = evidence.dictionary
    kept = tuple(a for a in dictionary.attributes if not a.conditions or a.name in names)
    bins = {a.name: dictionary.bins[a.name] for a in kept}
    rows = replace(evidence.rows, codes=evidence.rows.codes[[a.name for a in kept]])
    return replace(evidence, rows=rows, dictionary=BinDictionary(dictionary.made_in, kept, bins))


def _extended(evidence: Evidence, segments: Sequence[Attribute]) -> Evidence:
    if not segments:
        return evidence
    old = evidence.dictionary
    bins = {**old.bins, **{s.name: segment_bins() for s in segments}}
    dictionary = BinDictionary(old.made_in, (*old.attributes, *segments), bins)
    rows = replace(evidence.rows, codes=with_segment_codes(evidence.rows.codes, dictionary))
    return replace(evidence, rows=rows, dictionary=dictionary)


def _literals(evidence: Evidence, name: str) -> Iterator[Condition]:
    """Single states of an attribute, and runs of neighbours where they have an order; never *not known* or *other*."""
    bins = evidence.dictionary.bins[name]
    attribute = evidence.dictionary.attribute(name)
    keys = [b.key for b in bins if b.key not in (MISSING, OTHER)]
    if attribute.kind == "flag":
        yield Condition(name, ("yes",))
    elif is_ordered(attribute):
        yield from (Condition(name, run) for run in _runs(keys, evidence.counts(name)[: len(keys)]))
    else:
        yield from (Condition(name, (key,)) for key in keys)


def _runs(keys: Sequence[str], counts: Floats) -> Iterator[tuple[str, ...]]:
    """The lower and upper parts of an ordered attribute, and its middle, cut near quarters of the rows.

    Few and large: with every run of bins a literal, the clearest of all conjunctions would be chance.
    """
    below = np.cumsum(counts) / max(counts.sum(), 1.0)
    cuts = sorted({int(np.argmin(np.abs(below[:-1] - share))) + 1 for share in RUN_SHARES}) if len(keys) > 1 else []
    yield from (tuple(keys[:cut]) for cut in cuts)
    yield from (tuple(keys[cut:]) for cut in cuts)
    if len(cuts) > 1:
        yield tuple(keys[cuts[0] : cuts[-1]])


def _members(codes: pd.DataFrame, dictionary: BinDictionary, condition: Condition) -> Mask:
    keys = [b.key for b in dictionary.bins[condition.attribute]]
    return np.isin(codes[condition.attribute].to_numpy(), [keys.index(k) for k in condition.keys])


def _halves(evidence: Evidence, names: Sequence[str]) -> tuple[_Half, _Half]:
    searched = evidence.is_searched
    return _expected(evidence, names, searched), _expected(evidence, names, ~searched)


def _expected(evidence: Evidence, names: Sequence[str], rows: Mask) -> _Half:
    """What the half's own additive fit expects of its rows.

    Its own, not the other half's: an excess that is chance on one half would otherwise be expected on the other.
    """
    if rows.sum() > MOST_SEARCHED:
        rows = rows & (np.cumsum(rows) % -(-int(rows.sum()) // MOST_SEARCHED) == 0)
    half = evidence.where(rows)
    chance = np.clip(expit(fit_axis(half, names).fit.linear_predictor), 1e-6, 1 - 1e-6)
    weights = half.weights
    return _Half(rows, weights * (half.rows.won - chance), weights * chance * (1 - chance), weights * chance)


def _searched(half: _Half, masks: NDArray[np.bool_], literals: Sequence[Condition]) -> list[_Found]:
    """The clearest conjunctions of two and three literals, each paying for itself, that overlap little."""
    least = max(LEAST_MEMBERS, LEAST_SHARE * masks.shape[1])
    shares = masks.sum(axis=1)
    usable = np.flatnonzero((shares >= least) & (shares <= MOST_SHARE * masks.shape[1]))
    dense = masks[usable].astype(np.float32)
    owner = np.array([literals[int(i)].attribute for i in usable])
    pairs = _pairs(half, dense, owner, least)
    beam = _best(half, [(usable[a], usable[b]) for a, b in pairs], masks)
    triples = []
    for found in beam:
        inside = (dense * found.members).astype(np.float32)
        taken = {literals[i].attribute for i in found.literals}
        gains = _clarities(half, inside, least)
        order = np.argsort(-np.abs(gains), kind="stable")[:8]
        least_gain = abs(found.clarity) + DEEPER
        triples += [
            (*found.literals, usable[c]) for c in order if owner[c] not in taken and abs(gains[c]) >= least_gain
        ]
    unique = list(dict.fromkeys(tuple(sorted(int(i) for i in t)) for t in triples))
    return _apart([*beam, *_best(half, unique, masks)])


def _clarities(half: _Half, inside: NDArray[np.float32], least: float) -> Floats:
    excess = inside @ half.residual
    information = inside @ half.variance
    counts = inside.sum(axis=1)
    return np.where(counts >= least, excess / np.sqrt(np.maximum(information, 1e-9)), 0.0)


def _pairs(half: _Half, dense: NDArray[np.float32], owner: NDArray[np.str_], least: float) -> list[tuple[int, int]]:
    """Pairs of literals of different attributes, the clearest few of each pair of attributes."""
    excess = (dense * half.residual.astype(np.float32)) @ dense.T
    information = (dense * half.variance.astype(np.float32)) @ dense.T
    counts = dense @ dense.T
    clarity = np.abs(excess) / np.sqrt(np.maximum(information, 1e-9))
    clarity[(counts < least) | (owner[:, None] >= owner[None, :]) | (clarity < CLEAR)] = 0
    order = np.argsort(-clarity, axis=None, kind="stable")[: 20 * BEAM]
    seen: dict[tuple[str, str], int] = {}
    pairs = []
    for place in order:
        a, b = divmod(int(place), len(owner))
        key = (str(owner[a]), str(owner[b]))
        if clarity[a, b] > 0 and seen.get(key, 0) < 3:
            seen[key] = seen.get(key, 0) + 1
            pairs.append((a, b))
    return pairs[: 2 * BEAM]


def _best(half: _Half, candidates: Sequence[tuple[int, ...]], masks: NDArray[np.bool_]) -> list[_Found]:
    """Those of which every literal pays for itself, clearest first."""
    found = []
    for literals in candidates:
        members = np.logical_and.reduce(masks[list(literals)])
        clarity = half.clarity(members)
        if abs(clarity) >= CLEAR and all(_pays(half, literals, i, members, masks) for i in literals):
            found.append(_Found(tuple(int(i) for i in literals), members, clarity))
    return sorted(found, key=lambda f: (-abs(f.clarity), f.literals))[:BEAM]


def _pays(half: _Half, literals: Sequence[int], one: int, members: Mask, masks: NDArray[np.bool_]) -> bool:
    """Whether the rows this literal leaves out are really different from those it keeps."""
    others = np.logical_and.reduce(masks[[i for i in literals if i != one]])
    outside = others & ~members
    inner, outer = (max(float(half.variance[rows].sum()), 1e-9) for rows in (members, outside))
    gap = half.residual[members].sum() / inner - half.residual[outside].sum() / outer
    return float(gap * np.sign(half.residual[members].sum()) / math.sqrt(1 / inner + 1 / outer)) >= PAYS


def _apart(found: Sequence[_Found]) -> list[_Found]:
    chosen: list[_Found] = []
    for one in sorted(found, key=lambda f: (-f.rank, f.literals)):
        if len(chosen) < CARRIED and all(_jaccard(one.members, other.members) < OVERLAP for other in chosen):
            chosen.append(one)
    return chosen


def _jaccard(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def _verified(half: _Half, masks: NDArray[np.bool_], carried: Sequence[_Found]) -> list[tuple[int, ...]]:
    """Those that are as good on accounts the search has not seen, in the same direction and by enough to matter."""
    if not carried:
        return []
    members = [np.logical_and.reduce(masks[list(found.literals)]) for found in carried]
    p_values = [
        float(ndtr(-half.clarity(rows) * np.sign(found.clarity))) for rows, found in zip(members, carried, strict=True)
    ]
    q_values = benjamini_hochberg(p_values)
    ratios = [half.ratio(rows) for rows in members]
    holds = [
        q <= VERIFIED_RATE and (ratio >= LEAST_RATIO if found.clarity > 0 else ratio <= 1 / LEAST_RATIO)
        for q, ratio, found in zip(q_values, ratios, carried, strict=True)
    ]
    return [found.literals for found, held in zip(carried, holds, strict=True) if held][:MOST_SEGMENTS]


def _attribute(dictionary: BinDictionary, conditions: Sequence[Condition], quarter: str) -> Attribute:
    ordered = tuple(sorted(conditions, key=lambda c: c.attribute))
    name = "segment " + " & ".join(f"{c.attribute}={'|'.join(c.keys)}" for c in ordered)
    label = " × ".join(_words(dictionary, c) for c in ordered)
    return Attribute(name, "segment", "firmographic", label, conditions=ordered, found_in=quarter)


def _words(dictionary: BinDictionary, condition: Condition) -> str:
    attribute = dictionary.attribute(condition.attribute)
    if attribute.kind == "flag":
        return attribute.label
    bins = [b for b in dictionary.bins[condition.attribute] if b.key in condition.keys]
    return f"{attribute.label} {_range(bins) if len(bins) > 1 else bins[0].label}"


def _range(bins: Sequence[Bin]) -> str:
    """Neighbouring bins as one: "51 to 200" and "201 to 500" are "51 to 500"."""
    low, high = bins[0].label.split(" to ")[0], bins[-1].label.split(" to ")[-1]
    if bins[0].lower is None:
        return f"up to {high}"
    return f"{low} or more" if bins[-1].upper is None else f"{low} to {high}"
