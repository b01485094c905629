"""What people believe about their ICP before outcomes can say.

A hypothesis names an attribute, which of its values or which end of its scale wins more, and how strongly.
`icp.prior_means` turns it into effects on the frozen bins.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["in", "out", "higher", "lower"]
Strength = Literal["weak", "medium", "strong"]

# How many times the odds of the named values are those of the others (of the highest bin, those of the lowest).
STRENGTH_ODDS: Mapping[Strength, float] = {"weak": 1.5, "medium": 2.0, "strong": 3.0}

FLAG_YES = frozenset({"yes", "true", "1", "y", "t"})
FLAG_NO = frozenset({"no", "false", "0", "n", "f"})

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


def contradictions(hypotheses: Sequence[Hypothesis], flags: Collection[str] = ()) -> list[tuple[Hypothesis, str]]:
    """Entries that say the opposite of an earlier one, or the same again, with why.

    Names are compared without case, of `flags` a no that loses is a yes that wins, a set's member is the same wherever
    it is named, and ranges of numbers clash when they overlap by more than a shared end.

    Args:
        hypotheses: what is believed.
        flags: the attributes that are yes or no.
    """
    seen: list[tuple[str, object, bool, Hypothesis]] = []
    found = []
    for hypothesis in hypotheses:
        own = [(name, what, is_more, hypothesis) for name, what, is_more in _claims(hypothesis, flags)]
        clash = next(((c, e) for i, c in enumerate(own) for e in [*seen, *own[:i]] if _is_same(c, e)), None)
        seen += own
        if clash:
            (name, what, is_more, _), (_, _, was_more, earlier) = clash
            where = "it" if earlier is hypothesis else f"line {earlier.line}"
            kind = "says again what" if is_more == was_more else "contradicts what"
            found.append((hypothesis, f"{kind} {where} says of {name}{_said(what)}"))
    return found


def _claims(hypothesis: Hypothesis, flags: Collection[str]) -> list[tuple[str, object, bool]]:
    """Attribute, which of its values or which range, and whether that wins more."""
    name, _, member = hypothesis.attribute.partition("=")
    is_more = hypothesis.odds > 1
    if hypothesis.direction in ("higher", "lower"):
        return [(name, "scale", is_more)]
    if hypothesis.bins:
        return [(name, ends, is_more) for ends in hypothesis.bins]
    values = [v.strip().casefold() for v in ((member,) if member else hypothesis.values or ("yes",))]
    if name in flags:
        return [(name, "yes", is_more != (value in FLAG_NO)) for value in dict.fromkeys(values)]
    return [(name, value, is_more) for value in values]


def _is_same(one: tuple[str, object, bool, Hypothesis], other: tuple[str, object, bool, Hypothesis]) -> bool:
    if one[0] != other[0]:
        return False
    if isinstance(one[1], tuple) and isinstance(other[1], tuple):
        (low, high), (other_low, other_high) = _ends(one[1]), _ends(other[1])
        return one[1] == other[1] or max(low, other_low) < min(high, other_high)
    return one[1] == other[1]


def _ends(ends: Range) -> tuple[float, float]:
    return -math.inf if ends[0] is None else ends[0], math.inf if ends[1] is None else ends[1]


def _said(what: object) -> str:
    return "" if what == "scale" else f" {range_text(what)}" if isinstance(what, tuple) else f" “{what}”"
