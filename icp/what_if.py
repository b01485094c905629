"""What if an account had to meet these criteria and not those: every combination of the shown criteria, counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.bins import encode
from icp.profile import MISSING, BinDictionary, Criterion, Estimate, Profile
from icp.stats import independent_share, wilson_interval

MOST_CRITERIA = 8  # 256 combinations: as many as a page carries and a person tries

Patterns = NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """One criterion to ask for. An account meets it in any of the states `keys` (`labels` in words)."""

    attribute: str
    label: str
    keys: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Combination:
    """What asking for some of the criteria together would mean.

    Attributes:
        asked: Which choices, as bits: the first is 1, the second 2, the third 4.
        accounts: Accounts that meet all of them.
        prospects: Those of them that are not customers.
        opportunities: Outcomes of the window at accounts that met all of them when the opportunity opened.
        wins: The won ones of those.
        precision: The share of those outcomes that was won.
        recall: The share of all won outcomes that would have been asked for.
        expected_wins: Wins if every prospect were worked once and won as often as those that were worked; None when no
            outcome met them all.
    """

    asked: int
    accounts: int
    prospects: int
    opportunities: int
    wins: int
    precision: Estimate | None
    recall: Estimate | None
    expected_wins: Estimate | None


@dataclass(frozen=True)
class WhatIf:
    """Every combination of the choices; the one at place `n` asks for the choices whose bits are set in `n`."""

    choices: tuple[Choice, ...]
    combinations: tuple[Combination, ...]


def what_if(profile: Profile, labels: pd.DataFrame, universe: pd.DataFrame) -> WhatIf | None:
    """Count accounts and outcomes for every combination of the headline criteria.

    A criterion is met in the states that win more than average; where none surely does, in the known ones that do not
    win less. Counts are of the same rows as the criteria table, so asking for one criterion gives the sum of its lines
    there, and asking for none the base rate. Intervals are Wilson's, on as many independent outcomes per row as the base
    rate stands on. The criteria were found in these same outcomes: the rates of combinations flatter.

    Args:
        profile: the ICP of the quarter.
        labels: label rows; those outside the profile's window do not count.
        universe: score rows, one per account, with `is_customer` where it is known.

    Returns:
        None where outcomes cannot say how often an account is won, or no criterion is confirmed.
    """
    asked_for = [choice for choice in map(_choice, profile.headline_criteria) if choice.keys][:MOST_CRITERIA]
    if not (asked_for and profile.gives_probability and profile.wins):
        return None
    seen = labels[labels["outcome_quarter"].isin(profile.window)]
    dictionary = _dictionary(profile.bins, [choice.attribute for choice in asked_for])
    met, had = (_patterns(frame, dictionary, asked_for) for frame in (universe, seen))
    is_won = seen["is_won"].astype(float).to_numpy()
    is_prospect = _is_prospect(universe)
    size = 1 << len(asked_for)
    counts = [
        _at_least(np.bincount(of, weights=weights, minlength=size).astype(np.float64), len(asked_for))
        for of, weights in ((met, None), (met, is_prospect), (had, None), (had, is_won))
    ]
    base = profile.base_rate
    counted = independent_share([((base.value, base.low, base.high), profile.opportunities)])
    rows = zip(*(np.rint(count).astype(int).tolist() for count in counts), strict=True)
    wins = int(is_won.sum())
    return WhatIf(tuple(asked_for), tuple(_combination(asked, row, wins, counted) for asked, row in enumerate(rows)))


def _choice(criterion: Criterion) -> Choice:
    wanted = [b for b in criterion.bins if b.stance == "in"]
    if not wanted:
        wanted = [b for b in criterion.bins if b.stance != "out" and b.key != MISSING]
    return Choice(criterion.attribute, criterion.label, tuple(b.key for b in wanted), tuple(b.label for b in wanted))


def _dictionary(bins: BinDictionary, names: list[str]) -> BinDictionary:
    """The part of the dictionary these attributes are read with, the conditions of segments included."""
    needed = set(names) | {c.attribute for name in names for c in bins.attribute(name).conditions}
    attributes = tuple(a for a in bins.attributes if a.name in needed)
    return BinDictionary(bins.made_in, attributes, {a.name: bins.bins[a.name] for a in attributes})


def _patterns(frame: pd.DataFrame, dictionary: BinDictionary, choices: list[Choice]) -> Patterns:
    """Per row the choices it meets, as bits."""
    codes = encode(frame, dictionary)
    found = np.zeros(len(frame), dtype=np.int64)
    for place, choice in enumerate(choices):
        wanted = [n for n, b in enumerate(dictionary.bins[choice.attribute]) if b.key in choice.keys]
        found |= np.isin(codes[choice.attribute].to_numpy(), wanted).astype(np.int64) << place
    return found


def _is_prospect(universe: pd.DataFrame) -> NDArray[np.float64]:
    if "is_customer" not in universe:
        return np.ones(len(universe))
    return (~universe["is_customer"].astype("boolean").fillna(False).to_numpy(dtype=bool)).astype(np.float64)


def _at_least(exact: NDArray[np.float64], choices: int) -> NDArray[np.float64]:
    """From how many rows meet exactly these choices to how many meet at least these.

    >>> _at_least(np.array([1.0, 2.0, 3.0, 4.0]), 2).tolist()
    [10.0, 6.0, 7.0, 4.0]
    """
    cube = exact.astype(float).reshape((2,) * choices)
    for axis in range(choices):
        cube = np.flip(np.cumsum(np.flip(cube, axis), axis), axis)
    return cube.reshape(-1)


def _combination(asked: int, counts: tuple[int, ...], all_wins: int, counted: float) -> Combination:
    accounts, prospects, opportunities, wins = counts
    precision = recall = expected = None
    if all_wins:
        recall = Estimate(*wilson_interval(wins * counted, all_wins * counted))
    if opportunities:
        precision = Estimate(*wilson_interval(wins * counted, opportunities * counted))
        expected = Estimate(prospects * precision.value, prospects * precision.low, prospects * precision.high)
    return Combination(asked, accounts, prospects, opportunities, wins, precision, recall, expected)
