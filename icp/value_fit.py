"""The additive random-effects regression of log value: the win part's normal equations with weights 1 / sigma^2.

log value = constant + sum over blocks of effect[code] + noise, effect ~ N(0, tau^2 K), noise ~ N(0, sigma^2). tau^2 by the
same empirical Bayes as for wins, sigma^2 by residual sum of squares over residual degrees of freedom. What is returned
is an `AdditiveFit`, so that score tests and contrasts are those of the win part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icp.design import Design, make_design
from icp.fit import TAU2_START, TOLERANCE, AdditiveFit, posterior, rest_tau2, variance_uncertainty
from icp.stats import Floats

FEW_VALUES = 60
LEAST_SIGMA2 = 1e-8
MAX_ROUNDS = 60

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class GaussianFit:
    """`fit` holds effects in log value; `sigma2` is the variance of log value that they leave."""

    fit: AdditiveFit
    sigma2: float
    residual: Floats

    def predict(self, codes: Codes) -> Floats:
        """The expected response of rows in these bins (rows x blocks, -1 for "not in this block")."""
        effects = zip(codes.T, self.fit.effects, strict=True)
        return np.asarray(self.fit.intercepts[0] + sum(np.append(e, 0.0)[own] for own, e in effects))


def fit_gaussian(
    codes: ArrayLike,
    kernels: Sequence[Floats],
    response: ArrayLike,
    weights: ArrayLike | None = None,
    noise: float | None = None,
) -> GaussianFit:
    """Estimate how far every bin moves the response, shrunk by as much as the data themselves ask for.

    Args:
        codes: rows x blocks; bin number in the block, -1 for "not in this block".
        kernels: one bins x bins prior covariance per block, as in `icp.fit.fit_additive`.
        response: one number per row (log value).
        weights: how many times each row counts.
        noise: the variance of the noise, where the residuals of this fit do not tell it.
    """
    y = np.asarray(response, dtype=float)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    centre = float(np.average(y, weights=w))  # the constant's prior is about 0, so that the currency does not matter
    design = make_design(np.asarray(codes).reshape(len(y), -1), kernels)
    gram, sums = design.gram(w), design.sums(w * (y - centre))
    sigma2 = max(float(np.average((y - centre) ** 2, weights=w)) if noise is None else noise, LEAST_SIGMA2)
    tau2 = np.full(len(kernels), TAU2_START)
    for _ in range(MAX_ROUNDS):
        tau2_new = rest_tau2(design, gram / sigma2, sums / sigma2, tau2, few=len(y) < FEW_VALUES)
        mean, covariance = posterior(design, gram / sigma2, sums / sigma2, tau2_new)
        new = sigma2
        if noise is None:
            residual = y - centre - design.predict(mean)
            free = max(float(w.sum()) - float((covariance * gram).sum()) / sigma2, 1.0)
            new = max(float(w @ residual**2) / free, LEAST_SIGMA2)
        moved = abs(new - sigma2) + float(np.abs(tau2_new - tau2).max(initial=0.0))
        sigma2, tau2 = new, tau2_new
        if moved < TOLERANCE:
            break
    return _finish(design, y - centre, w, tau2, sigma2, centre)


def _finish(design: Design, y: Floats, w: Floats, tau2: Floats, sigma2: float, centre: float) -> GaussianFit:
    gram, rhs = design.gram(w) / sigma2, design.sums(w * y) / sigma2
    mean, covariance = posterior(design, gram, rhs, tau2)
    covariance = covariance + variance_uncertainty(design, mean, covariance, tau2)
    eta = design.predict(mean)
    intercepts = mean[:1] + centre
    fit = AdditiveFit(
        intercepts=intercepts,
        effects=tuple(f @ mean[part] for f, part in zip(design.factors, design.slices, strict=True)),
        tau2=tau2,
        covariance=covariance,
        linear_predictor=eta + centre,
        coefficients=mean,
        design=design,
        gram=gram,
        score=rhs - gram @ mean,
        residual=w * (y - eta) / sigma2,
        row_weights=w / sigma2,
    )
    return GaussianFit(fit, sigma2, y - eta)
