"""Why the winners' shares moved, in parts that add up exactly: who was worked, who wins, what is known, the label.

The share of a bin among the winners is m r / sum(m r): m its share of the opportunities worked, r its win rate. Between
two windows four things move it, five when the label changed, and each may be taken from either window on its own:

- mix: how the opportunities with a known value split over the bins;
- coverage: how many have no known value, and how often those win;
- effect: the odds of winning of each known bin against the others;
- level: by how much all odds moved alike, a Mantel-Haenszel odds ratio over the bins. A better quarter is no change of
  who wins, yet it moves shares a little, since high win rates have less room to grow;
- label: which outcomes count as won.

A part is the Shapley value of its factor: what moving it changes, averaged over all orders in which the factors could
move (Shapley 1953; for two factors the midpoint formula of Kitagawa 1955). No order is preferred and nothing is left over.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from math import factorial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from icp.stats import Floats, normal_quantile
from icp.verdicts import PartName

MIX, COVERAGE, EFFECT, LEVEL, LABEL = range(5)
PARTS: tuple[PartName, ...] = ("mix", "coverage", "effect", "level", "label")
STATES = 4  # won under the old rule, won under the present one: 00, 01, 10, 11
PSEUDO_ROWS = (
    2.0  # per bin and window, for the variance only: a bin without a win has a win rate that is not known exactly
)
STEP = 1e-3
DECIMALS = 12  # what is left of nothing after rounding errors is nothing, on every machine

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Opportunities of both windows: the bin of each, its window (0 before, 1 now), its outcomes, its account."""

    codes: Codes
    is_new: Codes
    won_before: Codes
    won_now: Codes
    groups: Codes

    @property
    def has_two_labels(self) -> bool:
        """Whether the outcome of some row differs between the two rules."""
        return bool((self.won_before != self.won_now).any())


@dataclass(frozen=True)
class Shift:
    """Shares of the winners per bin before and now, the parts (part x bin) that lead from one to the other, with errors.

    `total` is now less before, which the parts add up to, with its own error.
    """

    before: Floats
    now: Floats
    worked_before: Floats
    worked_now: Floats
    parts: Floats
    errors: Floats
    total_errors: Floats

    @property
    def total(self) -> Floats:
        """The shift per bin."""
        return self.now - self.before


def count_cells(rows: Rows, bins: int) -> Floats:
    """Rows by window, bin and state."""
    return np.bincount(_cell(rows, bins), minlength=2 * bins * STATES).reshape(2, bins, STATES).astype(float)


def _cell(rows: Rows, bins: int) -> Codes:
    state = 2 * rows.won_before + rows.won_now
    return np.asarray((rows.is_new * bins + rows.codes) * STATES + state, dtype=np.int64)


def decompose_rows(rows: Rows, bins: int, missing: int | None) -> Shift:
    """The shift of the winners' shares with the errors of every part.

    Errors by the delta method on the cell counts, an account's rows taken together (its deals are not independent
    draws). Needs a win and a loss in each window.

    Args:
        rows: the opportunities of both windows.
        bins: how many bins there are.
        missing: the bin of rows without a known value, if there is one.
    """
    cells = count_cells(rows, bins)
    players = 5 if rows.has_two_labels else 4
    parts = shapley_parts(cells, missing, players)
    slopes = _slopes(_smoothed(cells), missing, players)
    slopes = np.concatenate([slopes, slopes.sum(axis=0, keepdims=True)])  # the total is the sum of the parts
    variance = np.einsum("pbc,cd,pbd->pb", slopes, _scatter(rows, cells), slopes, optimize=True)
    errors = np.sqrt(np.maximum(variance, 0.0))
    shares, worked = _winners(cells), cells.sum(axis=-1)
    worked /= worked.sum(axis=-1, keepdims=True)
    return Shift(
        before=shares[0],
        now=shares[1],
        worked_before=worked[0],
        worked_now=worked[1],
        parts=np.vstack([parts, np.zeros((5 - players, bins))]),
        errors=np.vstack([errors[:-1], np.zeros((5 - players, bins))]),
        total_errors=errors[-1],
    )


def interval(value: float, error: float) -> tuple[float, float, float]:
    """The value with its 95 % interval, within what a share can move."""
    half = normal_quantile(0.95) * error
    value, low, high = (round(end, DECIMALS) + 0.0 for end in (value, max(value - half, -1.0), min(value + half, 1.0)))
    return value, low, high


def _winners(cells: Floats) -> Floats:
    """Share of each bin among the winners: before under the old rule, now under the present one."""
    wins = np.stack([cells[0, :, 2] + cells[0, :, 3], cells[1, :, 1] + cells[1, :, 3]])
    return np.asarray(wins / wins.sum(axis=-1, keepdims=True))


def shapley_parts(cells: Floats, missing: int | None, players: int) -> Floats:
    """Parts (… x part x bin) of the shift in the tables `cells` (… x window x bin x state)."""
    corners = np.stack([_corner(_factors(cells, missing), choice) for choice in _choices(players)], axis=-2)
    return np.asarray(np.einsum("pc,...cb->...pb", _shapley_weights(players), corners))


@cache
def _choices(players: int) -> tuple[tuple[int, ...], ...]:
    """Which window each factor is from, in every combination; without a label of its own both rules are the same."""
    return tuple((*choice, *(1,) * (5 - players)) for choice in product((0, 1), repeat=players))


@cache
def _shapley_weights(players: int) -> Floats:
    """What each combination of factors counts for in each part."""
    choices = [choice[:players] for choice in _choices(players)]
    weights = np.zeros((players, len(choices)))
    for column, choice in enumerate(choices):
        for player in range(players):
            others = sum(choice) - choice[player]
            weight = factorial(others) * factorial(players - others - 1) / factorial(players)
            weights[player, column] = weight if choice[player] else -weight
    return weights


@dataclass(frozen=True)
class _Factors:
    """The factors of a table, each with the window (or rule) it is from as first axis."""

    known_mix: Floats  # window x … x bin, 0 for the missing bin
    missing_share: Floats  # window x … x 1
    rates: Floats  # window x rule x … x bin, nan where a window has no row
    level: Floats  # rule x … x 1: the odds ratio of now against before
    is_missing: NDArray[np.bool_]


def _factors(cells: Floats, missing: int | None) -> _Factors:
    table = np.moveaxis(cells, -3, 0)
    rows = table.sum(axis=-1)
    wins = np.stack([table[..., 2] + table[..., 3], table[..., 1] + table[..., 3]], axis=1)
    is_missing = np.arange(rows.shape[-1]) == (-1 if missing is None else missing)
    known = np.where(is_missing, 0.0, rows)
    total, known_total = rows.sum(-1, keepdims=True), known.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = wins / rows[:, None]
        mix = known / known_total
        level = _common_odds_ratio(rows, wins)
    mix = np.where(known_total > 0, mix, np.where(known_total[::-1] > 0, mix[::-1], 0.0))
    return _Factors(mix, 1 - known_total / total, rates, level, is_missing)


def _common_odds_ratio(rows: Floats, wins: Floats) -> Floats:
    """Odds of winning now over those before, alike in all bins (Mantel & Haenszel 1959); 1 where it cannot be told."""
    losses = rows[:, None] - wins
    both = rows.sum(axis=0)
    weight = np.where(both > 0, 1 / both, 0.0)
    up = (wins[1] * losses[0] * weight).sum(-1, keepdims=True)
    down = (wins[0] * losses[1] * weight).sum(-1, keepdims=True)
    return np.where((up > 0) & (down > 0), up / down, 1.0)


def _corner(factors: _Factors, choice: tuple[int, ...]) -> Floats:
    """The winners' shares with every factor from the window chosen for it."""
    mix, coverage, effect, level, rule = choice
    missing_share = factors.missing_share[coverage]
    shares = np.where(factors.is_missing, missing_share, (1 - missing_share) * factors.known_mix[mix])
    known, unknown = (_rates_at(factors, window, level, rule) for window in (effect, coverage))
    wins = shares * np.where(factors.is_missing, unknown, known)
    return np.asarray(wins / wins.sum(-1, keepdims=True))


def _rates_at(factors: _Factors, window: int, level: int, rule: int) -> Floats:
    """Win rates as in one window at the level of another; a bin without a row there is as it is in the other window."""
    own = _moved(factors.rates[window, rule], factors.level[rule], level - window)
    other = _moved(factors.rates[1 - window, rule], factors.level[rule], level - (1 - window))
    return np.where(np.isnan(own), np.where(np.isnan(other), 0.0, other), own)


def _moved(rates: Floats, odds_ratio: Floats, times: int) -> Floats:
    """Rates whose odds are multiplied `times` times (-1: divided)."""
    if times == 0:
        return rates
    ratio = odds_ratio**times
    return np.asarray(ratio * rates / (1 - rates + ratio * rates))


def _smoothed(cells: Floats) -> Floats:
    """The table with a few rows added to each bin that won as often as the bin did in both windows, so no cell is empty."""
    return np.asarray(cells + PSEUDO_ROWS * _pooled(cells))


def _pooled(cells: Floats) -> Floats:
    """How the rows of each bin split over the states, both windows together."""
    both = cells.sum(axis=0)
    overall = both.sum(axis=0) / both.sum()
    return np.asarray((both + overall * PSEUDO_ROWS) / (both.sum(axis=-1, keepdims=True) + PSEUDO_ROWS))


def _expected(cells: Floats) -> Floats:
    """What each cell would hold, had neither mix nor win rates moved, or its rows alone: the larger of the two."""
    rows = cells.sum(axis=-1, keepdims=True)
    pooled_rows = rows.sum(axis=0) / rows.sum() * rows.sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(rows, pooled_rows) * _pooled(cells))


def _slopes(cells: Floats, missing: int | None, players: int) -> Floats:
    """Derivative of every part (part x bin) by every cell, by central differences. Empty states stay empty."""
    flat = cells.ravel()
    moves = np.flatnonzero(flat > 0)
    steps = STEP * flat[moves]
    tables = np.repeat(flat[None, :], 2 * len(moves), axis=0)
    places = np.arange(len(moves))
    tables[places, moves] += steps
    tables[len(moves) + places, moves] -= steps
    parts = shapley_parts(tables.reshape(-1, *cells.shape), missing, players)
    slopes = np.zeros((*parts.shape[1:], len(flat)))
    change = (parts[: len(moves)] - parts[len(moves) :]) / (2 * steps)[:, None, None]
    slopes[..., moves] = np.moveaxis(change, 0, -1)
    return slopes


def _scatter(rows: Rows, cells: Floats) -> Floats:
    """Sum over accounts of the outer product of their cell counts, cells below what they should hold taken at that.

    A bin that lost its last wins by chance would otherwise look as if its rate were known exactly. Not centred: shares do
    not depend on how many rows a window has, so the slopes remove the mean themselves.
    """
    bins = cells.shape[1]
    count, cell = len(rows.codes), _cell(rows, bins)
    shape = (int(rows.groups.max()) + 1, 2 * bins * STATES)
    by_account = csr_array((np.ones(count), (rows.groups, cell)), shape=shape)
    scatter = (by_account.T @ by_account).toarray()
    least = np.maximum(_smoothed(cells), _expected(cells))
    scatter[np.diag_indices_from(scatter)] += (least - cells).ravel()
    return np.asarray(scatter, dtype=float)
