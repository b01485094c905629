"""The labelled rows and the additive fit on them: what every statement about an attribute rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from icp.bins import is_contrast, kernel
from icp.design import with_zero_row
from icp.fit import AdditiveFit, fit_additive, identity_kernel, ordered_kernel
from icp.label_rows import LabelRows, Mask, cluster_weights, hashed_share, within_account_correlation
from icp.profile import MISSING, Attribute, BinDictionary, Contrast
from icp.stats import Floats
from icp.trust import Trust, fit_trusted

SPLIT_SEED = 20  # of the halves of accounts segments are searched and confirmed on
MIN_KNOWN_ROWS, MIN_KNOWN_SHARE = 20, 0.03
MIN_CONTRAST_ROWS, MIN_CONTRAST_SHARE = 10, 0.01
SMALL_CORRELATION, CORRELATION_ROUNDS = 0.02, 6


@dataclass(frozen=True)
class Evidence:
    """The labelled rows with all that does not depend on which attributes are looked at.

    `beliefs` are the effects people believe in before seeing outcomes, per bin of an attribute (`icp.hypotheses`).
    `contrast` says what the rows are: deals won or lost, or accounts that are customers or not.
    """

    rows: LabelRows
    dictionary: BinDictionary
    change_points: Mapping[str, str] = field(default_factory=dict)
    correlation: float = 0.0
    beliefs: Mapping[str, Floats] = field(default_factory=dict)
    contrast: Contrast = "won_or_lost"

    def where(self, mask: Mask) -> Evidence:
        """The same with some of the rows."""
        return replace(self, rows=self.rows.where(mask))

    @cached_property
    def weights(self) -> Floats:
        """What each row counts for (accounts that come back count less than once per row)."""
        return cluster_weights(self.rows, self.correlation)

    @cached_property
    def is_searched(self) -> Mask:
        """Rows segments are searched on: those of one half of the accounts."""
        return np.array([hashed_share(str(a), SPLIT_SEED) < 0.5 for a in self.rows.accounts])

    def is_unseen(self, found_in: str) -> Mask:
        """Rows the search that found a segment had not seen: the other half of the accounts, and later quarters."""
        later = np.array(self.rows.window)[self.rows.periods] > found_in
        return np.asarray(later | ~self.is_searched)

    def is_old(self, name: str) -> Mask:
        """Rows from before the attribute's effect changed; all False when it never did."""
        quarter = self.change_points.get(name)
        return self.rows.is_before(quarter) if quarter else np.zeros(len(self.rows), dtype=bool)

    def current_codes(self, name: str) -> NDArray[np.int64]:
        """The bin of each row, -1 for rows from before the attribute's effect changed."""
        return np.where(self.is_old(name), -1, self.rows.codes[name].to_numpy().astype(np.int64))

    def counts(self, name: str) -> Floats:
        """Rows per bin, of the current regime."""
        codes = self.current_codes(name)
        return np.bincount(codes[codes >= 0], minlength=len(self.dictionary.bins[name])).astype(float)

    def shares(self, name: str) -> Floats:
        """Share of rows per bin, of the current regime."""
        counts = self.counts(name)
        return np.asarray(counts / max(counts.sum(), 1.0))


@dataclass(frozen=True)
class AxisFit:
    """Effects of the bins of some attributes. `intercept` is the level of the newest quarter.

    `believed` are the believed effects of each attribute and `trust` how far they count; absent without beliefs.
    """

    names: tuple[str, ...]
    fit: AdditiveFit
    intercept: float
    believed: tuple[Floats, ...] = ()
    trust: Trust | None = None

    @property
    def effects(self) -> tuple[Floats, ...]:
        """Log odds of each bin of each attribute: what outcomes say, around what is believed."""
        own = self.fit.effects[: len(self.names)]
        if self.trust is None:
            return own
        weight = self.trust.coefficient(self.fit)
        return tuple(effect + weight * mean for effect, mean in zip(own, self.believed, strict=True))

    def contrast(self, block: int, shares: Floats) -> tuple[Floats, Floats]:
        """Log odds of each bin against the average account worked, with standard errors."""
        return against_average(self.effects[block], self._covariance(block), shares)

    def _covariance(self, block: int) -> Floats:
        if self.trust is None:
            return self.fit.effect_covariance(block)
        return self.trust.effect_covariance(self.fit, block, self.believed[block])


def against_average(effects: Floats, covariance: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """The effects of an attribute's bins against their mean over the rows (`shares` per bin), with standard errors."""
    against = np.eye(len(shares)) - shares
    variance = np.diagonal(against @ covariance @ against.T)
    return against @ effects, np.sqrt(np.maximum(variance, 0.0))


def gather_evidence(rows: LabelRows, dictionary: BinDictionary, change_points: Mapping[str, str]) -> Evidence:
    """Find out how much repeated outcomes of one account repeat each other, and weigh rows accordingly.

    Deals of one account are not independent trials; counting them as if they were confirms attributes that merely name
    accounts. The correlation left once the attributes are accounted for is estimated anew with the weights it implies,
    until it settles.
    """
    evidence = Evidence(rows, dictionary, dict(change_points))
    names = [a.name for a in dictionary.attributes if not shortage(evidence, a)]
    for _ in range(CORRELATION_ROUNDS):
        if float(rows.repeats.max(initial=1.0)) == 1.0:
            break
        correlation = within_account_correlation(rows, fit_axis(evidence, names).fit)
        settled = abs(correlation - evidence.correlation) < SMALL_CORRELATION
        evidence = Evidence(rows, dictionary, evidence.change_points, correlation)
        if settled:
            break
    return evidence


def fit_axis(
    evidence: Evidence, names: Sequence[str], offset: Floats | None = None, tau2: Floats | None = None
) -> AxisFit:
    """Estimate the effects of these attributes together, each quarter at its own level.

    With an offset (the fit axis, when intent is estimated) the level is the offset's business. An attribute whose
    effect changed has its older rows in a block of their own: the effect reported is the current one. Of customers
    against all accounts, what is not known of an account says who enriched its record, and is taken out of every
    attribute's effect. `tau2` holds the variances of all blocks where they are.
    """
    rows = evidence.rows
    current = [evidence.current_codes(n) for n in names]
    unknown = _unknown(evidence, names, current)
    current = [np.where(gap, -1, codes) for gap, codes in zip(unknown, current, strict=True)]
    kernels = [
        kernel(evidence.dictionary.attribute(n), evidence.dictionary.bins[n], c)
        for n, c in zip(names, current, strict=True)
    ]
    columns = list(current)
    for j, name in enumerate(names):
        old = evidence.is_old(name)
        if old.any():
            columns.append(np.where(old, rows.codes[name].to_numpy(), -1))
            kernels.append(kernels[j])
    for gap in {gap.tobytes(): gap for gap in unknown if gap.any()}.values():
        columns.append(np.where(gap, 0, -1))
        kernels.append(identity_kernel(1))
    has_periods = offset is None and len(rows.window) > 1
    if has_periods:
        columns.append(rows.periods)
        kernels.append(ordered_kernel(len(rows.window), has_missing=False))
    codes = np.column_stack(columns) if columns else np.empty((len(rows), 0), dtype=np.int64)

    def fitted(also: Floats | None = None, fixed: Floats | None = None) -> AdditiveFit:
        known = offset if also is None else also if offset is None else offset + also
        return fit_additive(codes, kernels, rows.won, offset=known, fixed=fixed, weights=evidence.weights, tau2=tau2)

    believed = tuple(evidence.beliefs.get(n, np.zeros(len(evidence.dictionary.bins[n]))) for n in names)
    log_odds = _believed(believed, current)
    fit, trust = (fitted(), None) if log_odds is None else fit_trusted(fitted, log_odds)
    newest = float(fit.effects[-1][-1]) if has_periods else 0.0
    return AxisFit(tuple(names), fit, float(fit.intercepts[0]) + newest, believed if trust else (), trust)


def _unknown(evidence: Evidence, names: Sequence[str], codes: Sequence[NDArray[np.int64]]) -> list[Mask]:
    """Per attribute the rows whose value is not known and must not speak for it; none of them among deals."""
    if evidence.contrast == "won_or_lost":
        return [np.zeros(len(evidence.rows), dtype=bool)] * len(names)
    places = [[b.key for b in evidence.dictionary.bins[name]].index(MISSING) for name in names]
    return [np.asarray(own == place) for own, place in zip(codes, places, strict=True)]


def _believed(means: Sequence[Floats], codes: Sequence[NDArray[np.int64]]) -> Floats | None:
    """The believed log odds of each row, None where nothing is believed of these attributes."""
    if not any(mean.any() for mean in means):
        return None
    rows = [with_zero_row(mean)[own] for mean, own in zip(means, codes, strict=True)]
    return np.asarray(np.sum(rows, axis=0))


def shortage(evidence: Evidence, attribute: Attribute) -> str:
    """Why the data cannot say anything about this attribute; empty when they can."""
    counts, bins = evidence.counts(attribute.name), evidence.dictionary.bins[attribute.name]
    total = int(counts.sum())
    states = counts[:-1] if bins[-1].key == MISSING and is_contrast(attribute) else counts
    known = int(counts[:-1].sum()) if bins[-1].key == MISSING else total
    if known < max(MIN_KNOWN_ROWS, MIN_KNOWN_SHARE * total):
        return f"known for {known} of {total} opportunities"
    contrast = int(states.sum() - states.max(initial=0.0))
    if contrast == 0:
        return "the same for every opportunity"
    if contrast < max(MIN_CONTRAST_ROWS, MIN_CONTRAST_SHARE * total):
        return f"only {contrast} of {total} opportunities differ from the rest"
    return ""
