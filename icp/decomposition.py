"""Why the winners of the new quarter differ from those before: the market, the ICP, the data or the label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtr

from icp.bins import encode
from icp.label_rows import LabelRows, Mask, read_label_rows
from icp.label_rules import Judgement, judge_by
from icp.profile import MISSING, Attribute, Bin, BinDictionary, Estimate, LabelRule, Profile
from icp.shift_parts import DECIMALS, PARTS, Rows, Shift, decompose_rows, interval
from icp.shift_words import shift_sentence, too_few_wins
from icp.stats import benjamini_hochberg
from icp.verdicts import BinShift, CriterionShift, Decomposition, PartName, ProfileDiff, ShiftPart

MIN_WINS, MIN_LOSSES = 10, 10
CREDIBLE, WORTH_NAMING = 0.05, 0.02
LEAST_KNOWN = 0.5  # of the rows, under the old label too


def with_decomposition(
    diff: ProfileDiff, incumbent: Profile | None, profile: Profile, frame: pd.DataFrame
) -> ProfileDiff:
    """The diff with why the winners' mix moved, for every criterion of either profile.

    Args:
        diff: what `compare` said of this quarter; its verdicts and change points are used.
        incumbent: the profile in force; without one there is nothing to compare.
        profile: what the quarter publishes: its criteria, its bins, its label.
        frame: the label rows of the window, those of the new quarter included, made under the profile's label.
    """
    if incumbent is None:
        return diff
    raw = frame[frame["outcome_quarter"].notna() & (frame["outcome_quarter"] <= diff.quarter)].reset_index(drop=True)
    rows = read_label_rows(raw, profile.bins)
    window = _Window.read(rows, raw.loc[rows.codes.index], diff.quarter, incumbent, profile)
    return replace(diff, decomposition=_decompose(window, diff, incumbent, profile))


@dataclass(frozen=True)
class _Window:
    """The labelled rows of both windows, with their outcomes under the old label; `counted` are known under both."""

    rows: LabelRows
    old_codes: pd.DataFrame
    is_new: Mask
    won_before: Mask
    counted: Mask
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, rows: LabelRows, raw: pd.DataFrame, quarter: str, incumbent: Profile, profile: Profile) -> _Window:
        """Judge the rows by both labels and bin them by both dictionaries, where these differ."""
        is_same = incumbent.bins.bins == profile.bins.bins and incumbent.bins.attributes == profile.bins.attributes
        old_codes = rows.codes if is_same else encode(raw, incumbent.bins)
        is_new = np.asarray(np.array(rows.window)[rows.periods] == quarter)
        won, everything = rows.won > 0, np.ones(len(rows), dtype=bool)
        plain = cls(rows, old_codes, is_new, won, everything)
        old, new = incumbent.label, profile.label
        if old is None or new is None or old.is_same_as(new):
            return plain
        judged = judge_by(raw, old, new)
        both = replace(plain, won_before=judged.won, counted=judged.known)
        reason = judged.reason or both.shortage_of_label
        if reason:
            return replace(plain, notes=(_not_judged(old, new, reason),))
        return replace(both, notes=(_judged(old, new, judged),))

    @property
    def shortage_of_label(self) -> str:
        """Why the old label cannot be used; empty when it can."""
        if not len(self.rows) or self.counted.mean() < LEAST_KNOWN:
            return f"it can be told of {int(self.counted.sum())} of {len(self.rows)} outcomes only"
        return "it leaves too few wins" if self.shortage else ""

    @property
    def shortage(self) -> str:
        """Why nothing can be said; empty when something can."""
        won, counts = self.rows.won > 0, []
        for is_window, outcome in ((self.is_new, won), (~self.is_new, self.won_before)):
            own = outcome[is_window & self.counted]
            counts.append((int(own.sum()), int((~own).sum())))
        return too_few_wins(counts[0], counts[1], (MIN_WINS, MIN_LOSSES))

    def wins(self) -> tuple[int, int]:
        """Wins before, under the old label, and now, under the present one."""
        before, now = self.counted & ~self.is_new, self.counted & self.is_new
        return int(self.won_before[before].sum()), int(self.rows.won[now].sum())


def _judged(old: LabelRule, new: LabelRule, judged: Judgement) -> str:
    left = int((~judged.known).sum())
    left_out = f"; {left:,} outcomes unknown under the old one are left out" if left else ""
    return f"The label changed from “{old.words}” to “{new.words}”: both were evaluated on the same outcomes{left_out}."


def _not_judged(old: LabelRule, new: LabelRule, reason: str) -> str:
    return (
        f"The label changed from “{old.words}” to “{new.words}”. The old one cannot be evaluated on these data "
        f"({reason}), so all winners are counted by the new one."
    )


def _decompose(window: _Window, diff: ProfileDiff, incumbent: Profile, profile: Profile) -> Decomposition:
    before, now = window.wins()
    if window.shortage:
        return Decomposition(before, now, (), window.notes, window.shortage)
    found = [
        _criterion(window, attribute, bins, incumbent.bins, incumbent.change_points.get(attribute.name, ""))
        for attribute, bins in _criteria(incumbent, profile)
    ]
    credible = _credible(found)
    verdicts = {a.attribute: a for a in diff.attributes}
    shifts = [_with_credible(shift, credible[i]) for i, shift in enumerate(found)]
    told = [replace(s, sentence=shift_sentence(s, verdicts.get(s.attribute))) for s in shifts]
    redefined = [s.label for s in told if any(b.part("bins") for b in s.bins)]
    notes = [f"The groups of {', '.join(redefined)} are those of {profile.bins.made_in}."] if redefined else []
    return Decomposition(before, now, tuple(told), (*window.notes, *notes))


def _criteria(incumbent: Profile, profile: Profile) -> Iterator[tuple[Attribute, tuple[Bin, ...]]]:
    """The criteria of the new profile, then those that left it, with the bins they are told in."""
    sources: dict[str, BinDictionary] = {}
    for one in (profile, incumbent):
        for criterion in (*one.fit.criteria, *one.intent.criteria):
            sources.setdefault(
                criterion.attribute, profile.bins if criterion.attribute in profile.bins.bins else one.bins
            )
    for name, dictionary in sources.items():
        yield dictionary.attribute(name), dictionary.bins[name]


def _criterion(
    window: _Window, attribute: Attribute, bins: tuple[Bin, ...], old: BinDictionary, since: str
) -> CriterionShift:
    """The shift of one criterion; earlier rows are those of its present regime, if these are enough."""
    name, rows = attribute.name, window.rows
    codes = (rows.codes if name in rows.codes else window.old_codes)[name].to_numpy().astype(np.int64)
    regime = replace(window, counted=window.counted & (window.is_new | ~rows.is_before(since)))
    empty = CriterionShift(name, attribute.label, (), "", ())
    if regime.shortage:
        return replace(empty, reason=f"no comparison since its change in {since}: {regime.shortage}")
    kept = regime.counted
    seen = np.bincount(codes[kept], minlength=len(bins)) > 0
    if seen.sum() < 2:
        reason = "never known" if seen[[b.key == MISSING for b in bins]].any() else "the same for every opportunity"
        return replace(empty, reason=reason)
    places = np.cumsum(seen) - 1
    shown = [b for b, is_seen in zip(bins, seen, strict=True) if is_seen]
    missing = next((i for i, b in enumerate(shown) if b.key == MISSING), None)
    shift = decompose_rows(_rows(regime, places[codes[kept]]), len(shown), missing)
    has_label = bool((window.won_before != (rows.won > 0)).any())
    parts = [part for part in PARTS if (part != "coverage" or missing is not None) and (part != "label" or has_label)]
    told = tuple(_bin_shift(shift, i, b, parts) for i, b in enumerate(shown))
    former = old.bins.get(name)
    if former is not None and former != bins:
        told = _rebinned(told, former, window.old_codes[name].to_numpy(), regime)
    return replace(empty, bins=told)


def _rows(window: _Window, codes: np.ndarray) -> Rows:
    kept = window.counted
    groups = np.unique(window.rows.groups[kept], return_inverse=True)[1]
    flags = (window.is_new, window.won_before, window.rows.won > 0)
    is_new, won_before, won_now = (flag[kept].astype(np.int64) for flag in flags)
    return Rows(codes.astype(np.int64), is_new, won_before, won_now, np.asarray(groups, dtype=np.int64))


def _bin_shift(shift: Shift, place: int, state: Bin, names: Sequence[PartName]) -> BinShift:
    parts = [
        ShiftPart(name, _estimate(shift.parts[PARTS.index(name), place], shift.errors[PARTS.index(name), place]), False)
        for name in names
    ]
    return BinShift(
        key=state.key,
        label=state.label,
        before=round(float(shift.before[place]), DECIMALS),
        now=round(float(shift.now[place]), DECIMALS),
        worked_before=float(shift.worked_before[place]),
        worked_now=float(shift.worked_now[place]),
        shift=_estimate(shift.total[place], shift.total_errors[place]),
        parts=tuple(parts),
    )


def _estimate(value: float, error: float) -> Estimate:
    return Estimate(*interval(float(value), float(error)))


def _rebinned(
    told: Sequence[BinShift], former: Sequence[Bin], codes: np.ndarray, window: _Window
) -> tuple[BinShift, ...]:
    """The shift from the shares the former bins gave: re-counting the earlier winners by the present ones is a part.

    Measured on the earlier window alone, where the former bins were in use. Its interval joins the others' as if
    independent.
    """
    winners = window.counted & ~window.is_new & window.won_before
    own = np.bincount(codes[winners], minlength=len(former)) / winners.sum()
    was = {b.key: float(share) for b, share in zip(former, own, strict=True)}
    gone = [b for b in former if was[b.key] > 0 and b.key not in {t.key for t in told}]
    nothing = Estimate(0.0, 0.0, 0.0)
    lines = [*told, *(BinShift(b.key, b.label, 0.0, 0.0, 0.0, 0.0, nothing, ()) for b in gone)]
    return tuple(_from_former(line, was.get(line.key, 0.0), int(winners.sum())) for line in lines)


def _from_former(line: BinShift, was: float, wins: int) -> BinShift:
    moved = line.before - was
    error = np.sqrt(max(abs(moved) - moved**2, 0.0) / wins)  # of a share of winners that changed bins
    part = ShiftPart("bins", _estimate(moved, error), False)
    spread = np.hypot(line.shift.high - line.shift.value, part.value.high - part.value.value)
    total = line.now - was
    shift = Estimate(total, max(total - float(spread), -1.0), min(total + float(spread), 1.0))
    return replace(line, before=was, shift=shift, parts=(*line.parts, part))


def _credible(shifts: Sequence[CriterionShift]) -> list[frozenset[PartName]]:
    """The causes that are credible in each criterion: q <= .05 over all criteria and causes, and two points in some bin.

    A criterion's p for a cause is the smallest of its bins times their number (Bonferroni), since the bin that moved
    most would be the one named.
    """
    places: list[tuple[int, PartName]] = []
    p_values: list[float] = []
    for i, shift in enumerate(shifts):
        for name, p_value in _p_values(shift.bins).items():
            places.append((i, name))
            p_values.append(p_value)
    q_values = benjamini_hochberg(p_values) if p_values else np.empty(0)
    flagged = {place for place, q in zip(places, q_values, strict=True) if q <= CREDIBLE}
    return [frozenset(name for j, name in flagged if j == i) for i in range(len(shifts))]


def _p_values(bins: Sequence[BinShift]) -> Mapping[PartName, float]:
    found: dict[PartName, list[float]] = {}
    for part in (part for line in bins for part in line.parts):
        found.setdefault(part.name, []).append(_p_value(part.value))
    return {name: min(1.0, len(values) * min(values)) for name, values in found.items()}


def _p_value(estimate: Estimate) -> float:
    half = max(estimate.high - estimate.value, estimate.value - estimate.low)
    return float(2 * ndtr(-1.959964 * abs(estimate.value) / half)) if half > 0 else float(estimate.value == 0)


def _with_credible(shift: CriterionShift, flagged: frozenset[PartName]) -> CriterionShift:
    bins = tuple(replace(b, parts=tuple(_marked(part, flagged) for part in b.parts)) for b in shift.bins)
    marked = {part.name for b in bins for part in b.parts if part.is_credible}
    order: tuple[PartName, ...] = (*PARTS, "bins")
    return replace(shift, bins=bins, credible=tuple(name for name in order if name in marked))


def _marked(part: ShiftPart, flagged: frozenset[PartName]) -> ShiftPart:
    is_beyond_chance = part.name in flagged and not part.value.low <= 0 <= part.value.high
    return replace(part, is_credible=is_beyond_chance and abs(part.value.value) >= WORTH_NAMING)
