"""The fit when people believe something: effects around the believed ones, as far as the outcomes let them be trusted.

effect_j ~ N(s mu_j, tau_j^2 K_j): one trust weight s multiplies all believed effects mu. s ~ N(1, .5^2) on [0, 1.5], so
that beliefs carry the profile while there is nothing else and are overruled when outcomes disagree. The truncation is
replaced by the Gaussian that gives s the same posterior mean and variance (expectation propagation, Minka 2001): the
fit stays one additive logistic, with the prior's linear predictor as one more column.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from icp.fit import FIXED_VARIANCE, AdditiveFit
from icp.profile import Estimate
from icp.stats import Floats

PRIOR_TRUST, PRIOR_SD = 1.0, 0.5
LEAST_TRUST, MOST_TRUST = 0.0, 1.5
ROUNDS, SETTLED = 4, 0.01
LEAST_PRECISION = 1e-3
COLUMN = 1  # of the fixed columns, the one after the constant

Fitter = Callable[[Floats, Floats], AdditiveFit]


@dataclass(frozen=True)
class Trust:
    """How far beliefs are trusted. s = centre + scale x the coefficient of the belief column; `weight` is s with its
    95 % interval: 1 as believed, 0 not at all."""

    weight: Estimate
    centre: float
    scale: float

    def coefficient(self, fit: AdditiveFit) -> float:
        """The trust weight this fit uses."""
        return self.centre + self.scale * float(fit.coefficients[COLUMN])

    def effect_covariance(self, fit: AdditiveFit, block: int, believed: Floats) -> Floats:
        """Posterior covariance of believed effects: what outcomes leave open, and how far to trust what is believed."""
        part, factor = fit.design.slices[block], fit.design.factors[block]
        columns = np.array([COLUMN, *range(part.start, part.stop)])
        together = np.column_stack([self.scale * believed, factor])
        return np.asarray(together @ fit.covariance[np.ix_(columns, columns)] @ together.T)


def fit_trusted(fitter: Fitter, believed: Floats) -> tuple[AdditiveFit, Trust]:
    """Fit the effects and the trust weight together.

    Args:
        fitter: fits the additive profile given an offset to add to the usual one, and the belief column.
        believed: the believed log odds of each row (against the average account).
    """
    centre, variance = PRIOR_TRUST, PRIOR_SD**2
    for _ in range(ROUNDS):
        scale = math.sqrt(variance / FIXED_VARIANCE)
        fit = fitter(centre * believed, (scale * believed)[:, None])
        mean, spread = _marginal(fit, centre, scale)
        if abs(mean - _truncated(mean, spread)[0]) < SETTLED and centre == PRIOR_TRUST:
            break
        information = max(1 / spread - 1 / variance, 0.0)
        shift = mean / spread - centre / variance
        free_precision = information + 1 / PRIOR_SD**2
        free_mean = (shift + PRIOR_TRUST / PRIOR_SD**2) / free_precision
        target, target_variance = _truncated(free_mean, 1 / free_precision)
        if abs(mean - target) < SETTLED and abs(spread - target_variance) < SETTLED:
            break
        precision = max(1 / target_variance - information, LEAST_PRECISION)
        centre, variance = (target / target_variance - shift) / precision, 1 / precision
    mean, spread = _marginal(fit, centre, scale)
    return fit, Trust(_interval(mean, spread), centre, scale)


def _marginal(fit: AdditiveFit, centre: float, scale: float) -> tuple[float, float]:
    """Posterior mean and variance of s."""
    variance = scale**2 * float(fit.intercept_covariance[COLUMN, COLUMN])
    return centre + scale * float(fit.coefficients[COLUMN]), max(variance, 1e-8)


def _truncated(mean: float, variance: float) -> tuple[float, float]:
    """Mean and variance of N(mean, variance) cut to the range a trust weight may have."""
    grid = np.linspace(LEAST_TRUST, MOST_TRUST, 601)
    log_density = -((grid - mean) ** 2) / (2 * variance)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    centre = float(density @ grid)
    return centre, max(float(density @ (grid - centre) ** 2), 1e-6)


def _interval(mean: float, variance: float) -> Estimate:
    """95 % of the normal that fits s, cut to its range."""
    sd = math.sqrt(variance)
    low, high = ndtr((LEAST_TRUST - mean) / sd), ndtr((MOST_TRUST - mean) / sd)
    if high - low < 1e-9:
        value = min(max(mean, LEAST_TRUST), MOST_TRUST)
        return Estimate(value, value, value)
    ends = [mean + sd * float(ndtri(low + share * (high - low))) for share in (0.025, 0.975)]
    clipped = [min(max(end, LEAST_TRUST), MOST_TRUST) for end in ends]
    return Estimate(min(max(mean, clipped[0]), clipped[1]), clipped[0], clipped[1])
