"""What people believe about their ICP before outcomes can say.

A hypothesis names an attribute, which of its values or which end of its scale wins more, and how strongly.
`icp.prior_means` turns it into effects on the frozen bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["in", "out", "higher", "lower"]
Strength = Literal["weak", "medium", "strong"]

# How many times the odds of the named values are those of the others (of the highest bin, those of the lowest).
STRENGTH_ODDS: Mapping[Strength, float] = {"weak": 1.5, "medium": 2.0, "strong": 3.0}

Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class Hypothesis:
    """One stated belief: `values` for categories, flags and sets, `bins` (ranges, both ends included) for numbers.

    "in" and "out" say that the named values win more or less often than the others, "higher" and "lower" which end of
    a numeric scale wins. `line` is where it stands in hypotheses.yml.
    """

    attribute: str
    direction: Direction
    strength: Strength
    values: tuple[str, ...] = ()
    bins: tuple[Range, ...] = ()
    source: str = ""
    author: str = ""
    date: str = ""
    note: str = ""
    line: int = 0

    @property
    def odds(self) -> float:
        """The odds multiplier believed in, below 1 for "out" and "lower"."""
        odds = STRENGTH_ODDS[self.strength]
        return odds if self.direction in ("in", "higher") else 1 / odds


def range_text(ends: Range) -> str:
    """A range as people write it: 51-500, up to 10, 1,001 or more."""
    low, high = ends
    if low is None:
        return f"up to {high:,.10g}"
    return f"{low:,.10g} or more" if high is None else f"{low:,.10g}-{high:,.10g}"


def belief_text(hypothesis: Hypothesis) -> str:
    """What is believed, in a few words: "51-500: more often", "higher is better"."""
    if hypothesis.direction in ("higher", "lower"):
        return f"{hypothesis.direction} wins more often"
    named = [*hypothesis.values, *(range_text(r) for r in hypothesis.bins)] or ["yes"]
    return f"{', '.join(named)} wins {'more' if hypothesis.direction == 'in' else 'less'} often"


def contradictions(hypotheses: Sequence[Hypothesis]) -> list[tuple[Hypothesis, str]]:
    """Entries that say the opposite of an earlier one, or the same again, with why."""
    seen: dict[tuple[str, object], Hypothesis] = {}
    found = []
    for hypothesis in hypotheses:
        for what in _claims(hypothesis):
            key = (hypothesis.attribute, what)
            earlier = seen.setdefault(key, hypothesis)
            if earlier is not hypothesis:
                kind = "says again what" if earlier.direction == hypothesis.direction else "contradicts"
                found.append((hypothesis, f"{kind} line {earlier.line} says of {hypothesis.attribute} {_said(what)}"))
                break
    return found


def _claims(hypothesis: Hypothesis) -> list[object]:
    if hypothesis.direction in ("higher", "lower"):
        return ["scale"]
    named: list[object] = [v.casefold() for v in hypothesis.values]
    return [*named, *hypothesis.bins] or ["yes"]


def _said(what: object) -> str:
    return "" if what == "scale" else range_text(what) if isinstance(what, tuple) else f"“{what}”"
