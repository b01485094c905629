"""Two of the three things watched between quarters: who is in the market, and what wins (`drift_performance` is the third).

Each monitor looks at the block of 13 weeks it is in; these two at weeks 4, 8 and 13 of a block, and what was found stands
until the next look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2, ncx2

from icp.drift_report import Finding
from icp.drift_tests import WEEKS, MixTest, mix_test, spent
from icp.stats import Floats, benjamini_hochberg
from icp.verdicts import ProfileDiff

LOOKS = (4, 8, 13)
MATERIAL_EXCESS = 0.02
MIN_BEFORE, MIN_SINCE = 100.0, 50.0
NOTICED = 0.05  # below this, without reaching the limit of the look, a line is watched
CALM_P = 0.20
POWER = 0.8


@dataclass(frozen=True)
class Mix:
    """Accounts per bin of one attribute: those the profile was derived on, and per week since (weeks x bins).

    `aged` is what the former would be by the calendar alone (`icp.drift_age`); None where nothing ages.
    """

    name: str
    label: str
    bins: tuple[str, ...]
    before: Floats
    weeks: Floats
    aged: Floats | None = None


def block_of(week: int) -> tuple[int, int]:
    """The block a week is in, as the number of weeks before it, and its place in the block (1 to 13).

    >>> block_of(13), block_of(14)
    ((0, 13), (13, 1))
    """
    before = max(week - 1, 0) // WEEKS * WEEKS
    return before, week - before


def last_look(week: int) -> int:
    """The week of the last planned look of population and concept; 0 when there was none yet.

    >>> last_look(3), last_look(6), last_look(15), last_look(17)
    (0, 4, 13, 17)
    """
    before, place = block_of(week)
    passed = [look for look in LOOKS if look <= place]
    return before + passed[-1] if passed else before


def allowance(look: int, alpha: float) -> float:
    """The false-alarm probability of one planned look: what its block has earned since the look before."""
    _, place = block_of(look)
    earlier = max((seen for seen in LOOKS if seen < place), default=0)
    return spent(alpha, place / WEEKS) - spent(alpha, earlier / WEEKS)


# -- population --------------------------------------------------------------------------------------------------------


def watch_population(mixes: Sequence[Mix], week: int, alpha: float) -> tuple[Finding, ...]:
    """Has the mix of accounts worked moved, attribute by attribute? False alarms are counted over all of them together.

    Chi-square on the frozen bins, q-values over the attributes of one look, and the bias-corrected PSI must exceed .02.

    Args:
        mixes: one per attribute (not known is a bin like any other).
        week: the last settled week since the profile's quarter.
        alpha: false-alarm probability per block of 13 weeks.
    """
    look = last_look(week)
    start = block_of(look)[0]
    counts = [mix.weeks[start:look].sum(axis=0) for mix in mixes]
    mixes = [_nearer(mix, now) for mix, now in zip(mixes, counts, strict=True)]
    enough = [
        bool(look and mix.before.sum() >= MIN_BEFORE and n.sum() >= MIN_SINCE)
        for mix, n in zip(mixes, counts, strict=True)
    ]
    tests = [mix_test(mix.before, n) if ok else None for mix, n, ok in zip(mixes, counts, enough, strict=True)]
    q_values = iter(benjamini_hochberg([t.p_value for t in tests if t]))
    limit = allowance(look, alpha) if look else alpha
    return tuple(
        _moved(mix, n, test, float(next(q_values)), look, limit) if test else _too_few_accounts(mix, n, look)
        for mix, n, test in zip(mixes, counts, tests, strict=True)
    )


def _nearer(mix: Mix, now: Floats) -> Mix:
    """The mix held against what is nearer: the accounts as they were, or as old as the calendar has made them since.

    Only what neither explains has moved: the larger of two p-values errs no more often than either (Berger 1982).
    """
    if mix.aged is None or mix_test(mix.before, now).excess <= mix_test(mix.aged, now).excess:
        return mix
    return replace(mix, before=mix.aged)


def _too_few_accounts(mix: Mix, now: Floats, look: int) -> Finding:
    why = f"{now.sum():.0f} accounts since, {MIN_SINCE:.0f} are needed"
    if not look:
        why = f"the first look is after week {LOOKS[0]}"
    if look and now.sum() >= MIN_SINCE:
        why = f"the profile rests on {mix.before.sum():.0f} accounts, {MIN_BEFORE:.0f} are needed"
    return Finding("population", mix.name, mix.label, look, "not enough data", f"{mix.label}: not enough data ({why}).")


def _moved(mix: Mix, now: Floats, test: MixTest, q_value: float, look: int, limit: float) -> Finding:
    is_material = test.excess > MATERIAL_EXCESS
    drifts = q_value <= limit and is_material
    noticed = q_value <= NOTICED and is_material
    before, after = mix.before / mix.before.sum(), now / now.sum()
    most = int(np.abs(after - before).argmax())
    was = "had the same companies grown older" if mix.before is mix.aged else "before"
    moved = f"{mix.bins[most]} {before[most]:.0%} {was}, {after[most]:.0%} since"
    words = {True: "the mix has moved", False: "the mix may be moving"}[drifts] if noticed or drifts else "same mix"
    return Finding(
        "population", mix.name, mix.label, look,
        "drift" if drifts else "watch" if noticed else "ok",
        f"{mix.label}: {words} ({moved}; PSI {test.psi:.2f}).",
        p_value=test.p_value, q_value=q_value, threshold=limit,
        is_calm=test.p_value >= CALM_P or not is_material,
        psi=test.psi, excess=test.excess,
        detectable=detectable_psi(float(mix.before.sum()), float(now.sum()), test.states, limit),
    )  # fmt: skip


def detectable_psi(before: float, now: float, states: int, limit: float) -> float | None:
    """The PSI, less chance, that this look would have seen four times in five (in one attribute, on its own)."""
    freedom = states - 1
    if freedom < 1 or min(before, now) <= 0 or limit <= 0:
        return None
    critical = float(chi2.isf(limit, freedom))
    shifts = np.linspace(0.0, 3 * critical + 30, 200)
    needed = float(np.interp(POWER, ncx2.sf(critical, freedom, shifts), shifts))
    return max(needed * (1 / before + 1 / now), MATERIAL_EXCESS)


# -- concept -----------------------------------------------------------------------------------------------------------


def watch_concept(diff: ProfileDiff | None, look: int, alpha: float) -> tuple[Finding, ...]:
    """Has what wins changed? The change test of the quarterly diff, on the weeks of this block so far.

    Args:
        diff: `icp.diff.compare` of the profile with itself, the block's outcomes being the new quarter; None when there
            has been no look yet.
        look: the week of the look.
        alpha: false-alarm probability per block of 13 weeks.
    """
    if diff is None:
        words = f"What wins: not enough data (the first look is after week {LOOKS[0]})."
        return (Finding("concept", "all", "What wins", look, "not enough data", words),)
    limit = allowance(look, alpha)
    tested = [
        _Tested(a.attribute, a.label, a.p_value, a.q_value, a.verdict == "changed", a.reason, a.detectable)
        for a in diff.attributes
    ]
    tested += [
        _Tested(f"{s.attribute}:{s.level}", f"{s.label} (new)", s.q_value, s.q_value, s.is_change)
        for s in diff.entering
    ]
    return tuple(_changed(line, look, limit) for line in tested)


@dataclass(frozen=True)
class _Tested:
    """One attribute, or one level that was hardly there before, as the change test left it."""

    name: str
    label: str
    p_value: float | None
    q_value: float | None
    is_change: bool
    reason: str = ""
    detectable: float | None = None


def _changed(line: _Tested, look: int, limit: float) -> Finding:
    if line.p_value is None or line.q_value is None:
        words = f"{line.label}: not enough data ({line.reason})."
        return Finding("concept", line.name, line.label, look, "not enough data", words)
    drifts = line.is_change and line.q_value <= limit
    words = "wins otherwise than it did" if drifts else "may be winning otherwise"
    words = words if line.is_change else "no sign of a change"
    seen = f"; seen from a typical move of about ×{line.detectable:.2g}" if line.detectable else ""
    return Finding(
        "concept", line.name, line.label, look, "drift" if drifts else "watch" if line.is_change else "ok",
        f"{line.label}: {words} (q {line.q_value:.2g}{seen}).",
        p_value=line.p_value, q_value=line.q_value, threshold=limit, is_calm=line.p_value >= CALM_P,
        detectable=line.detectable,
    )  # fmt: skip
