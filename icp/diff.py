"""What changed between two quarters' ICPs, what did not, and what nobody can tell yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from icp.bins import kernel
from icp.change_model import ChangeBlock, Effects
from icp.change_test import ChangeResult, find_changes
from icp.detectable import detectable_move, group_share_move, information, is_blind, typical_move, usual_share_move
from icp.diff_words import verdict_sentence
from icp.entering import EnteringLevel, find_entering, with_average_bin
from icp.evidence import Evidence, gather_evidence, shortage
from icp.label_rows import LabelRows, Mask, read_label_rows
from icp.membership import confirmed, qualified_changes
from icp.profile import MISSING, Attribute, Bin, Estimate, Profile
from icp.stats import Floats, wilson_interval
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
MIN_WINS, MIN_LOSSES = 10, 10


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
        """What the new outcomes, against those from period `since` on, can tell."""
        return information(self.evidence, self.is_new, since)

    def share_move(self, attribute: Attribute, odds: float | None) -> ShareMove | None:
        """Detectable odds as a share of the wins."""
        codes = self.rows.codes[attribute.name].to_numpy()[self.is_new]
        return group_share_move(self.evidence.dictionary.bins[attribute.name], codes, self.rows.won[self.is_new], odds)


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
    detectable = typical_move(comparison.information())
    diff = replace(
        _untested(comparison, candidate),
        before_quarter=incumbent.quarter,
        detectable=detectable,
        detectable_share=usual_share_move(comparison.rows.won[comparison.is_new], detectable),
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
    is_untested = all(a.p_value is None for a in diff.attributes)
    return "cannot tell at this n" if is_untested or is_blind(diff.detectable) else "no evidence"


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
    known = comparison.information(comparison.since(attribute.name))
    detectable = detectable_move(known, bins, tested.shares_now)
    return replace(
        change,
        verdict=_verdict(tested, bins, detectable),
        p_value=tested.p_value,
        q_value=tested.q_value,
        is_mix_driven=tested.is_mix_driven,
        detectable=detectable,
        detectable_share=comparison.share_move(attribute, detectable),
        bins=tuple(_bin_change(tested, code, b.key, b.label) for code, b in enumerate(bins)),
    )


def _verdict(tested: ChangeResult, bins: Sequence[Bin], detectable: float | None) -> Verdict:
    if tested.is_change:
        return "changed"
    if _is_stable(tested, bins):
        return "stable"
    return "cannot tell at this n" if is_blind(detectable) else "no evidence"


def _is_stable(tested: ChangeResult, bins: Sequence[Bin]) -> bool:
    """Every bin with a share of 10 % (and the two largest known ones) shown to have moved by less than x 1.5."""
    shares = np.minimum(tested.shares_now, tested.shares_before)[: len(bins)]
    known = [code for code in np.argsort(-shares) if bins[code].key != MISSING]
    counted = {*np.flatnonzero(shares >= STABLE_SHARE), *known[:2]}
    intervals = [tested.change.odds(int(code), STABLE_LEVEL)[1:] for code in counted]
    return all(low > 1 / STABLE_ODDS and high < STABLE_ODDS for low, high in intervals)


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
