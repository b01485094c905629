"""Is an effect real? The variance-component score test of one block, every other block at its posterior.

U are the block's residual sums under the null model without it, S their covariance with fixed columns projected out and
random ones at their variances. Q = U'KU then follows a mixture of chi-squares whose weights are the eigenvalues of
K^1/2 S K^1/2 (Lin 1997; Wu et al. 2011). All quantities come from the cross-products the fit has left behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from icp.design import Codes, factor_kernel
from icp.fit import FREE_VARIANCE, AdditiveFit, posterior
from icp.stats import Floats, mixture_chi2_tail


def attribute_tests(fit: AdditiveFit, blocks: Sequence[int] | None = None) -> Floats:
    """p-value per block: would effects this large turn up if the attribute had none, the others being what they are?"""
    chosen = range(len(fit.effects)) if blocks is None else blocks
    return np.array([_score_test(fit, _own_columns(fit, j), drop=j) for j in chosen])


def variance_component_test(
    fit: AdditiveFit, codes: ArrayLike, kernel: Floats, *, drop: int | None = None, free: int | None = None
) -> float:
    """p-value of "this extra block has no effect" (tau = 0), every fitted block at its posterior.

    Args:
        fit: the null model.
        codes: the block to test, e.g. an attribute's code in the new period and -1 before.
        kernel: its prior covariance; only its shape matters, not its scale.
        drop: a fitted block to leave out of the null model.
        free: a fitted block whose effects are to be (nearly) unpenalised in the null model, e.g. the main effect.
    """
    return _score_test(fit, _extra_columns(fit, np.asarray(codes), factor_kernel(kernel)), drop=drop, free=free)


@dataclass(frozen=True)
class _Tested:
    """Cross-products of the tested columns with themselves, with the design and with the working response."""

    own: Floats
    cross: Floats
    rhs: Floats


def _own_columns(fit: AdditiveFit, block: int) -> _Tested:
    part = fit.design.slices[block]
    return _Tested(fit.gram[part, part], fit.gram[part], (fit.gram @ fit.coefficients + fit.score)[part])


def _extra_columns(fit: AdditiveFit, codes: Codes, factor: Floats) -> _Tested:
    in_block = codes >= 0
    weight = np.bincount(codes[in_block], fit.row_weights[in_block], len(factor))
    residual = np.bincount(codes[in_block], fit.residual[in_block], len(factor))
    cross = factor.T @ fit.design.crossed(codes, len(factor), fit.row_weights)
    return _Tested((factor.T * weight) @ factor, cross, cross @ fit.coefficients + factor.T @ residual)


def _score_test(fit: AdditiveFit, tested: _Tested, *, drop: int | None = None, free: int | None = None) -> float:
    tau2 = fit.tau2.copy()
    if drop is not None:
        tau2[drop] = 0.0
    if free is not None:
        tau2[free] = FREE_VARIANCE
    mean, covariance = posterior(fit.design, fit.gram, fit.gram @ fit.coefficients + fit.score, tau2)
    u = tested.rhs - tested.cross @ mean
    spread = tested.own - tested.cross @ covariance @ tested.cross.T
    return mixture_chi2_tail(float(u @ u), np.linalg.eigvalsh(spread))
