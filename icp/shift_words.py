"""Why the winners differ, in words: one sentence per criterion that is worth it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from icp.profile import MISSING, NO, YES
from icp.verdicts import AttributeChange, BinShift, CriterionShift, Decomposition, PartName, ShiftPart

ALWAYS_SAID: tuple[PartName, ...] = ("effect", "mix")
CAUSES: Mapping[PartName, str] = {
    "effect": "win rates moved",
    "coverage": "data coverage moved",
    "level": "the overall win rate moved",
    "label": "the label changed",
    "bins": "the groups were redefined",
}


def too_few_wins(now: tuple[int, int], before: tuple[int, int], least: tuple[int, int]) -> str:
    """Why nothing can be said, from wins and losses of both windows and the least of each; empty when something can."""
    for (wins, losses), when in ((now, "the new quarter has"), (before, "the window before has")):
        if wins < least[0] or losses < least[1]:
            return f"{when} {wins:,} won and {losses:,} lost, at least {least[0]} and {least[1]} are needed"
    return ""


def decomposition_sentences(found: Decomposition | None) -> tuple[str, ...]:
    """Why the winners differ, or why nobody can tell, or that no criterion has a credible part."""
    if found is None:
        return ()
    if found.reason:
        return (*found.notes, f"Why the winners differ: cannot tell at this n; {found.reason}.")
    if found.sentences:
        return (*found.notes, *found.sentences)
    if not found.criteria:
        return found.notes
    seen = f"{found.wins_now:,} wins against {found.wins_before:,} before"
    return (*found.notes, f"No criterion's share of the winners could be told from chance ({seen}).")


def shift_sentence(shift: CriterionShift, change: AttributeChange | None) -> str:
    """What moved the bin that a credible cause moved most, and whether it was the market or the ICP; empty without one."""
    if not shift.credible:
        return ""
    named = max((b for b in shift.bins if any(p.is_credible for p in b.parts)), key=_weight)
    lead = f"{_who(shift.label, named)} went from {named.before:.0%} to {named.now:.0%}: {_parts(named)}."
    return " ".join([lead, *_coverage(shift), *_reading(shift, named, change)])


def _weight(line: BinShift) -> tuple[bool, float]:
    """A known bin before the unknown one, then the largest credible part."""
    return line.key != MISSING, max(abs(p.value.value) for p in line.parts if p.is_credible)


def _who(label: str, line: BinShift) -> str:
    return f"Winners with {label}{':' if line.key in (YES, NO) else ''} {line.label}"


def _parts(line: BinShift) -> str:
    said = [p for p in line.parts if p.is_credible or abs(p.value.value) >= 0.01 or _could_matter(p)]
    said.sort(key=lambda p: (not p.is_credible, -round(abs(p.value.value), 6), p.name))
    whole = _adding_up([100 * p.value.value for p in said], round(100 * line.now) - round(100 * line.before))
    first = f"{_signed(whole[0])} {'point' if abs(whole[0]) == 1 else 'points'} {_because(said[0], whole[0])}"
    rest = [f"{_signed(points)} {_because(part, points)}" for points, part in zip(whole[1:], said[1:], strict=True)]
    return ", ".join([first, *rest])


def _could_matter(part: ShiftPart) -> bool:
    """Mix and effect are said beside each other even when small, unless their intervals show that they are nothing."""
    return part.name in ALWAYS_SAID and max(-part.value.low, part.value.high) >= 0.015


def _because(part: ShiftPart, points: int) -> str:
    low, high = (round(100 * end) for end in (part.value.low, part.value.high))
    return f"{_cause(part.name, points)} [{_signed(low)} to {_signed(high)}]"


def _cause(name: PartName, points: int) -> str:
    if name != "mix":
        return f"because {CAUSES[name]}"
    return (
        "because of who was worked"
        if points == 0
        else f"because {'more' if points > 0 else 'fewer'} of them were worked"
    )


def _adding_up(values: Sequence[float], total: int) -> list[int]:
    """Whole points that add up as the rounded shares do, each less than one away; else the nearest (largest remainder)."""
    floors = [math.floor(value) for value in values]
    short = total - sum(floors)
    if not 0 <= short <= len(values):
        return [round(value) for value in values]
    order = sorted(range(len(values)), key=lambda i: (floors[i] - values[i], i))
    return [floor + (i in order[:short]) for i, floor in enumerate(floors)]


def _coverage(shift: CriterionShift) -> list[str]:
    unknown = next((b for b in shift.bins if b.key == MISSING), None)
    if "coverage" not in shift.credible or unknown is None:
        return []
    before, now = unknown.worked_before, unknown.worked_now
    return [f"It is not known for {now:.0%} of the opportunities, {before:.0%} before."]


def _reading(shift: CriterionShift, named: BinShift, change: AttributeChange | None) -> list[str]:
    """Whether the market or the ICP moved; the change test, which holds all else equal, has the last word."""
    is_changed = change is not None and change.verdict == "changed"
    effect = named.part("effect")
    if "effect" in shift.credible:
        was_tested = change is not None and change.p_value is not None
        return (
            ["The change test, which holds all else equal, has no evidence of it."]
            if was_tested and not is_changed
            else []
        )
    covers_none = effect is not None and effect.value.low <= 0 <= effect.value.high
    if "mix" in shift.credible and covers_none and not is_changed:
        return ["The market changed, the ICP did not: who was worked moved, nothing shows that who wins did."]
    return []


def _signed(points: int) -> str:
    return "0" if points == 0 else f"{'+' if points > 0 else '−'}{abs(points)}"
