"""The design of an additive fit: integer codes and kernels turned into columns, never written out in full.

A row's columns depend on its codes alone, and there are few combinations of a few attributes' codes. So attributes are
packed into groups with a joint code, and every product with the design (X'WX, X'r, X b) is a table of counts or sums
over joint codes times a small matrix: exact, and many times faster than multiplying out n rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icp.stats import Floats

Codes = NDArray[np.integer]

CHUNK = 16_384
MOST_CELLS_KEPT = 2_000_000  # 16 MB per design
LEAST_STATES, MOST_STATES = 64, 1_024  # joint codes of a group; more make tables larger than the rows they sum


def factor_kernel(kernel: Floats) -> Floats:
    """L with L L' = K, without the directions in which K has no variance."""
    values, vectors = np.linalg.eigh(np.asarray(kernel, dtype=float))
    keep = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-300)
    return np.asarray(vectors[:, keep] * np.sqrt(values[keep]))


def with_zero_row(table: Floats) -> Floats:
    """Append a row of zeros, where code -1 points."""
    return np.concatenate([table, np.zeros((1, *table.shape[1:]))])


@dataclass(frozen=True)
class Group:
    """Neighbouring blocks under one joint code per row: `states[joint[i]]` are row i's columns of these blocks."""

    joint: NDArray[np.intp]
    states: Floats
    columns: slice

    @cached_property
    def size(self) -> int:
        """How many joint codes there are."""
        return len(self.states)

    def sums(self, values: Floats) -> Floats:
        """Z'v: the values summed over the rows of each column."""
        return np.asarray(np.bincount(self.joint, values, self.size) @ self.states)

    def crossed(self, codes: NDArray[np.intp], count: int, weights: Floats) -> Floats:
        """One-hot codes' times W times the group's columns; `codes` run from 0 to `count` - 1."""
        return self.crossed_at(codes * self.size + self.joint, count, weights)

    def crossed_at(self, places: NDArray[np.intp], count: int, weights: Floats) -> Floats:
        """The same, where the cell of each row (code x size + joint code) is at hand."""
        table = np.bincount(places, weights, count * self.size)
        return np.asarray(table.reshape(count, self.size) @ self.states)


@dataclass(frozen=True)
class Design:
    """Fixed columns first (the constant is the very first), then the columns of each block's kernel factor.

    `codes` is rows x blocks, -1 for "not in this block"; `factors[j]` has one row per bin of block j.
    """

    codes: Codes
    factors: tuple[Floats, ...]
    fixed: Floats
    slices: tuple[slice, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.slices[-1].stop) if self.slices else int(self.fixed.shape[1])

    @cached_property
    def block_of(self) -> NDArray[np.intp]:
        """The block of each column after the fixed ones."""
        return np.repeat(np.arange(len(self.slices)), [part.stop - part.start for part in self.slices])

    def every(self, step: int) -> Design:
        """Every so manieth row."""
        return Design(self.codes[::step], self.factors, self.fixed[::step], self.slices)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The blocks, packed while their joint codes stay few."""
        limit = min(max(LEAST_STATES, int(len(self) ** 0.5)), MOST_STATES)
        packed: list[list[int]] = []
        states = limit + 1
        for j, factor in enumerate(self.factors):
            states *= len(factor) + 1
            if states > limit:
                packed.append([])
                states = len(factor) + 1
            packed[-1].append(j)
        return tuple(self._group(blocks) for blocks in packed)

    def _group(self, blocks: Sequence[int]) -> Group:
        joint = np.zeros(len(self), dtype=np.intp)
        parts: list[Floats] = []
        for j in blocks:
            table = with_zero_row(self.factors[j])
            joint *= len(table)
            joint += np.where(self.codes[:, j] < 0, len(table) - 1, self.codes[:, j])
            parts = [np.repeat(part, len(table), axis=0) for part in parts]
            parts.append(np.tile(table, (len(parts[0]) // len(table) if parts else 1, 1)))
        columns = slice(self.slices[blocks[0]].start, self.slices[blocks[-1]].stop)
        return Group(joint, np.hstack(parts), columns)

    def gram(self, weights: Floats) -> Floats:
        """X'WX."""
        out = np.zeros((self.width, self.width))
        first = slice(0, self.fixed.shape[1])
        weighted = self.fixed * weights[:, None]
        out[first, first] = weighted.T @ self.fixed
        pairs = self._pairs
        for i, one in enumerate(self.groups):
            out[first, one.columns] = [one.sums(column) for column in weighted.T]
            out[one.columns, one.columns] = (one.states.T * np.bincount(one.joint, weights, one.size)) @ one.states
            for j, other in enumerate(self.groups[i + 1 :], start=i + 1):
                crossed = (
                    other.crossed_at(pairs[i, j], one.size, weights)
                    if pairs
                    else other.crossed(one.joint, one.size, weights)
                )
                out[one.columns, other.columns] = one.states.T @ crossed
        return np.triu(out) + np.triu(out, 1).T

    @cached_property
    def _pairs(self) -> dict[tuple[int, int], NDArray[np.intp]]:
        """The joint cell of every row for every two groups, kept between the steps of a fit; empty where they are large."""
        count = len(self.groups)
        if len(self) * count * (count - 1) // 2 > MOST_CELLS_KEPT:
            return {}
        return {
            (i, j): self.groups[i].joint * self.groups[j].size + self.groups[j].joint
            for i in range(count)
            for j in range(i + 1, count)
        }

    def sums(self, values: Floats) -> Floats:
        """X'v."""
        return np.concatenate([values @ self.fixed, *(group.sums(values) for group in self.groups)])

    def crossed(self, codes: Codes, count: int, weights: Floats) -> Floats:
        """One-hot codes' times W times X, a row per code 0 … count - 1; rows with code -1 are left out."""
        own = np.where(codes < 0, count, codes).astype(np.intp)
        fixed = [np.bincount(own, column * weights, count + 1)[:, None] for column in self.fixed.T]
        return np.asarray(np.hstack([*fixed, *(g.crossed(own, count + 1, weights) for g in self.groups)])[:count])

    def predict(self, coefficients: Floats) -> Floats:
        """X b: the linear predictor without offset."""
        eta = self.fixed @ coefficients[: self.fixed.shape[1]]
        for group in self.groups:
            eta += (group.states @ coefficients[group.columns])[group.joint]
        return np.asarray(eta)

    def chunks(self) -> Iterator[tuple[slice, Floats]]:
        """The columns written out, some thousand rows at a time."""
        for start in range(0, len(self), CHUNK):
            rows = slice(start, min(start + CHUNK, len(self)))
            yield rows, np.hstack([self.fixed[rows], *(group.states[group.joint[rows]] for group in self.groups)])


def make_design(codes: Codes, kernels: Sequence[Floats], fixed: ArrayLike | None = None) -> Design:
    """Check shapes and factor the kernels."""
    if codes.shape[1] != len(kernels):
        raise ValueError(f"{codes.shape[1]} code columns but {len(kernels)} kernels")
    constant = np.ones((len(codes), 1))
    columns = constant if fixed is None else np.column_stack([constant, np.asarray(fixed, dtype=float)])
    factors = tuple(factor_kernel(k) for k in kernels)
    edges = np.cumsum([columns.shape[1], *(f.shape[1] for f in factors)])
    slices = tuple(slice(int(a), int(b)) for a, b in pairwise(edges))
    return Design(codes, factors, columns, slices)
