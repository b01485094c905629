"""The additive random-effects logistic: how much each bin of each attribute moves the odds of winning.

logit P(win) = offset + fixed columns + sum over blocks of effect[code], effect ~ N(0, tau^2 K). A block is one
attribute (or one attribute x period, for the diff); code -1 means "this row is not in this block". tau^2 is found by
empirical Bayes (MacKay 1992 fixed point); an attribute without signal gets tau^2 = 0 and drops out by itself.

Each kernel is factored K = L L', so a block's columns are rows of L and its coefficients u ~ N(0, tau^2 I).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.special import expit

from icp.design import Design, make_design
from icp.stats import Floats

FIXED_VARIANCE = 25.0  # weak prior of fixed columns: keeps a quarter without a single win finite
FREE_VARIANCE = 25.0
TAU2_START, TAU2_FLOOR, TAU2_CAP = 0.1, 1e-5, 4.0
FEW_WINS, PSEUDO_TERMS, PSEUDO_TAU2 = 60, 2.0, 0.05
MOST_LOG_VARIANCE = 2.0
TOLERANCE, MAX_STEPS = 1e-8, 60
TAU_TOLERANCE, TAU_ROUNDS, LONGEST_JUMP = 1e-10, 40, 8.0
TAU_SHARE = 1e-3  # of the last Newton step: variances need no more rest than the effects they go with
MAX_STEP = 4.0
SUBSAMPLE = 60_000


def identity_kernel(n_bins: int) -> Floats:
    """Bins without an order: each effect is drawn on its own."""
    return np.eye(n_bins)


def ordered_kernel(n_bins: int, has_missing: bool = True) -> Floats:
    """Ordered bins: half independent, half a centred random walk so that neighbours are alike; `missing` (last) apart.

    Both halves have the same trace, so tau^2 means the same for ordered and unordered attributes.
    """
    n = n_bins - int(has_missing)
    kernel = np.eye(n_bins)
    if n >= 2:
        steps = np.arange(1, n + 1, dtype=float)
        centre = np.eye(n) - 1 / n
        walk = centre @ np.minimum.outer(steps, steps) @ centre
        kernel[:n, :n] = 0.5 * np.eye(n) + 0.5 * walk * (n / np.trace(walk))
    return kernel


def contrast_kernel(share: float, n_bins: int = 3) -> Floats:
    """A set member: [no, yes, missing] where only yes against no matters and "not known" is the average account.

    Whether a set column is filled at all is the same fact for every member, so no member may claim it. `share` is the
    share of yes among the known; the prior variance of yes - no is 2 tau^2, as for two independent bins.
    """
    direction = np.zeros(n_bins)
    direction[:2] = -share, 1 - share
    return 2 * np.outer(direction, direction)


@dataclass(frozen=True)
class AdditiveFit:
    """Posterior of the additive profile.

    `intercepts` are the coefficients of [1, fixed columns]; `effects[j]` the posterior mean per bin of block j (log
    odds); `effect_covariance(j)` its covariance. `linear_predictor` includes the offset. The remaining fields are the
    state the score tests work from: the design, weights W, residuals and cross-products at the posterior.
    """

    intercepts: Floats
    effects: tuple[Floats, ...]
    tau2: Floats
    covariance: Floats
    linear_predictor: Floats
    coefficients: Floats
    design: Design
    gram: Floats
    score: Floats
    residual: Floats
    row_weights: Floats

    def effect_covariance(self, block: int) -> Floats:
        """Posterior covariance of the bin effects of one block."""
        part, factor = self.design.slices[block], self.design.factors[block]
        return np.asarray(factor @ self.covariance[part, part] @ factor.T)

    @property
    def intercept_covariance(self) -> Floats:
        """Posterior covariance of [1, fixed columns]."""
        n = self.design.fixed.shape[1]
        return self.covariance[:n, :n]


def fit_additive(
    codes: ArrayLike,
    kernels: Sequence[Floats],
    won: ArrayLike,
    *,
    offset: ArrayLike | None = None,
    fixed: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    tau2: ArrayLike | None = None,
) -> AdditiveFit:
    """Estimate the effect of every bin, shrunk by as much as the data themselves ask for.

    Args:
        codes: rows x blocks; bin number in the block, -1 for "not in this block".
        kernels: one bins x bins prior covariance per block (`identity_kernel`, `ordered_kernel`, `contrast_kernel`).
        won: 0/1 outcome per row.
        offset: known log odds per row, added as is.
        fixed: further columns with a (nearly) free coefficient; the constant is always there, first.
        weights: how many times each row counts.
        tau2: hold the variances at these values instead of estimating them.
    """
    y = np.asarray(won, dtype=float)
    columns = np.asarray(codes)
    design = make_design(columns[:, None] if columns.ndim == 1 else columns, kernels, fixed)
    problem = _Problem(
        design,
        y,
        np.zeros(len(y)) if offset is None else np.asarray(offset, dtype=float),
        np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float),
    )
    cold = _start_coefficients(problem)
    if tau2 is not None:
        return _solve(problem, np.asarray(tau2, dtype=float), cold, estimate=False)
    if len(y) > SUBSAMPLE:
        thinned = _solve(problem.thinned(-(-len(y) // SUBSAMPLE)), _start(design), cold, estimate=True)
        return _solve(problem, thinned.tau2, thinned.coefficients, estimate=False)
    return _solve(problem, _start(design), cold, estimate=True)


def _start(design: Design) -> Floats:
    return np.full(len(design.slices), TAU2_START)


@dataclass(frozen=True)
class _Problem:
    design: Design
    won: Floats
    offset: Floats
    weights: Floats

    def thinned(self, step: int) -> _Problem:
        return _Problem(self.design.every(step), self.won[::step], self.offset[::step], self.weights[::step])

    @property
    def has_few_wins(self) -> bool:
        wins = float((self.won * self.weights).sum())
        return min(wins, float(self.weights.sum()) - wins) < FEW_WINS


def _solve(problem: _Problem, tau2: Floats, coefficients: Floats, *, estimate: bool) -> AdditiveFit:
    """Newton steps on the effects, the variances brought to rest before each, until both stand still."""
    design = problem.design
    eta, moved, new_tau2 = design.predict(coefficients) + problem.offset, 1.0, tau2
    for _ in range(MAX_STEPS):
        gram, score, _, _ = _cross_products(problem, eta)
        rhs = gram @ coefficients + score
        if estimate:
            new_tau2 = rest_tau2(design, gram, rhs, tau2, few=problem.has_few_wins, within=TAU_SHARE * moved)
        target = posterior(design, gram, rhs, new_tau2)[0]
        proposal = design.predict(target) + problem.offset
        step = min(1.0, MAX_STEP / max(float(np.abs(proposal - eta).max(initial=0.0)), 1e-300))
        moved = step * float(np.abs(proposal - eta).max(initial=0.0)) + float(np.abs(new_tau2 - tau2).max(initial=0.0))
        coefficients, tau2 = coefficients + step * (target - coefficients), new_tau2
        eta = design.predict(coefficients) + problem.offset
        if moved < TOLERANCE:
            break
    return _finish(problem, coefficients, tau2, eta)


def _start_coefficients(problem: _Problem) -> Floats:
    coefficients = np.zeros(problem.design.width)
    coefficients[0] = _start_intercept(problem)
    return coefficients


def _start_intercept(problem: _Problem) -> float:
    total = float(problem.weights.sum())
    rate = (float((problem.won * problem.weights).sum()) + 0.5) / (total + 1)
    return float(np.log(rate / (1 - rate)) - np.average(problem.offset, weights=problem.weights)) if total else 0.0


def _cross_products(problem: _Problem, eta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """X'WX, X'(y - p), residuals and W at this linear predictor."""
    probability = expit(eta)
    row_weights = problem.weights * np.maximum(probability * (1 - probability), 1e-10)
    residual = problem.weights * (problem.won - probability)
    return problem.design.gram(row_weights), problem.design.sums(residual), residual, row_weights


def _scales(design: Design, tau2: Floats) -> Floats:
    """Prior standard deviation per column; 0 removes the column."""
    scale = np.full(design.width, np.sqrt(FIXED_VARIANCE))
    scale[design.width - len(design.block_of) :] = np.sqrt(tau2)[design.block_of]
    return scale


def posterior(design: Design, gram: Floats, rhs: Floats, tau2: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of all coefficients for a quadratic likelihood; removed columns are exactly 0."""
    active, d, inverse = _shrunk_inverse(design, gram, tau2)
    mean, covariance = np.zeros(len(rhs)), np.zeros((len(rhs), len(rhs)))
    covariance[np.ix_(active, active)] = d[:, None] * inverse * d
    mean[active] = d * (inverse @ (d * rhs[active]))
    return mean, covariance


def _posterior_variance(design: Design, gram: Floats, rhs: Floats, tau2: Floats) -> tuple[Floats, Floats]:
    """The mean of `posterior` and the diagonal of its covariance, to the last bit; the fixed point needs no more."""
    active, d, inverse = _shrunk_inverse(design, gram, tau2)
    mean, variance = np.zeros(len(rhs)), np.zeros(len(rhs))
    variance[active] = d * np.diagonal(inverse) * d
    mean[active] = d * (inverse @ (d * rhs[active]))
    return mean, variance


def _shrunk_inverse(design: Design, gram: Floats, tau2: Floats) -> tuple[NDArray[np.intp], Floats, Floats]:
    """The columns not removed, their prior standard deviations D, and (D X'WX D + I)^-1."""
    scale = _scales(design, tau2)
    active = np.flatnonzero(scale > 0)
    d = scale[active]
    own = gram if len(active) == len(scale) else gram[np.ix_(active, active)]
    matrix = d[:, None] * own * d
    matrix.flat[:: len(d) + 1] += 1.0
    return active, d, _inverse(matrix)


def _inverse(matrix: Floats) -> Floats:
    """By Cholesky. LAPACK is called directly: this runs ten thousand times a quarter and SciPy's checks cost as much."""
    factor, failed = dpotrf(matrix, lower=1, clean=0)
    if failed:
        raise LinAlgError("X'WX is not positive definite: a row weight or a code is not a number")
    return np.asarray(dpotrs(factor, np.eye(len(matrix)), lower=1)[0])


def rest_tau2(
    design: Design, gram: Floats, rhs: Floats, tau2: Floats, *, few: bool, within: float = TAU_TOLERANCE
) -> Floats:
    """Run the fixed point to rest (`within`) for this quadratic likelihood, extrapolating each variance as it goes.

    Three plain steps, then a jump along the observed geometric progress on the log scale (SQUAREM, Varadhan & Roland
    2008, per component); a step of the plain map always follows a jump, so the resting point is the same.
    """
    for _ in range(TAU_ROUNDS):
        first = _mackay_step(design, gram, rhs, tau2, few=few)
        second = _mackay_step(design, gram, rhs, first, few=few)
        if float(np.abs(second - first).max(initial=0.0)) < max(within, TAU_TOLERANCE):
            return second
        tau2 = _extrapolated(tau2, first, second)
    return second


def _extrapolated(start: Floats, first: Floats, second: Floats) -> Floats:
    live = second > 0
    logs = [np.log(x[live]) for x in (start, first, second)]
    step, bend = logs[1] - logs[0], logs[2] - 2 * logs[1] + logs[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.where(bend == 0, 1.0, np.clip(np.abs(step / bend), 1.0, LONGEST_JUMP))
    jumped = np.zeros_like(second)
    jumped[live] = np.exp(np.clip(logs[0] + 2 * length * step + length**2 * bend, np.log(TAU2_FLOOR), np.log(TAU2_CAP)))
    return jumped


def _mackay_step(design: Design, gram: Floats, rhs: Floats, tau2: Floats, *, few: bool) -> Floats:
    """tau^2 <- sum of squared effects / number of well-determined effects, per block (MacKay 1992)."""
    mean, variance = _posterior_variance(design, gram, rhs, tau2)
    new = np.zeros_like(tau2)
    for j in np.flatnonzero(tau2):
        part = design.slices[j]
        squares = float(mean[part] @ mean[part])
        determined = max((part.stop - part.start) - float(variance[part].sum()) / tau2[j], 1e-12)
        if few:
            squares, determined = squares + PSEUDO_TERMS * PSEUDO_TAU2, determined + PSEUDO_TERMS
        new[j] = min(squares / determined, TAU2_CAP)
    new[new < TAU2_FLOOR] = 0.0
    return new


def _finish(problem: _Problem, coefficients: Floats, tau2: Floats, eta: Floats) -> AdditiveFit:
    design = problem.design
    gram, score, residual, row_weights = _cross_products(problem, eta)
    covariance = posterior(design, gram, gram @ coefficients + score, tau2)[1]
    covariance = covariance + variance_uncertainty(design, coefficients, covariance, tau2)
    return AdditiveFit(
        intercepts=coefficients[: design.fixed.shape[1]],
        effects=tuple(f @ coefficients[part] for f, part in zip(design.factors, design.slices, strict=True)),
        tau2=tau2,
        covariance=covariance,
        linear_predictor=eta,
        coefficients=coefficients,
        design=design,
        gram=gram,
        score=score,
        residual=residual,
        row_weights=row_weights,
    )


def variance_uncertainty(design: Design, coefficients: Floats, covariance: Floats, tau2: Floats) -> Floats:
    """What not knowing tau^2 adds to the covariance (Kass & Steffey 1989, first order).

    d mean / d log tau_j^2 = V_.j u_j / tau_j^2; the variance of log tau_j^2 is 2 / sum of squared shrinkage factors.
    Without it the intervals of strongly shrunk effects are too short.
    """
    added = np.zeros_like(covariance)
    for j in np.flatnonzero(tau2):
        part = design.slices[j]
        kept = np.clip(1 - np.diagonal(covariance)[part] / tau2[j], 0.0, 1.0)
        spread = min(2 / max(float(kept @ kept), 1e-12), MOST_LOG_VARIANCE)
        gradient = covariance[:, part] @ coefficients[part] / tau2[j]
        added += spread * np.outer(gradient, gradient)
    return added
