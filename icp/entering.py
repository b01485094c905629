"""Segments that enter: an industry or a technology hardly seen before that is common among the newest outcomes.

The frozen bins have no place for such a level (it counts as `other`, or is no candidate at all), so it is looked for in
the values themselves. Whether it also wins more or less than its place so far says is `icp.change_test`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from icp.change_model import ChangeBlock
from icp.profile import MISSING, OTHER, Attribute, Bin, BinDictionary
from icp.stats import Floats
from icp.verdicts import EnteringSegment

MIN_SHARE_NOW, MIN_ROWS_NOW = 0.03, 15
MAX_SHARE_BEFORE, MAX_SHARE_IN_A_PERIOD = 0.01, 0.015
MIN_KNOWN_BEFORE = 50

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class EnteringLevel:
    """A level of a category, or a member of a set, that came into view in the newest period.

    `members` marks its rows; shares are of the rows for which the attribute is known.
    """

    attribute: str
    label: str
    level: str
    members: Flags
    share_before: float
    share_now: float

    @property
    def name(self) -> str:
        """The level as no attribute is called."""
        return f"{self.attribute}={self.level} (entering)"

    def block(self, rows_of_newest: Flags) -> ChangeBlock:
        """The level as a possible change of the newest period."""
        return ChangeBlock(self.name, np.where(self.members & rows_of_newest, 0, -1), np.eye(1), is_entering=True)


def find_entering(frame: pd.DataFrame, dictionary: BinDictionary, periods: NDArray[np.int64]) -> list[EnteringLevel]:
    """Levels with at least 3 % of the newest outcomes that never had more than a trace before.

    A column that was hardly filled before brings no news: then all of its levels would be new.

    Args:
        frame: the label rows with their values.
        dictionary: the frozen bins.
        periods: 0 … T-1 per row; the last is the newest.
    """
    found: list[EnteringLevel] = []
    for attribute in _sources(dictionary):
        if attribute.column in frame:
            known = frame[attribute.column].notna().to_numpy(dtype=bool)
            found += _entering(attribute, known, dict(_levels(attribute, frame)), periods)
    return sorted(found, key=lambda level: (-level.share_now, level.name))


def extend_bins(dictionary: BinDictionary, entering: Sequence[EnteringSegment], made_in: str) -> BinDictionary:
    """The frozen bins with a place for the segments that entered; every other bin stays what it was.

    An explicit act, for the refit that follows a confirmed change: `made_in` becomes the dictionary's new version.
    """
    for segment in entering:
        dictionary = _with_segment(dictionary, segment)
    return replace(dictionary, made_in=made_in) if entering else dictionary


def _with_segment(dictionary: BinDictionary, segment: EnteringSegment) -> BinDictionary:
    state = Bin(segment.level, segment.level, levels=(segment.level,))
    if segment.attribute in dictionary.bins:
        own = dictionary.bins[segment.attribute]
        held = [b for b in own if b.key not in (OTHER, MISSING)]
        bins = (*held, state, *(b for b in own if b.key in (OTHER, MISSING)))
        return replace(dictionary, bins={**dictionary.bins, segment.attribute: bins})
    sibling = next(a for a in dictionary.attributes if a.source_column == segment.attribute)
    name = f"{segment.attribute}={segment.level}"
    member = replace(sibling, name=name, label=f"{segment.label}: {segment.level}", member=segment.level)
    if name in dictionary.bins:
        return dictionary
    return replace(
        dictionary,
        attributes=(*dictionary.attributes, member),
        bins={**dictionary.bins, name: dictionary.bins[sibling.name]},
    )


def with_average_bin(kernel: Floats, counts: ArrayLike) -> Floats:
    """A kernel with one more bin whose effect is the average of the others, weighted by their counts.

    For rows about which an attribute says nothing yet: leaving them out instead would set all the others against them.
    """
    weights = np.asarray(counts, dtype=float)
    to_bins = np.vstack([np.eye(len(weights)), weights / max(weights.sum(), 1.0)])
    return np.asarray(to_bins @ kernel @ to_bins.T)


def _sources(dictionary: BinDictionary) -> list[Attribute]:
    """Category attributes, and one member per set column to stand for the column."""
    by_column = {a.column: a for a in reversed(dictionary.attributes) if a.kind == "category" or a.member}
    return [by_column[column] for column in sorted(by_column)]


def _levels(attribute: Attribute, frame: pd.DataFrame) -> Iterator[tuple[str, Flags]]:
    values = frame[attribute.column].astype(object).where(frame[attribute.column].notna(), None)
    rows, uniques = pd.factorize(values, use_na_sentinel=True)
    held = [set(str(u).split("|")) if attribute.member else {str(u)} for u in uniques]
    for level in sorted(set().union(*held)):
        if level.strip().lower() not in ("", OTHER):
            yield level, np.array([level in h for h in held] + [False])[rows]


def _entering(
    attribute: Attribute, known: Flags, levels: dict[str, Flags], periods: NDArray[np.int64]
) -> Iterator[EnteringLevel]:
    newest = int(periods.max(initial=0))
    total = np.bincount(periods[known], minlength=newest + 1).astype(float)
    if total[:newest].sum() < MIN_KNOWN_BEFORE:
        return
    for level, members in levels.items():
        count = np.bincount(periods[members], minlength=newest + 1)
        share = count / np.maximum(total, 1)
        before = float(count[:newest].sum() / total[:newest].sum())
        is_common = share[newest] >= MIN_SHARE_NOW and count[newest] >= MIN_ROWS_NOW
        if is_common and before < MAX_SHARE_BEFORE and float(share[:newest].max()) < MAX_SHARE_IN_A_PERIOD:
            yield _level(attribute, level, members, before, float(share[newest]))


def _level(attribute: Attribute, level: str, members: Flags, before: float, now: float) -> EnteringLevel:
    column = attribute.column
    label = attribute.label.removesuffix(f": {attribute.member}") if attribute.member else attribute.label
    return EnteringLevel(column, label, level, members, before, now)
