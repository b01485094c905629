"""What changed, line by line: changed first, then no evidence, then what nobody can tell, then what is shown stable."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from icp.diff_words import share_words
from icp.report.wording import clean, count, listing, plural, times
from icp.verdicts import AttributeChange, BinChange, ProfileDiff, Verdict

WORTH_NAMING_SHARE = 0.05
ORDER: dict[Verdict, int] = {"changed": 0, "no evidence": 1, "cannot tell at this n": 2, "stable": 3}
MARKS: dict[Verdict, tuple[str, str]] = {
    "changed": ("≠", "news"),
    "no evidence": ("–", "none"),
    "cannot tell at this n": ("?", "unsure"),
    "stable": ("=", "none"),
}


@dataclass(frozen=True)
class ChangeLine:
    """One attribute: its verdict, the bin that moved most, and what could have been seen."""

    attribute: str
    label: str
    verdict: Verdict
    mark: str
    tone: str
    q_value: float | None
    detectable: str
    remark: str
    largest: BinChange | None
    bins: tuple[BinChange, ...]


def change_lines(diff: ProfileDiff) -> tuple[ChangeLine, ...]:
    """Every attribute that was compared, the news first; within a verdict the smallest p first."""
    ordered = sorted(diff.attributes, key=lambda a: (ORDER[a.verdict], _or_last(a.p_value), a.attribute))
    return tuple(_line(attribute) for attribute in ordered)


def changes_sentence(diff: ProfileDiff) -> str:
    """How many attributes changed, are stable, or cannot be told, and how large a change would have been seen."""
    if diff.before_quarter is None:
        return "There is no ICP to compare with yet; the next quarter is compared with this one."
    if not diff.attributes:
        return f"No attribute could be compared with {diff.before_quarter}."
    number = {verdict: sum(a.verdict == verdict for a in diff.attributes) for verdict in ORDER}
    words: dict[Verdict, str] = {
        "changed": "changed",
        "no evidence": "without evidence of a change",
        "cannot tell at this n": "that cannot be told at this n",
        "stable": "shown to be stable",
    }
    split = listing([f"{count(number[verdict])} {meaning}" for verdict, meaning in words.items() if number[verdict]])
    return (
        f"{plural(diff.opportunities, 'closed opportunity', 'closed opportunities')} of {diff.quarter} "
        f"({count(diff.wins)} won) against the quarters before: {split}.{_detectable_sentence(diff)}"
    )


def _detectable_sentence(diff: ProfileDiff) -> str:
    if diff.detectable is None or not math.isfinite(diff.detectable):
        return ""
    seen = f"a typical change of {times(diff.detectable)} in the odds is seen four times in five"
    share = share_words(diff)
    return f" With this many outcomes, {seen}{'; ' + share if share else ''}."


def _line(change: AttributeChange) -> ChangeLine:
    mark, tone = MARKS[change.verdict]
    return ChangeLine(
        attribute=change.attribute,
        label=clean(change.label),
        verdict=change.verdict,
        mark=mark,
        tone=tone,
        q_value=change.q_value,
        detectable="–" if change.detectable is None else times(change.detectable),
        remark="; ".join(_remarks(change)),
        largest=_largest(change.bins),
        bins=change.bins,
    )


def _remarks(change: AttributeChange) -> list[str]:
    mix = ["the mix of accounts changed, not who wins"] if change.is_mix_driven else []
    return [*mix, *([clean(change.reason)] if change.reason else [])]


def _largest(bins: Sequence[BinChange]) -> BinChange | None:
    """The bin whose odds moved furthest among those common enough to act on."""
    common = [bin_ for bin_ in bins if max(bin_.share_before, bin_.share_now) >= WORTH_NAMING_SHARE] or list(bins)
    return max(common, key=lambda bin_: abs(math.log(max(bin_.change.value, 1e-9))), default=None)


def _or_last(p_value: float | None) -> float:
    return 2.0 if p_value is None else p_value
