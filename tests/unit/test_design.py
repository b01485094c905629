"""The design is never written out, so every product with it is held against the one that is."""

from __future__ import annotations

import numpy as np
import pytest

from icp.design import Design, make_design, with_zero_row
from icp.fit import contrast_kernel, identity_kernel, ordered_kernel


def design_of(rows: int, seed: int = 1) -> tuple[Design, np.ndarray]:
    """Blocks of several kinds, some rows in none of them, and the columns written out by look-up."""
    rng = np.random.default_rng(seed)
    kernels = [identity_kernel(4), ordered_kernel(9), contrast_kernel(0.3), identity_kernel(40), ordered_kernel(6)]
    codes = np.column_stack([rng.integers(-1, len(k), rows) for k in kernels]).astype(np.int8)
    design = make_design(codes, kernels, rng.normal(size=(rows, 2)))
    tables = [with_zero_row(factor)[codes[:, j]] for j, factor in enumerate(design.factors)]
    return design, np.hstack([design.fixed, *tables])


@pytest.mark.parametrize("rows", [0, 1, 37, 5_000])
def test_products_are_those_of_the_written_out_columns(rows: int) -> None:
    design, x = design_of(rows)
    rng = np.random.default_rng(2)
    weights, values, coefficients = rng.random(rows), rng.normal(size=rows), rng.normal(size=design.width)
    assert design.width == x.shape[1]
    np.testing.assert_allclose(design.gram(weights), x.T @ (x * weights[:, None]), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(design.sums(values), x.T @ values, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(design.predict(coefficients), x @ coefficients, rtol=1e-9, atol=1e-9)
    written = [part for _, part in design.chunks()]
    np.testing.assert_allclose(np.vstack([*written, np.empty((0, design.width))]), x, atol=1e-12)
    codes = rng.integers(-1, 5, rows)
    own = (codes[:, None] == np.arange(5)).astype(float)
    np.testing.assert_allclose(design.crossed(codes, 5, weights), own.T @ (x * weights[:, None]), rtol=1e-9, atol=1e-9)


def test_a_thinned_design_has_every_third_row() -> None:
    design, x = design_of(100)
    np.testing.assert_allclose(np.vstack([part for _, part in design.every(3).chunks()]), x[::3])


def test_a_design_of_fixed_columns_only() -> None:
    design = make_design(np.empty((5, 0), dtype=int), [], np.arange(5.0))
    np.testing.assert_allclose(design.gram(np.ones(5)), [[5, 10], [10, 30]])
    assert design.predict(np.array([1.0, 2.0])).tolist() == [1, 3, 5, 7, 9]


def test_codes_and_kernels_must_match() -> None:
    with pytest.raises(ValueError, match="2 code columns but 1 kernels"):
        make_design(np.zeros((3, 2), dtype=int), [identity_kernel(2)])
