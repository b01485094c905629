"""The model behind the change test: what wins over several periods, and room for it to differ in the newest.

Works on codes and kernels only. What the codes mean is `icp.diff`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.special import expit, ndtr

from icp.design import Codes
from icp.fit import FREE_VARIANCE, AdditiveFit, fit_additive, posterior
from icp.stats import Floats, combined_p_value, mixture_chi2_tail, normal_quantile

FLAG_LEVEL = 0.04
# What counts for how much in a p-value: the tests for any change, under two kernels, and the one along the effect.
ANY_CHANGE_AND_ALONG = (0.25, 0.25, 0.5)
FADES = 0.9  # of the test along the effect
LEAST_USUAL_VARIANCE = 0.05**2  # the direction of an attribute whose effect was not seen at all
STILL_THERE = 0.01  # a change that is none of the mix keeps this p-value when the earlier rows have the newest mix
MATERIAL_ODDS, MATERIAL_SHARE = 1.25, 0.05
EFFECT_SD = 0.05  # of an attribute's log odds over all periods: it has an effect that may change
REPORT_VARIANCE = 2.25  # weak prior of reported effects: a bin without a win gets wide odds, not infinite ones
LARGEST_WEIGHT = 10.0

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ChangeBlock:
    """One possible change: an attribute's bin per row (-1: none), or a level that was hardly there before.

    `since` is the first period of the attribute's present regime: earlier rows, from before a change already reported,
    say nothing about it. A block that `is_entering` has no past, so no main effect of its own: it is tested against what
    its rows' other attributes say.
    """

    name: str
    codes: Codes
    kernel: Floats
    since: int = 0
    is_entering: bool = False


@dataclass(frozen=True)
class Effects:
    """Log odds per bin, against the average row of the newest period, with standard errors."""

    value: Floats
    error: Floats

    def odds(self, bin_code: int, level: float = 0.95) -> tuple[float, float, float]:
        """Odds multiplier of one bin and its interval."""
        half = normal_quantile(level) * self.error[bin_code]
        centre = self.value[bin_code]
        return float(np.exp(centre)), float(np.exp(centre - half)), float(np.exp(centre + half))


@dataclass(frozen=True)
class ChangeModel:
    """Main effects of all attributes, period intercepts, the changes attributed so far, and those still in question.

    Changes in question are held at zero in the fit, but their cross-products with everything else are there, so every
    test and estimate is a small linear problem at the fitted point.
    """

    blocks: tuple[ChangeBlock, ...]
    won: Floats
    periods: Codes
    weights: Floats
    main_tau2: Floats
    added: tuple[str, ...] = ()

    @classmethod
    def build(cls, blocks: Sequence[ChangeBlock], won: Floats, periods: Codes, weights: Floats) -> ChangeModel:
        """Estimate how much each attribute's effects vary, all periods together."""
        empty = cls(tuple(blocks), won, periods, weights, np.empty(0))
        codes, kernels = empty.main
        fit = fit_additive(codes, kernels, won, fixed=empty.period_columns, weights=weights)
        return replace(empty, main_tau2=fit.tau2)

    def with_change(self, name: str) -> ChangeModel:
        """The model with one more change attributed."""
        return replace(self, added=(*self.added, name))

    @cached_property
    def is_new(self) -> Flags:
        """Rows of the newest period."""
        return np.asarray(self.periods == self.periods.max())

    @cached_property
    def period_columns(self) -> Floats:
        """An intercept per period after the first."""
        return np.asarray(self.periods[:, None] == np.arange(1, int(self.periods.max()) + 1), dtype=float)

    @cached_property
    def main(self) -> tuple[Codes, list[Floats]]:
        """Attribute blocks; an attribute that changed before has one block per regime."""
        columns, kernels = [], []
        for block in self.blocks:
            for rows in self._regimes(block):
                columns.append(np.where(rows, block.codes, -1))
                kernels.append(block.kernel)
        return np.column_stack(columns), kernels

    def _regimes(self, block: ChangeBlock) -> list[Flags]:
        if block.is_entering:
            return []
        present = np.asarray(self.periods >= block.since)
        return [present] if present.all() else [~present, present]

    @cached_property
    def main_of(self) -> dict[str, int]:
        """Number of the main block of the present regime, per attribute."""
        ends = np.cumsum([len(self._regimes(block)) for block in self.blocks])
        return {b.name: int(end) - 1 for b, end in zip(self.blocks, ends, strict=True) if not b.is_entering}

    @cached_property
    def change_of(self) -> dict[str, int]:
        """Number of each block's change among all blocks of the fit."""
        return {block.name: len(self.main_tau2) + i for i, block in enumerate(self.blocks)}

    @cached_property
    def tau2(self) -> Floats:
        """Variances of the null model: changes attributed so far are free, those in question zero."""
        changes = [FREE_VARIANCE if block.name in self.added else 0.0 for block in self.blocks]
        return np.concatenate([self.main_tau2, changes])

    @cached_property
    def fit(self) -> AdditiveFit:
        """The null model, with the cross-products of every change in question."""
        codes, kernels = self.main
        changes = [np.where(self.is_new, block.codes, -1) for block in self.blocks]
        return fit_additive(
            np.column_stack([codes, *changes]),
            [*kernels, *(block.kernel for block in self.blocks)],
            self.won,
            fixed=self.period_columns,
            weights=self.weights,
            tau2=self.tau2,
        )

    def p_value(self, name: str) -> float:
        """Score tests of no change, combined: of any change, and of what usually happens, an effect that fades.

        Q = U'U on the columns of a kernel against its chi-square mixture, under the attribute's own kernel (a change that
        runs through all bins counts most, one that moves from a bin to the next hardly at all) and with every bin on its
        own (the other way round). The third test asks for a change along the attribute's own effects.
        """
        own, (information, score) = self._own_columns(name), self._given_others(name)
        main, change = slice(0, own[0]), slice(own[0], sum(own))
        free = information[main, main] + np.eye(own[0]) / FREE_VARIANCE
        by_main = np.linalg.solve(free, np.column_stack([information[main, change], score[main]]))
        u = score[change] - information[change, main] @ by_main[:, -1]
        spread = information[change, change] - information[change, main] @ by_main[:, :-1]
        alone = np.linalg.pinv(self.fit.design.factors[self.change_of[name]])  # to one column per bin
        v = alone.T @ u
        any_change = [
            mixture_chi2_tail(float(u @ u), np.linalg.eigvalsh(spread)),
            mixture_chi2_tail(float(v @ v), np.linalg.eigvalsh(alone.T @ spread @ alone)),
        ]
        if name not in self.main_of:
            return combined_p_value(any_change)
        along = _along(self._usual_effect(name, np.asarray(by_main[:, -1]), np.asarray(free)), u, spread)
        return combined_p_value([*any_change, along], ANY_CHANGE_AND_ALONG)

    def _usual_effect(self, name: str, free_estimate: Floats, precision: Floats) -> Floats:
        """The attribute's effect over all periods in the columns of its kernel, shrunk from its free estimate.

        A function of that estimate alone, which the test's U does not depend on: so the direction is as good as chosen
        before the newest outcomes were seen. An estimate of the earlier periods would not be: where it is large by chance,
        the newest period always looks like fading.
        """
        tau2 = max(float(self.main_tau2[self.main_of[name]]), LEAST_USUAL_VARIANCE)
        shrunk = precision + np.eye(len(precision)) / tau2
        return np.asarray(np.linalg.solve(shrunk, precision @ free_estimate))

    def _parts(self, name: str) -> list[int]:
        """The block's main effect, unless it has none, and its change, among all blocks of the fit."""
        return [self.main_of[name], self.change_of[name]] if name in self.main_of else [self.change_of[name]]

    def _own_columns(self, name: str) -> tuple[int, int]:
        """How many columns main effect and change have."""
        widths = [part.stop - part.start for part in (self.fit.design.slices[j] for j in self._parts(name))]
        return (widths[0], widths[1]) if len(widths) == 2 else (0, widths[0])

    @cached_property
    def _null(self) -> tuple[Floats, Floats]:
        """The response of the normal equations at the fitted point, and the covariance of all coefficients."""
        response = self.fit.gram @ self.fit.coefficients + self.fit.score
        return response, posterior(self.fit.design, self.fit.gram, response, self.tau2)[1]

    def _given_others(self, name: str) -> tuple[Floats, Floats]:
        """What outcomes say of a block's main effect and change, all others at their posterior: information and score.

        The block itself is taken out of the null model's covariance, so that any prior can be put in its place without
        inverting everything again.
        """
        gram, (response, covariance) = self.fit.gram, self._null
        own = np.concatenate([np.arange(*self.fit.design.slices[j].indices(len(gram))) for j in self._parts(name)])
        cross = gram[own]
        weighed = cross @ covariance
        fitted = own[np.diagonal(covariance)[own] > 0]  # a block held at zero is out already
        if len(fitted):
            taken = np.linalg.solve(covariance[np.ix_(fitted, fitted)], covariance[fitted])
            weighed = weighed - weighed[:, fitted] @ taken
        return cross[:, own] - weighed @ cross.T, response[own] - weighed @ response

    def has_effect(self, name: str) -> bool:
        """Whether the attribute matters for winning, all periods together; a level that is only now entering may."""
        if name not in self.main_of:
            return True
        block = self._block(name)
        share, effect = _shares(block, self.periods >= block.since), self.fit.effects[self.main_of[name]]
        return bool(share @ (effect - share @ effect) ** 2 >= EFFECT_SD**2)

    def effects(self, name: str) -> tuple[Effects, Effects, Effects]:
        """Before, now and change of one block, hardly shrunk, as contrasts to the average row of the newest period."""
        information, score = self._given_others(name)
        covariance = np.asarray(np.linalg.inv(information + np.eye(len(score)) / REPORT_VARIANCE), dtype=float)
        mean = np.asarray(covariance @ score)
        to_bins = self._contrasts(name)
        before, change = (to_bins[0], to_bins[1]) if len(to_bins) == 2 else (0 * to_bins[0], to_bins[0])
        return (
            _effects(before, mean, covariance),
            _effects(before + change, mean, covariance),
            _effects(change, mean, covariance),
        )

    def _contrasts(self, name: str) -> list[Floats]:
        """Per part the matrix from the block's columns to its bins' effects, less their average over the newest rows.

        An entering level has nothing to be averaged with: its effect is against what its other attributes say.
        """
        shares = self.shares(self._block(name))[1] * (name in self.main_of)
        against = [f - shares @ f for f in (self.fit.design.factors[part] for part in self._parts(name))]
        together = block_diag(*against)
        return list(together.reshape(len(against), -1, together.shape[1]))  # the parts have the same bins

    def _block(self, name: str) -> ChangeBlock:
        return next(block for block in self.blocks if block.name == name)

    def shares(self, block: ChangeBlock) -> tuple[Floats, Floats]:
        """Share of rows per bin in the present regime's earlier periods and in the newest one."""
        earlier = ~self.is_new & (self.periods >= block.since)
        return _shares(block, earlier), _shares(block, self.is_new)

    def is_material(self, name: str) -> bool:
        """Large enough to act on: some bin with a share of customers worth naming moved its odds by a quarter."""
        _, shares = self.shares(self._block(name))
        moved = np.abs(self.effects(name)[2].value) >= np.log(MATERIAL_ODDS)
        return bool((moved & (shares >= MATERIAL_SHARE)).any())

    def is_mix_driven(self, name: str) -> bool:
        """Whether the change vanishes once the earlier rows are weighted to the newest mix of accounts."""
        if self._block(name).is_entering:
            return False  # a level that was not there cannot be reweighted into being
        others = tuple(other for other in self.added if other != name)
        return replace(self, weights=self.weights * self.reweighting, added=others).p_value(name) > STILL_THERE

    @cached_property
    def reweighting(self) -> Floats:
        """Weights that give the earlier rows the newest mix, scaled to their effective number (Kish)."""
        attributes = [block for block in self.blocks if not block.is_entering]
        codes, kernels = np.column_stack([b.codes for b in attributes]), [b.kernel for b in attributes]
        newness = expit(fit_additive(codes, kernels, self.is_new).linear_predictor)
        odds = newness / (1 - newness)
        earlier = ~self.is_new
        ratio = np.minimum(odds / odds[earlier].mean(), LARGEST_WEIGHT)[earlier]
        weights = np.ones(len(self.won))
        weights[earlier] = ratio * ratio.sum() / (ratio**2).sum()
        return weights


def _along(effect: Floats, u: Floats, spread: Floats) -> float:
    """p-value of a change along an effect: exact, nine tenths of it for fading or turning, a tenth for growing."""
    variance = float(effect @ spread @ effect)
    if variance <= 0:
        return 0.5  # no direction to look in: nothing for or against a change in the combination
    fading = float(ndtr(effect @ u / np.sqrt(variance)))
    return min(fading / FADES, (1 - fading) / (1 - FADES), 1.0)


def _shares(block: ChangeBlock, rows: Flags) -> Floats:
    codes = block.codes[rows & (block.codes >= 0)]
    return np.bincount(codes, minlength=len(block.kernel)) / max(len(codes), 1)


def _effects(contrast: Floats, mean: Floats, covariance: Floats) -> Effects:
    spread = np.einsum("ij,jk,ik->i", contrast, covariance, contrast)
    return Effects(contrast @ mean, np.sqrt(np.maximum(spread, 0.0)))
