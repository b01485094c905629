"""Synthetic companies with a known truth, for the tests of what is derived from outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from icp.bins import encode, make_bins
from icp.profile import Attribute, BinDictionary

QUARTERS = tuple(f"{year}Q{q}" for year in (2025, 2026) for q in (1, 2, 3, 4))


@dataclass(frozen=True)
class World:
    frame: pd.DataFrame
    universe: pd.DataFrame
    attributes: tuple[Attribute, ...]
    dictionary: BinDictionary
    planted: frozenset[str]
    log_odds: dict[str, np.ndarray]  # true effect per bin, planted attributes


def attributes_of(count: int) -> tuple[Attribute, ...]:
    """Numeric, category and flag attributes in turn; every seventh is behavioural."""
    kinds = ("numeric", "category", "flag", "numeric")
    return tuple(
        Attribute(f"x{j:02d}", kinds[j % 4], "behavioural" if j % 7 == 6 else "firmographic", f"Attribute {j}")
        for j in range(count)
    )


def planted_world(
    seed: int,
    rows: int = 4000,
    count: int = 28,
    planted: int = 12,
    sd: tuple[float, float] = (0.2, 0.45),
    base: float = -1.4,
    correlated: float = 0.3,
    missing: float = 0.1,
    universe: int = 3000,
) -> World:
    rng = np.random.default_rng(seed)
    attributes = attributes_of(count)
    features = _features(rng, rows + universe, attributes, correlated, missing)
    dictionary = make_bins(features.iloc[:rows], attributes, "2025Q1")
    codes = encode(features, dictionary)
    chosen = [attributes[j] for j in sorted(rng.choice(count, planted, replace=False))]
    log_odds = {
        a.name: _effect(rng, a, codes[a.name].iloc[:rows], len(dictionary.bins[a.name]), rng.uniform(*sd))
        for a in chosen
    }
    eta = base + sum(effect[codes[name]] for name, effect in log_odds.items()) if chosen else np.full(len(codes), base)
    period = rng.integers(0, len(QUARTERS), rows)
    eta = eta[:rows] + 0.15 * np.sin(period)
    frame = features.iloc[:rows].copy()
    frame["observation_id"] = [f"o{i:06d}" for i in range(rows)]
    frame["account_id"] = [f"a{i:06d}" for i in range(rows)]
    frame["outcome_quarter"] = np.array(QUARTERS)[period]
    frame["is_won"] = rng.random(rows) < 1 / (1 + np.exp(-eta))
    frame["outcome_value"] = np.where(frame["is_won"], np.exp(rng.normal(9, 0.8, rows)), np.nan)
    score = features.iloc[rows:].copy()
    score["account_id"] = [f"u{i:06d}" for i in range(universe)]
    return World(frame, score, attributes, dictionary, frozenset(a.name for a in chosen), log_odds)


def _features(
    rng: np.random.Generator, n: int, attributes: tuple[Attribute, ...], correlated: float, missing: float
) -> pd.DataFrame:
    common = rng.standard_normal(n)
    columns = {}
    for j, attribute in enumerate(attributes):
        latent = correlated**0.5 * common * (1 if j % 2 else -1) + (1 - correlated) ** 0.5 * rng.standard_normal(n)
        if attribute.kind == "numeric":
            values = np.exp(4 + 1.3 * latent).round(1).astype(object)
        elif attribute.kind == "flag":
            values = (latent > 0.6).astype(object)
            values = np.array([bool(v) for v in values], dtype=object)
        else:
            values = np.array(list("abcdefg"), dtype=object)[np.digitize(latent, [-1.2, -0.5, 0, 0.4, 1.0, 1.9])]
        if j % 3 == 0:
            values[rng.random(n) < missing] = None
        columns[attribute.name] = values
    return pd.DataFrame(columns)


def _effect(rng: np.random.Generator, attribute: Attribute, codes: pd.Series, bins: int, sd: float) -> np.ndarray:
    shares = np.bincount(codes, minlength=bins) / len(codes)
    if attribute.kind == "numeric":
        peak = rng.uniform(0, bins - 2)
        effect = -(np.abs(np.arange(bins) - peak) ** 1.2)
        effect[-1] = shares[:-1] @ effect[:-1] / shares[:-1].sum()
    else:
        effect = rng.standard_normal(bins)
    effect = effect - shares @ effect
    spread = (shares @ effect**2) ** 0.5
    return effect * sd / spread
