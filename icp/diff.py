"""What changed between two quarters' ICPs, what did not, and what nobody can tell yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from icp.bins import kernel
from icp.change_model import ChangeBlock, Effects
from icp.change_test import ChangeResult, find_changes
from icp.diff_words import verdict_sentence
from icp.entering import EnteringLevel, find_entering, with_average_bin
from icp.label_rows import LabelRows, Mask, read_label_rows
from icp.membership import confirmed, qualified_changes
from icp.profile import MISSING, NO, Attribute, Bin, Estimate, Profile
from icp.selection import Evidence, gather_evidence, shortage
from icp.stats import Floats, share_under_odds, wilson_interval
from icp.verdicts import (
    AttributeChange,
    BinChange,
    EnteringSegment,
    Outcome,
    ProfileDiff,
    ShareMove,
    Verdict,
)

__all__ = ["ProfileDiff", "compare"]

STABLE_ODDS, STABLE_SHARE, STABLE_LEVEL = 1.5, 0.10, 0.90  # a 90 % interval is two one-sided tests at 5 %
DETECTABLE_BINS, DETECTABLE_FLAG = 6.8, 4.5  # sd of log odds change seen 80 % of the time, times sqrt(N p (1 - p))
USUAL_WINDOW = 4.0  # those two figures are for one quarter against four
MIN_WINS, MIN_LOSSES, LARGEST_DETECTABLE = 10, 10, 4.0
REFERENCE_SHARE = 1 / 3  # of the wins: the group a detectable move of odds is told for


def compare(incumbent: Profile | None, candidate: Profile, frame: pd.DataFrame, quarter: str) -> ProfileDiff:
    """Test whether what wins changed in this quarter against the window before it.

    The two profiles are not held against each other: with nothing changed, two fits differ in nearly every line
    (docs/method.md). The outcomes are tested, on the incumbent's bins.

    Args:
        incumbent: the profile in force; None for the first quarter.
        candidate: what `derive` made of the same frame.
        frame: the label rows of the window, those of the new quarter included.
        quarter: the new quarter.
    """
    dictionary = (incumbent or candidate).bins
    raw = frame[frame["outcome_quarter"].notna() & (frame["outcome_quarter"] <= quarter)].reset_index(drop=True)
    rows = read_label_rows(raw, dictionary)
    evidence = gather_evidence(rows, dictionary, incumbent.change_points if incumbent else {})
    comparison = _Comparison(evidence, quarter, raw.loc[rows.codes.index])
    diff = _untested(comparison, candidate) if incumbent is None else _tested(comparison, incumbent, candidate)
    return replace(diff, sentence=verdict_sentence(diff, candidate))


@dataclass(frozen=True)
class _Comparison:
    """The labelled rows, split at the new quarter."""

    evidence: Evidence
    quarter: str
    raw: pd.DataFrame

    @property
    def rows(self) -> LabelRows:
        """The labelled rows."""
        return self.evidence.rows

    @property
    def is_new(self) -> Mask:
        """Rows of the new quarter."""
        return np.asarray(np.array(self.rows.window)[self.rows.periods] == self.quarter)

    @property
    def shortage(self) -> str:
        """Why there is nothing to test; empty when there is."""
        new = self.rows.won[self.is_new]
        wins, losses = int(new.sum()), int(len(new) - new.sum())
        if len(new) == len(self.rows):
            return "no outcomes before this quarter to compare with"
        if wins < MIN_WINS or losses < MIN_LOSSES:
            return f"{self.quarter} brought {wins} won and {losses} lost, at least {MIN_WINS} of each are needed"
        return ""

    def since(self, name: str) -> int:
        """First period of the attribute's present regime."""
        quarter = self.evidence.change_points.get(name, "")
        return sum(label < quarter for label in self.rows.window)

    def shortage_of(self, attribute: Attribute) -> str:
        """Why this attribute cannot be tested; empty when it can."""
        if self.shortage:
            return self.shortage
        if self.since(attribute.name) >= len(self.rows.window) - 1:
            return "no outcomes since its last change to compare with"
        return shortage(self.evidence, attribute)

    def information(self, since: int = 0) -> float:
        """N p (1 - p), N the new outcomes discounted for how few earlier ones they are compared with."""
        weights, new = self.evidence.weights, self.is_new
        now, before = float(weights[new].sum()), float(weights[~new & (self.rows.periods >= since)].sum())
        count = (1 + 1 / USUAL_WINDOW) * now * before / max(now + before, 1.0)
        rate = (float(self.rows.won[new].sum()) + 0.5) / (int(new.sum()) + 1)
        return count * rate * (1 - rate)

    def detectable(self, since: int = 0) -> float | None:
        """The odds multiplier by which the bins of an attribute would typically have to move to be seen."""
        information = self.information(since)
        return _odds(DETECTABLE_BINS / math.sqrt(information)) if information > 0 else None

    def share_move(self, detectable: float | None) -> ShareMove | None:
        """The detectable odds as a move of a share of the wins, for a group with a third of them and the usual win rate."""
        won = self.rows.won[self.is_new]
        if detectable is None or not len(won):
            return None
        return ShareMove("", REFERENCE_SHARE, share_under_odds(REFERENCE_SHARE, float(won.mean()), detectable))

    def share_move_of(self, attribute: Attribute, detectable: float | None) -> ShareMove | None:
        """The same for the attribute's known group with the most wins (of a flag or a set's member, those that have it)."""
        bins = self.evidence.dictionary.bins[attribute.name]
        codes, won = self.rows.codes[attribute.name].to_numpy()[self.is_new], self.rows.won[self.is_new]
        wins = np.bincount(codes, weights=won, minlength=len(bins))
        told = [i for i, b in enumerate(bins) if b.key not in (MISSING, NO) and wins[i] > 0]
        if detectable is None or not told:
            return None
        largest = max(told, key=lambda i: wins[i])
        rate, share = float(won[codes == largest].mean()), float(wins[largest] / wins.sum())
        return ShareMove(bins[largest].label, share, share_under_odds(share, rate, detectable))


def _odds(log_odds: float) -> float:
    return math.exp(min(log_odds, 10.0))


def _untested(comparison: _Comparison, candidate: Profile) -> ProfileDiff:
    return ProfileDiff(
        icp=candidate.icp,
        before_quarter=None,
        quarter=comparison.quarter,
        outcome="first profile",
        sentence="",
        opportunities=int(comparison.is_new.sum()),
        wins=int(comparison.rows.won[comparison.is_new].sum()),
        criteria=len(confirmed(candidate)),
        detectable=None,
        attributes=(),
        entering=(),
        memberships=(),
        change_points={},
    )


def _tested(comparison: _Comparison, incumbent: Profile, candidate: Profile) -> ProfileDiff:
    levels = [] if comparison.shortage else find_entering(comparison.raw, incumbent.bins, comparison.rows.periods)
    tested = _run_test(comparison, levels)
    entering = tuple(_segment(comparison, level, tested[level.name]) for level in levels)
    attributes = tuple(_attribute(comparison, a, tested.get(a.name)) for a in incumbent.bins.attributes)
    diff = replace(
        _untested(comparison, candidate),
        before_quarter=incumbent.quarter,
        detectable=comparison.detectable(),
        detectable_share=comparison.share_move(comparison.detectable()),
        attributes=attributes,
        entering=entering,
        change_points=_change_points(comparison, attributes),
    )
    return replace(
        diff,
        outcome=_outcome(diff, incumbent, candidate),
        criteria=len({*confirmed(incumbent), *confirmed(candidate), *diff.changed}),
        memberships=qualified_changes(incumbent, candidate, diff.changed),
    )


def _run_test(comparison: _Comparison, levels: Sequence[EnteringLevel]) -> dict[str, ChangeResult]:
    attributes = [a for a in comparison.evidence.dictionary.attributes if not comparison.shortage_of(a)]
    if not attributes:
        return {}
    blocks = [_block(comparison, a, levels) for a in attributes]
    blocks += [level.block(comparison.is_new) for level in levels]
    rows = comparison.rows
    return {t.name: t for t in find_changes(blocks, rows.won, rows.periods, comparison.evidence.weights)}


def _block(comparison: _Comparison, attribute: Attribute, levels: Sequence[EnteringLevel]) -> ChangeBlock:
    """An attribute's bins; what is only now entering is an average account rather than one more of `other`."""
    codes = comparison.rows.codes[attribute.name].to_numpy().astype(np.int64)
    bins = comparison.evidence.dictionary.bins[attribute.name]
    shape = kernel(attribute, bins, codes)
    entering = [level.members for level in levels if level.attribute == attribute.name]
    if entering:
        is_entering = np.logical_or.reduce(entering)
        shape = with_average_bin(shape, np.bincount(codes[~is_entering], minlength=len(bins)))
        codes = np.where(is_entering, len(bins), codes)
    return ChangeBlock(attribute.name, codes, shape, comparison.since(attribute.name))


def _outcome(diff: ProfileDiff, incumbent: Profile, candidate: Profile) -> Outcome:
    if not confirmed(incumbent) and confirmed(candidate):
        return "first profile"
    if diff.is_change:
        return "changed"
    is_blind = _is_blind(diff.detectable)
    is_untested = all(a.p_value is None for a in diff.attributes)
    return "cannot tell at this n" if is_blind or is_untested else "no evidence"


def _change_points(comparison: _Comparison, attributes: Sequence[AttributeChange]) -> dict[str, str]:
    """Since when each attribute's effect is what it is now; a change the window has outgrown is forgotten."""
    first = comparison.rows.window[0]
    known = {name: quarter for name, quarter in comparison.evidence.change_points.items() if quarter > first}
    return known | {a.attribute: comparison.quarter for a in attributes if a.verdict == "changed"}


def _attribute(comparison: _Comparison, attribute: Attribute, tested: ChangeResult | None) -> AttributeChange:
    change = AttributeChange(
        attribute=attribute.name,
        label=attribute.label,
        family=attribute.family,
        axis=attribute.axis,
        verdict="cannot tell at this n",
        p_value=None,
        q_value=None,
        is_mix_driven=False,
        detectable=None,
        bins=(),
        reason=comparison.shortage_of(attribute),
    )
    if tested is None:
        return change
    bins = comparison.evidence.dictionary.bins[attribute.name]
    detectable = _detectable(comparison, attribute, tested)
    return replace(
        change,
        verdict=_verdict(tested, bins, detectable),
        p_value=tested.p_value,
        q_value=tested.q_value,
        is_mix_driven=tested.is_mix_driven,
        detectable=detectable,
        detectable_share=comparison.share_move_of(attribute, detectable),
        bins=tuple(_bin_change(tested, code, b.key, b.label) for code, b in enumerate(bins)),
    )


def _verdict(tested: ChangeResult, bins: Sequence[Bin], detectable: float | None) -> Verdict:
    if tested.is_change:
        return "changed"
    if _is_stable(tested, bins):
        return "stable"
    return "cannot tell at this n" if _is_blind(detectable) else "no evidence"


def _is_blind(detectable: float | None) -> bool:
    """Whether even a large change would most likely have gone unseen."""
    return detectable is None or detectable > LARGEST_DETECTABLE


def _is_stable(tested: ChangeResult, bins: Sequence[Bin]) -> bool:
    """Every bin with a share of 10 % (and the two largest known ones) shown to have moved by less than x 1.5."""
    shares = np.minimum(tested.shares_now, tested.shares_before)[: len(bins)]
    known = [code for code in np.argsort(-shares) if bins[code].key != MISSING]
    counted = {*np.flatnonzero(shares >= STABLE_SHARE), *known[:2]}
    intervals = [tested.change.odds(int(code), STABLE_LEVEL)[1:] for code in counted]
    return all(low > 1 / STABLE_ODDS and high < STABLE_ODDS for low, high in intervals)


def _detectable(comparison: _Comparison, attribute: Attribute, tested: ChangeResult) -> float | None:
    """As odds of yes against no for a flag, as the typical move of a bin otherwise."""
    since = comparison.since(attribute.name)
    bins = comparison.evidence.dictionary.bins[attribute.name]
    if sum(b.key != MISSING for b in bins) > 2:
        return comparison.detectable(since)
    states = tested.shares_now[:2]
    spread = math.sqrt(float(states.prod())) / max(float(states.sum()), 1e-9)
    information = comparison.information(since)
    return _odds(DETECTABLE_FLAG / math.sqrt(information) / max(spread, 1e-3)) if information > 0 else None


def _bin_change(tested: ChangeResult, code: int, key: str, label: str) -> BinChange:
    return BinChange(
        key=key,
        label=label,
        share_before=float(tested.shares_before[code]),
        share_now=float(tested.shares_now[code]),
        before=_estimate(tested.before, code),
        now=_estimate(tested.now, code),
        change=_estimate(tested.change, code),
    )


def _estimate(effects: Effects, code: int) -> Estimate:
    return Estimate(*effects.odds(code))


def _segment(comparison: _Comparison, level: EnteringLevel, tested: ChangeResult) -> EnteringSegment:
    own = level.members & comparison.is_new
    others: Floats = comparison.rows.won[comparison.is_new & ~own]
    wins = int(comparison.rows.won[own].sum())
    rate = wilson_interval(wins, int(own.sum()))
    return EnteringSegment(
        attribute=level.attribute,
        label=level.label,
        level=level.level,
        share_before=level.share_before,
        share_now=level.share_now,
        opportunities=int(own.sum()),
        wins=wins,
        rate=Estimate(*rate),
        rate_of_others=float(others.mean()) if len(others) else 0.0,
        q_value=tested.q_value,
        is_change=tested.is_change,
    )
