"""Frozen bins: the states in which every attribute is seen, made once per ICP so that quarters compare.

Numeric bins are half-open ranges that cover the whole line (the first has no lower end, the last no upper end), so a
value always falls in exactly one; where a `zero` bin exists, exact zeros are taken out first. `missing` is always a bin
of its own, the last. Cuts never look at outcomes. `icp.scoring` says the same in SQL; a test holds the two together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.errors import ConfigError
from icp.fit import contrast_kernel, identity_kernel, ordered_kernel
from icp.profile import MISSING, NO, OTHER, YES, ZERO, Attribute, Bin, BinDictionary
from icp.stats import Floats

SMALLEST = 1e-300  # closer to 0 the steps themselves vanish
NICE_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
QUANTILE_BINS = 8
MIN_SHARE, MIN_STATED_SHARE = 0.03, 0.01
MIN_LEVEL_SHARE, MIN_MEMBER_SHARE = 0.01, 0.01
MIN_ZERO_SHARE = 0.15
MAX_LEVELS, MAX_MEMBERS = 40, 120
YES_TEXTS = frozenset({"true", "t", "yes", "y", "1", "1.0"})
NO_TEXTS = frozenset({"false", "f", "no", "n", "0", "0.0"})


def make_bins(
    frame: pd.DataFrame, attributes: Sequence[Attribute], made_in: str, min_share: float = MIN_SHARE
) -> BinDictionary:
    """Decide once in which states every candidate is seen; a set column becomes one yes/no candidate per common member.

    Args:
        frame: the label rows (their order does not matter); a declared column that is absent counts as all missing.
        attributes: what the feature contract and icp.yml declare.
        made_in: the quarter, kept as the dictionary's version.
        min_share: smallest share of rows a quantile bin may hold.
    """
    candidates = tuple(c for a in attributes for c in _candidates(frame, a))
    names = [c.name for c in candidates]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ConfigError(f"Attribute {', '.join(twice)} is declared twice; give each attribute its own name.")
    return BinDictionary(made_in, candidates, {c.name: _bins_of(frame, c, min_share) for c in candidates})


def encode(frame: pd.DataFrame, dictionary: BinDictionary) -> pd.DataFrame:
    """The bin number of every row for every candidate (columns named as the candidates, int8).

    A level never seen before goes to `other`; no value, a NaN or an unreadable number goes to `missing`.
    """
    cache: dict[str, _SetColumn] = {}
    columns = {}
    for attribute in (a for a in dictionary.attributes if not a.conditions):
        values = _column(frame, attribute.column)
        bins = dictionary.bins[attribute.name]
        if attribute.member:
            if attribute.column not in cache:
                cache[attribute.column] = _SetColumn(values)
            columns[attribute.name] = cache[attribute.column].codes(attribute.member)
        else:
            columns[attribute.name] = _encode_column(values, attribute, bins)
    return with_segment_codes(pd.DataFrame(columns, index=frame.index, dtype=np.int8), dictionary)


def with_segment_codes(codes: pd.DataFrame, dictionary: BinDictionary) -> pd.DataFrame:
    """The codes with those of the dictionary's segments, which follow from the other attributes'."""
    segments = {a.name: _segment_codes(codes, a, dictionary) for a in dictionary.attributes if a.conditions}
    return codes.assign(**segments)[[a.name for a in dictionary.attributes]] if segments else codes


def _segment_codes(codes: pd.DataFrame, segment: Attribute, dictionary: BinDictionary) -> NDArray[np.int8]:
    """0 when some condition fails, 1 when all hold, 2 when none fails and some is not known."""
    state = np.ones(len(codes), dtype=np.int8)
    for condition in segment.conditions:
        keys = [b.key for b in dictionary.bins[condition.attribute]]
        own = codes[condition.attribute].to_numpy()
        holds, unknown = np.isin(own, [keys.index(k) for k in condition.keys]), own == keys.index(MISSING)
        state = np.where(~holds & ~unknown, 0, np.where(unknown & (state > 0), 2, state))
    return state.astype(np.int8)


def segment_bins() -> tuple[Bin, ...]:
    """The states of a segment."""
    return Bin(NO, "no"), Bin(YES, "yes"), Bin(MISSING, "unknown")


def is_ordered(attribute: Attribute) -> bool:
    """Whether neighbouring bins resemble each other."""
    return attribute.kind == "numeric"


def is_contrast(attribute: Attribute) -> bool:
    """Whether only yes against no matters and *not known* is the average account: members of sets, and segments."""
    return bool(attribute.member or attribute.conditions)


def kernel(attribute: Attribute, bins: Sequence[Bin], codes: NDArray[np.integer]) -> Floats:
    """Which bins are expected to behave alike: neighbours of an ordered attribute, none of an unordered one."""
    if is_contrast(attribute):
        known = max(int((codes == 0).sum() + (codes == 1).sum()), 1)
        return contrast_kernel(float((codes == 1).sum()) / known, len(bins))
    return ordered_kernel(len(bins)) if is_ordered(attribute) else identity_kernel(len(bins))


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index, dtype=object)


def _candidates(frame: pd.DataFrame, attribute: Attribute) -> list[Attribute]:
    if attribute.kind != "set":
        return [attribute]
    return [_member_attribute(attribute, m) for m in _SetColumn(_column(frame, attribute.name)).common_members()]


def _member_attribute(source: Attribute, member: str) -> Attribute:
    return Attribute(
        name=f"{source.name}={member}",
        kind="flag",
        family=source.family,
        label=f"{source.label}: {member}",
        description=source.description,
        source_column=source.name,
        member=member,
    )


class _SetColumn:
    """A `|`-delimited column, parsed once for all its members."""

    def __init__(self, values: pd.Series) -> None:
        texts = values.astype(object).where(values.notna(), None)
        self.row_codes, uniques = pd.factorize(texts, use_na_sentinel=True)
        self.members = [frozenset(m for m in str(u).split("|") if m) for u in uniques]

    def common_members(self) -> list[str]:
        """Members of at least 1 % of rows (and not of all), most common first."""
        counts: dict[str, int] = {}
        for members, rows in zip(self.members, np.bincount(self.row_codes[self.row_codes >= 0]), strict=False):
            for member in members:
                counts[member] = counts.get(member, 0) + int(rows)
        least = max(1.0, MIN_MEMBER_SHARE * len(self.row_codes))
        ranked = sorted((m for m, c in counts.items() if c >= least), key=lambda m: (-counts[m], m))
        return ranked[:MAX_MEMBERS]

    def codes(self, member: str) -> NDArray[np.int8]:
        """0 no, 1 yes, 2 not known."""
        per_unique = np.array([int(member in m) for m in self.members] + [2], dtype=np.int8)
        return per_unique[self.row_codes]


def _bins_of(frame: pd.DataFrame, attribute: Attribute, min_share: float) -> tuple[Bin, ...]:
    missing = Bin(MISSING, "unknown")
    if attribute.kind == "flag":
        return Bin(NO, "no"), Bin(YES, "yes"), missing
    values = _column(frame, attribute.column)
    if attribute.kind == "numeric":
        return *_numeric_bins(_numbers(values), attribute, min_share), missing
    return *_level_bins(values), missing


def _numbers(values: pd.Series) -> Floats:
    return np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan))


def _numeric_bins(numbers: Floats, attribute: Attribute, min_share: float) -> list[Bin]:
    known = np.sort(numbers[np.isfinite(numbers)])
    zeros = int((known == 0).sum())
    has_zero = bool(attribute.cuts == () or 0.0 not in attribute.cuts) and _has_zero_bin(known, zeros)
    ranged = known[known != 0] if has_zero else known
    stated = sorted({float(c) for c in attribute.cuts})
    floor = MIN_STATED_SHARE if stated else min_share
    cuts = _merge_thin(ranged, stated or _nice_quantiles(ranged), floor * len(numbers))
    whole = bool((known == np.floor(known)).all()) and all(c == math.floor(c) for c in cuts)
    ranges = _ranges(cuts, whole, "$" if attribute.unit.upper() == "USD" else "")
    if not has_zero:
        return ranges
    if whole and cuts:
        ranges[0] = replace(ranges[0], label=_range_label(1.0, cuts[0], True, ""))
    return [Bin(ZERO, "none", 0.0, 0.0), *ranges]


def _has_zero_bin(known: Floats, zeros: int) -> bool:
    """Many exact zeros, something besides, and nothing below."""
    return known.size > zeros >= MIN_ZERO_SHARE * known.size and zeros > 0 and bool(known[0] == 0)


def _nice_quantiles(values: Floats) -> list[float]:
    if values.size == 0:
        return []
    marks = np.quantile(values, np.arange(1, QUANTILE_BINS) / QUANTILE_BINS)
    nice = sorted({nice_number(float(m)) for m in marks})
    return [c for c in nice if values[0] < c <= values[-1]]


def nice_number(value: float) -> float:
    """The round number people would cut at: 1, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten, nearest in ratio.

    >>> nice_number(4721), nice_number(0.0137), nice_number(-95)
    (5000.0, 0.015, -100.0)
    """
    if abs(value) < SMALLEST or not math.isfinite(value):
        return 0.0
    power = math.floor(math.log10(abs(value)))
    options = [_scaled(step, power) for step in NICE_STEPS] + [_scaled(1.0, power + 1)]
    return math.copysign(min(options, key=lambda o: (abs(math.log(o / abs(value))), o)), value)


def _scaled(step: float, power: int) -> float:
    return float(f"{step:g}e{power}")


def _merge_thin(known: Floats, cuts: Sequence[float], least: float) -> list[float]:
    """Drop cuts until every bin holds enough rows: the thinnest bin joins its thinner neighbour."""
    cuts = list(cuts)
    while cuts:
        edges = np.concatenate([[0], np.searchsorted(known, cuts, side="left"), [known.size]])
        counts = np.diff(edges)
        thinnest = int(counts.argmin())
        if counts[thinnest] >= max(least, 1):
            break
        left = counts[thinnest - 1] if thinnest > 0 else math.inf
        right = counts[thinnest + 1] if thinnest < len(cuts) else math.inf
        cuts.pop(thinnest - 1 if left <= right else thinnest)
    return cuts


def _ranges(cuts: Sequence[float], whole: bool, prefix: str) -> list[Bin]:
    edges: list[float | None] = [None, *cuts, None]
    return [
        Bin(f"{_key(lower)}..{_key(upper)}", _range_label(lower, upper, whole, prefix), lower, upper)
        for lower, upper in pairwise(edges)
    ]


def _key(edge: float | None) -> str:
    return "" if edge is None else f"{edge:.10g}"


def _range_label(lower: float | None, upper: float | None, whole: bool, prefix: str) -> str:
    if lower is None and upper is None:
        return "any value"
    if lower is None:
        is_count = whole and not prefix
        return f"up to {_text(_last(upper, whole), prefix)}" if is_count else f"under {_text(upper, prefix)}"
    if upper is None:
        return f"{_text(lower, prefix)} or more"
    if whole and not prefix:
        last = _last(upper, whole)
        return _text(lower, prefix) if last == lower else f"{_text(lower, prefix)}-{_text(last, prefix)}"
    return f"{_text(lower, prefix)} to {_text(upper, prefix)}"


def _last(upper: float | None, whole: bool) -> float:
    return float(upper or 0.0) - (1.0 if whole else 0.0)


def _text(number: float | None, prefix: str) -> str:
    """11, 5,001, 1.5M: as a reader of a list would write it."""
    x = float(number or 0.0)
    for size, suffix in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= size and (prefix or abs(x) >= 1e6) and abs(round(x / size, 2) * size - x) <= 1e-9 * abs(x):
            return f"{prefix}{x / size:g}{suffix}"
    return f"{prefix}{x:,.0f}" if x == math.floor(x) else f"{prefix}{x:,.6g}"


def _texts(values: pd.Series) -> pd.Series:
    """Levels as text, None for no value."""
    known = values.astype(object).where(values.notna(), None)
    if pd.api.types.infer_dtype(known, skipna=True) == "string":
        return known
    return known.map(lambda v: None if v is None else str(v))


def _level_bins(values: pd.Series) -> list[Bin]:
    counts = _texts(values).dropna().value_counts()
    least = max(1.0, MIN_LEVEL_SHARE * len(values))
    common = [str(level) for level, n in counts.items() if n >= least and _is_nameable(str(level))]
    order = sorted(common, key=lambda level: (-int(counts[level]), level))[:MAX_LEVELS]
    keyed = [Bin(f"={lv}" if lv == MISSING else lv, lv, levels=(lv,)) for lv in order]
    return [*keyed, Bin(OTHER, "any other")]


def _is_nameable(level: str) -> bool:
    """A level that means nothing by itself ("", "Other") joins the rare ones."""
    return level.strip().lower() not in ("", OTHER)


def _encode_column(values: pd.Series, attribute: Attribute, bins: Sequence[Bin]) -> NDArray[np.int8]:
    if attribute.kind == "numeric":
        return _encode_numbers(_numbers(values), bins)
    if attribute.kind == "flag":
        return _look_up(values, {**dict.fromkeys(NO_TEXTS, 0), **dict.fromkeys(YES_TEXTS, 1)}, 2, 2, lower=True)
    places = {level: i for i, b in enumerate(bins) for level in b.levels}
    other = next((i for i, b in enumerate(bins) if b.key == OTHER), len(bins) - 1)
    return _look_up(values, places, other, len(bins) - 1)


def _encode_numbers(numbers: Floats, bins: Sequence[Bin]) -> NDArray[np.int8]:
    ranges = [b for b in bins if b.key not in (ZERO, MISSING)]
    first = len(bins) - 1 - len(ranges)
    cuts = np.array([b.lower for b in ranges[1:]], dtype=float)
    codes = first + np.searchsorted(cuts, numbers, side="right")
    if first:
        codes = np.where(numbers == 0, 0, codes)
    return np.where(np.isnan(numbers), len(bins) - 1, codes).astype(np.int8)


def _look_up(
    values: pd.Series, places: dict[str, int], unseen: int, missing: int, *, lower: bool = False
) -> NDArray[np.int8]:
    rows, uniques = pd.factorize(_texts(values), use_na_sentinel=True)
    keys: Iterable[str] = (str(u).lower() if lower else str(u) for u in uniques)
    per_unique = np.array([places.get(k, unseen) for k in keys] + [missing], dtype=np.int8)
    return per_unique[rows]
