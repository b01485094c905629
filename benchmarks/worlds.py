"""Synthetic companies with a known truth: who could win, with what probability, worth how much.

Attributes are numeric, category and flag in turn, correlated through one common factor, some with values missing. The
truth is written in terms of each attribute's own latent position, not of the bins our method makes, unless `aligned`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from icp.bins import encode, make_bins
from icp.profile import Attribute

QUARTERS = tuple(f"{year}Q{q}" for year in (2025, 2026) for q in (1, 2, 3, 4))
KINDS = ("numeric", "category", "flag", "numeric")
LEVEL_EDGES = (-1.2, -0.5, 0.0, 0.4, 1.0, 1.9)
FLAG_EDGE = 0.6
VALUE_LEVEL, VALUE_NOISE = 9.0, 0.6

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """How much of the win log odds is additive and how much comes from conjunctions."""

    additive: int
    sd: tuple[float, float]
    segments: int
    bonus: tuple[float, float]


RECIPES = {
    "additive": Recipe(additive=12, sd=(0.15, 0.35), segments=0, bonus=(0.0, 0.0)),
    "mixed": Recipe(additive=9, sd=(0.25, 0.45), segments=3, bonus=(1.0, 1.5)),
    "segments": Recipe(additive=2, sd=(0.10, 0.20), segments=5, bonus=(0.8, 1.2)),
    "null": Recipe(additive=0, sd=(0.0, 0.0), segments=0, bonus=(0.0, 0.0)),
}


@dataclass(frozen=True)
class Segment:
    """A conjunction: accounts for which every literal holds have `bonus` more log odds."""

    literals: tuple[tuple[str, float, float], ...]  # attribute, latent from, latent to
    bonus: float

    @property
    def attributes(self) -> frozenset[str]:
        return frozenset(name for name, _, _ in self.literals)


@dataclass(frozen=True)
class World:
    """`frame` as icp.derive wants label rows, `universe` with account_id; truths are per row, in the same order."""

    frame: pd.DataFrame
    universe: pd.DataFrame
    attributes: tuple[Attribute, ...]
    planted: frozenset[str]
    segments: tuple[Segment, ...]
    effects: Mapping[str, Floats]  # additive part of each planted attribute, label rows
    log_odds: Floats
    universe_log_odds: Floats
    value_if_won: Floats
    universe_value_if_won: Floats
    value_effects: Mapping[str, Floats] = field(default_factory=dict)  # on log value, label rows
    levels: tuple[float, ...] = (0.0,)  # log odds of each quarter above the average one

    @property
    def value_planted(self) -> frozenset[str]:
        return frozenset(self.value_effects)

    @property
    def win_probability(self) -> Floats:
        return _probability(self.log_odds)

    @property
    def universe_win_probability(self) -> Floats:
        return _probability(self.universe_log_odds)

    @property
    def market_win_probability(self) -> Floats:
        """Of the universe over all quarters, each at its level: what a rate of the whole window estimates."""
        return np.asarray(np.mean([_probability(self.universe_log_odds + level) for level in self.levels], axis=0))

    @property
    def expected_value(self) -> Floats:
        return self.win_probability * self.value_if_won

    @property
    def newest_expected_value(self) -> Floats:
        """Of the universe at the newest quarter's level, which is what a profile publishes."""
        return _probability(self.universe_log_odds + self.levels[-1]) * self.universe_value_if_won

    @property
    def universe_expected_value(self) -> Floats:
        return self.universe_win_probability * self.universe_value_if_won


def make_world(
    kind: str,
    rows: int,
    seed: int,
    *,
    attributes: int = 28,
    planted: int = 12,
    universe: int = 3000,
    base: float = -1.4,
    correlated: float = 0.3,
    missing: float = 0.1,
    quarters: Sequence[str] = QUARTERS,
    behavioural_every: int = 0,
    aligned: bool = False,
    strength: float = 1.0,
    deals_per_account: int = 1,
) -> World:
    """A company of this kind: additive, mixed, segments or null.

    Args:
        kind: which recipe (`RECIPES`).
        rows: known outcomes.
        seed: the same seed gives the same world.
        attributes: candidates in all.
        planted: attributes that matter, in effects or in segments (all of them, where there are no more).
        universe: accounts to be scored, drawn like the labelled ones.
        base: log odds of the average account.
        correlated: correlation of the latent positions through the common factor (its sign alternates).
        missing: share of values missing in every third attribute; not knowing has no effect of its own.
        quarters: of the outcomes, evenly; each quarter has a level of its own.
        behavioural_every: every n-th attribute is behavioural; 0 for none.
        aligned: effects constant within the bins icp.bins makes, so that each bin has an exact true odds multiplier.
        strength: multiplies all effects.
        deals_per_account: label rows per account, each its own draw.
    """
    rng = np.random.default_rng([seed, rows, attributes])
    declared = declare(attributes, behavioural_every)
    latent = _latent(rng, rows + universe, attributes, correlated)
    known = _known(rng, rows + universe, attributes, missing)
    features = _features(latent, known, declared)
    recipe = RECIPES[kind]
    chosen = [int(j) for j in rng.choice(attributes, min(planted, attributes), replace=False)]
    additive, segments = _truth(rng, recipe, chosen, declared, strength)
    seen = _aligned(latent, features, declared, rows) if aligned else latent
    effects = {
        declared[j].name: np.where(
            known[:, j], _standardised(_shape(rng, declared[j], seen[:, j]), known[:, j]) * sd, 0
        )
        for j, sd in additive.items()
    }
    log_odds = np.full(rows + universe, base) + sum(effects.values())
    for segment in segments:
        log_odds += segment.bonus * _holds(segment, declared, latent, known)
    on_value = _values(rng, chosen, declared, seen, known)
    value = np.exp(VALUE_LEVEL + sum(on_value.values()) + VALUE_NOISE**2 / 2)
    names = frozenset(effects) | frozenset().union(*(s.attributes for s in segments))
    frame, level = _label_rows(rng, features.iloc[:rows], log_odds[:rows], value[:rows], quarters, deals_per_account)
    score = features.iloc[rows:].reset_index(drop=True)
    score["account_id"] = [f"u{i:07d}" for i in range(universe)]
    return World(
        frame=frame,
        universe=score,
        attributes=declared,
        planted=names,
        segments=segments,
        effects={name: e[:rows] for name, e in effects.items()},
        log_odds=log_odds[:rows] + level,
        universe_log_odds=log_odds[rows:],
        value_if_won=value[:rows],
        universe_value_if_won=value[rows:],
        value_effects={name: e[:rows] for name, e in on_value.items()},
        levels=tuple(float(level) for level in _quarter_level(np.arange(len(quarters)))),
    )


def declare(count: int, behavioural_every: int = 0) -> tuple[Attribute, ...]:
    """The candidates: numeric, category, flag, numeric and again."""
    return tuple(
        Attribute(
            f"x{j:02d}",
            KINDS[j % 4],
            "behavioural" if behavioural_every and j % behavioural_every == behavioural_every - 1 else "firmographic",
            f"Attribute {j}",
        )
        for j in range(count)
    )


def relabelled(world: World, seed: int) -> World:
    """The same company with its outcomes shuffled: nothing is left to find."""
    order = np.random.default_rng(seed).permutation(len(world.frame))
    frame = world.frame.copy()
    frame[["is_won", "outcome_value"]] = frame[["is_won", "outcome_value"]].to_numpy()[order]
    frame["is_won"] = frame["is_won"].astype(bool)
    frame["outcome_value"] = frame["outcome_value"].astype(float)
    rate = float(np.log(frame["is_won"].mean() / (1 - frame["is_won"].mean())))
    return replace(
        world,
        frame=frame,
        planted=frozenset(),
        segments=(),
        effects={},
        log_odds=np.full(len(frame), rate),
        universe_log_odds=np.full(len(world.universe), rate),
    )


def _latent(rng: np.random.Generator, n: int, count: int, correlated: float) -> Floats:
    common, own = rng.standard_normal((n, 1)), rng.standard_normal((n, count))
    signs = np.where(np.arange(count) % 2, 1.0, -1.0)
    return np.asarray(correlated**0.5 * common * signs + (1 - correlated) ** 0.5 * own)


def _known(rng: np.random.Generator, n: int, count: int, missing: float) -> NDArray[np.bool_]:
    known = np.ones((n, count), dtype=bool)
    known[:, ::3] = rng.random((n, len(range(0, count, 3)))) >= missing
    return known


def _features(latent: Floats, known: NDArray[np.bool_], declared: Sequence[Attribute]) -> pd.DataFrame:
    columns = {}
    for j, attribute in enumerate(declared):
        z = latent[:, j]
        if attribute.kind == "numeric":
            values = pd.Series(np.exp(4 + 1.3 * z).round(1)).where(known[:, j])
        elif attribute.kind == "flag":
            values = pd.Series(z > FLAG_EDGE).astype(object).where(known[:, j], None)
        else:
            levels = np.array(list("abcdefg"), dtype=object)[np.digitize(z, LEVEL_EDGES)]
            values = pd.Series(levels).where(known[:, j], None)
        columns[attribute.name] = values
    return pd.DataFrame(columns)


def _truth(
    rng: np.random.Generator, recipe: Recipe, chosen: Sequence[int], declared: Sequence[Attribute], strength: float
) -> tuple[dict[int, float], tuple[Segment, ...]]:
    """Sizes of the additive effects by attribute number, and the segments."""
    additive = chosen[: recipe.additive] if recipe.segments else chosen[: len(chosen) if recipe.additive else 0]
    sizes = {j: strength * float(rng.uniform(*recipe.sd)) for j in additive}
    segments: list[Segment] = []
    fresh = list(chosen[len(sizes) :])
    for i in range(recipe.segments):
        width = 2 + i % 2
        picked = fresh[:width] if recipe.additive < 3 else fresh[: width - 1]
        fresh = fresh[len(picked) :]
        rest = [j for j in chosen if j not in picked]
        picked = [*picked, *(int(j) for j in rng.choice(rest, width - len(picked), replace=False))]
        sign = -1.0 if i % 3 == 2 else 1.0
        literals = tuple(_literal(rng, declared[j], width) for j in picked)
        segments.append(Segment(literals, sign * strength * float(rng.uniform(*recipe.bonus))))
    return sizes, tuple(segments)


def _literal(rng: np.random.Generator, attribute: Attribute, width: int) -> tuple[str, float, float]:
    """A band of the latent position that about 30 % (two literals) or 45 % (three) of accounts are in."""
    if attribute.kind == "flag":
        return attribute.name, FLAG_EDGE, np.inf
    if attribute.kind == "category":
        edges = (-np.inf, *LEVEL_EDGES, np.inf)
        first = int(rng.integers(1, 4))
        return attribute.name, edges[first], edges[first + (2 if width == 2 else 3)]
    bands = (
        ((-np.inf, -0.5), (-0.4, 0.4), (0.5, np.inf)) if width == 2 else ((-np.inf, -0.1), (-0.6, 0.6), (0.1, np.inf))
    )
    return attribute.name, *bands[int(rng.integers(0, 3))]


def _holds(segment: Segment, declared: Sequence[Attribute], latent: Floats, known: NDArray[np.bool_]) -> Floats:
    place = {a.name: j for j, a in enumerate(declared)}
    inside = np.ones(len(latent), dtype=bool)
    for name, low, high in segment.literals:
        j = place[name]
        inside &= known[:, j] & (latent[:, j] >= low) & (latent[:, j] < high)
    return inside.astype(float)


def _shape(rng: np.random.Generator, attribute: Attribute, z: Floats) -> Floats:
    """A hump, a slope or a threshold for numbers; a free value per level or state otherwise."""
    if attribute.kind == "flag":
        return np.where(z > FLAG_EDGE, 1.0, 0.0) * rng.choice([-1.0, 1.0])
    if attribute.kind == "category":
        return rng.standard_normal(len(LEVEL_EDGES) + 1)[np.digitize(z, LEVEL_EDGES)]
    form, turn, sign = int(rng.integers(0, 3)), float(rng.uniform(-0.7, 0.7)), float(rng.choice([-1.0, 1.0]))
    if form == 0:
        return -sign * np.abs(np.clip(z, -2, 2) - turn) ** 1.2
    return sign * (np.clip(z, -2, 2) if form == 1 else np.tanh(3 * (z - turn)))


def _standardised(values: Floats, known: NDArray[np.bool_]) -> Floats:
    centre, spread = float(values[known].mean()), float(values[known].std())
    return (values - centre) / (spread or 1.0)


def _aligned(latent: Floats, features: pd.DataFrame, declared: Sequence[Attribute], rows: int) -> Floats:
    """Every number moved to the middle of its bin (bins as icp.bins makes them of the label rows)."""
    codes = encode(features, make_bins(features.iloc[:rows], declared, "world"))
    moved = latent.copy()
    for j, attribute in enumerate(declared):
        if attribute.kind == "numeric":
            own = codes[attribute.name].to_numpy()
            sums, counts = np.bincount(own, latent[:, j]), np.bincount(own)
            moved[:, j] = (sums / np.maximum(counts, 1))[own]
    return moved


def _values(
    rng: np.random.Generator,
    chosen: Sequence[int],
    declared: Sequence[Attribute],
    latent: Floats,
    known: NDArray[np.bool_],
) -> dict[str, Floats]:
    """What moves the log value of a win: two attributes that also drive wins and two that do not (or any four)."""
    others = [j for j in range(len(declared)) if j not in chosen]
    return {
        declared[j].name: np.where(
            known[:, j], _standardised(_shape(rng, declared[j], latent[:, j]), known[:, j]) * 0.3, 0
        )
        for j in [*chosen[:2], *others[:2]]
    }


def _label_rows(
    rng: np.random.Generator,
    features: pd.DataFrame,
    log_odds: Floats,
    value: Floats,
    quarters: Sequence[str],
    deals_per_account: int,
) -> tuple[pd.DataFrame, Floats]:
    n = len(features)
    period = rng.integers(0, len(quarters), n)
    level = _quarter_level(period)
    won = rng.random(n) < _probability(log_odds + level)
    amounts = value * np.exp(VALUE_NOISE * rng.standard_normal(n) - VALUE_NOISE**2 / 2)
    keys = pd.DataFrame(
        {
            "observation_id": np.char.mod("o%07d", np.arange(n)),
            "account_id": np.char.mod("a%07d", np.arange(n) // deals_per_account),
            "outcome_quarter": np.array(quarters)[period],
            "is_won": won,
            "outcome_value": np.where(won, amounts, np.nan),
        },
        index=features.index,
    )
    return pd.concat([features, keys], axis=1), level


def _quarter_level(period: NDArray[np.int64]) -> Floats:
    return np.asarray(0.15 * np.sin(period))


def _probability(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-log_odds)))
