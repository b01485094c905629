"""Seeded quarters of outcomes: quiet or with a planted change, with or without drift of the mix and hidden structure.

28 correlated attributes (numeric, category, flag, numeric and again). `drift` moves the mix of half of them in the
newest quarter. `structure` adds what additive bins leave out: conjunctions of two attributes and waves within bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icp.change_model import ChangeBlock
from icp.fit import contrast_kernel, identity_kernel, ordered_kernel

ATTRIBUTES, PLANTED, CONJUNCTIONS = 28, 12, 6
LEVEL_EDGES = (-1.2, -0.5, 0.0, 0.4, 1.0, 1.9)
KINDS = ("numeric", "category", "flag", "numeric")
BASE, QUARTER_SD, DRIFT_SD, MISSING = -1.4, 0.15, 0.35, 0.10
CHANGES = {
    "size band shift": "x00",
    "strong size band shift": "x00",
    "industry loses": "x01",
    "flag flips": "x02",
    "strong flag flip": "x02",
    "weak technology": "tech",
    "technology": "tech",
}

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Quarters:
    """What `icp.change_test.find_changes` takes; `changed` names the attribute whose effect is new in the last one."""

    blocks: tuple[ChangeBlock, ...]
    won: Floats
    periods: Codes
    changed: str | None


def make_quarters(
    seed: int,
    outcomes: int,
    *,
    earlier: int = 4,
    drift: bool = False,
    structure: bool = False,
    change: str | None = None,
    moved: tuple[str, float] | None = None,
) -> Quarters:
    """So many earlier quarters and a newest one, of `outcomes` each.

    Args:
        seed: the same seed gives the same quarters.
        outcomes: a quarter.
        earlier: quarters before the newest.
        drift: the mix of half of the attributes moves in the newest quarter.
        structure: add what additive bins leave out.
        change: one of `CHANGES`.
        moved: or an attribute every bin of which moves in the newest quarter, and the sd of that in log odds.
    """
    rng = np.random.default_rng([seed, outcomes, earlier])
    periods = np.repeat(np.arange(earlier + 1), outcomes)
    is_new = periods == earlier
    latent = _latent(rng, is_new, drift)
    blocks = [_block(j, latent[:, j], ~is_new, rng) for j in range(ATTRIBUTES)]
    log_odds = BASE + rng.normal(0, QUARTER_SD, earlier + 1)[periods]
    for j in sorted(int(j) for j in rng.choice(np.arange(3, ATTRIBUTES), PLANTED, replace=False)):
        log_odds += rng.uniform(0.15, 0.35) * _shape(rng, j, latent[:, j], structure)
    if structure:
        log_odds += _conjunctions(rng, latent)
    technology = (rng.random(len(periods)) < 0.12).astype(np.int64)
    blocks.append(ChangeBlock("tech", technology, contrast_kernel(0.12)))
    log_odds += _named_effects(latent, technology, is_new, change)
    if moved:
        log_odds += is_new * _moved(blocks, is_new, seed, *moved)
    won = (rng.random(len(periods)) < 1 / (1 + np.exp(-log_odds))).astype(float)
    changed = CHANGES[change] if change else moved[0] if moved else None
    return Quarters(tuple(blocks), won, periods, changed)


def _moved(blocks: list[ChangeBlock], is_new: NDArray[np.bool_], seed: int, name: str, sd: float) -> Floats:
    """A new effect per bin, of this sd over the newest rows."""
    block = next(b for b in blocks if b.name == name)
    effect = np.random.default_rng([seed, 1]).standard_normal(len(block.kernel))[block.codes]
    return np.asarray(sd * (effect - effect[is_new].mean()) / effect[is_new].std())


def _latent(rng: np.random.Generator, is_new: NDArray[np.bool_], drift: bool) -> Floats:
    common, own = rng.standard_normal((len(is_new), 1)), rng.standard_normal((len(is_new), ATTRIBUTES))
    signs = rng.choice([-1.0, 1.0], ATTRIBUTES)
    moves = np.where(rng.random(ATTRIBUTES) < 0.5, rng.normal(0, DRIFT_SD, ATTRIBUTES), 0.0)
    return np.asarray(0.3**0.5 * common * signs + 0.7**0.5 * own + drift * is_new[:, None] * moves)


def _block(j: int, z: Floats, earlier: NDArray[np.bool_], rng: np.random.Generator) -> ChangeBlock:
    name, kind = f"x{j:02d}", KINDS[j % 4]
    if kind == "flag":
        return ChangeBlock(name, (z > 0.6).astype(np.int64), identity_kernel(3))
    if kind == "category":
        return ChangeBlock(name, np.digitize(z, LEVEL_EDGES).astype(np.int64), identity_kernel(8))
    codes = np.digitize(z, np.quantile(z[earlier], np.arange(1, 8) / 8)).astype(np.int64)
    known = rng.random(len(z)) >= MISSING
    codes = np.where(known, codes, 8)
    return ChangeBlock(name, codes, ordered_kernel(9))


def _shape(rng: np.random.Generator, j: int, z: Floats, structure: bool) -> Floats:
    if KINDS[j % 4] == "flag":
        values = (z > 0.6) * rng.choice([-1.0, 1.0])
    elif KINDS[j % 4] == "category":
        values = rng.standard_normal(7)[np.digitize(z, LEVEL_EDGES)]
    else:
        values = rng.choice([-1.0, 1.0]) * (np.tanh(1.2 * z) + structure * 0.3 * np.sin(4 * z))
    return np.asarray((values - values.mean()) / values.std())


def _conjunctions(rng: np.random.Generator, latent: Floats) -> Floats:
    total = np.zeros(len(latent))
    for _ in range(CONJUNCTIONS):
        one, other = rng.choice(ATTRIBUTES, 2, replace=False)
        total += rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0) * ((latent[:, one] > 0.3) & (latent[:, other] > 0.3))
    return total


def _named_effects(latent: Floats, technology: Codes, is_new: NDArray[np.bool_], change: str | None) -> Floats:
    """The four effects a change can be planted in: a size band, an industry, a competitor flag, a technology.

    The strong size band and flag and the technology that is not weak are as large as those the method's prototype found
    as often as it did, going by its own formula of what is found (sd of the change times sqrt(N p (1 - p)), p = .22): an
    sd in log odds of .64, .29 and .18. How large they were there is not written down.
    """
    size, industry = latent[:, 0], np.digitize(latent[:, 1], LEVEL_EDGES) == 4
    band = 1.1 if change == "strong size band shift" else 0.7
    usual = np.where((size > -0.3) & (size < 0.5), band, 0.0)
    moved = np.where((size > 0.5) & (size < 1.3), band, 0.0)
    flag = latent[:, 2] > 0.6
    turned = 0.33 if change == "strong flag flip" else 0.3
    lost = 0.545 if change == "technology" else 0.35
    return np.asarray(
        np.where(is_new & (change in ("size band shift", "strong size band shift")), moved, usual)
        + 0.8 * industry * ~(is_new & (change == "industry loses"))
        - turned * flag * np.where(is_new & (change in ("flag flips", "strong flag flip")), -1.0, 1.0)
        + lost * technology * ~(is_new & (change in ("weak technology", "technology")))
    )
