"""Numbers and names as the report writes them: one way to write a rate, an interval, an odds multiplier, a company."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

from icp.profile import Estimate

NAME_LIMIT = 80
TITLE_LIMIT = 240
FILTERS = (
    "clean", "shorten", "count", "percent", "times", "signed", "plural", "probability",
    "interval_percent", "interval_times", "interval_number", "in_short", "in_brackets",
)  # fmt: skip
_NO_MEANING_ON_A_PAGE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean(text: object) -> str:
    """The text without what can hide, reorder or break: control, bidirectional and zero-width characters, line breaks.

    >>> clean("Acme\\u202e Inc\\u200b\\n Ltd")
    'Acme Inc Ltd'
    """
    if text is None or (isinstance(text, float) and math.isnan(text)):
        return ""
    spaced = " ".join(str(text).split())
    return "".join(c for c in spaced if unicodedata.category(c) not in _NO_MEANING_ON_A_PAGE)


def shorten(text: object, limit: int = NAME_LIMIT) -> str:
    """The clean text, at most `limit` characters long, with a mark where it was cut."""
    whole = clean(text)
    return whole if len(whole) <= limit else whole[: limit - 1].rstrip() + "…"


def in_short(sentence: str) -> str:
    """The sentence without what it says in brackets, for headlines; whole where brackets do not pair.

    >>> in_short("The ICP changed in 2 of 9 criteria: Size (11-50 from ×2 to ×1); Region (EU (west) up).")
    'The ICP changed in 2 of 9 criteria: Size; Region.'
    """
    return "".join(text for depth, text in _by_depth(sentence) if not depth)


def in_brackets(sentence: str) -> str:
    """What `in_short` leaves out, as a sentence; of several bracketed remarks, the whole sentence they belong to.

    >>> in_brackets("No evidence of a change on 80 outcomes (64 attributes tested)."), in_brackets("Nothing.")
    ('64 attributes tested.', '')
    """
    said = [text.strip().removeprefix("(").removesuffix(")") for depth, text in _by_depth(sentence) if depth]
    if not said:
        return ""
    return clean(sentence) if len(said) > 1 else f"{said[0][:1].upper()}{said[0][1:]}."


def _by_depth(sentence: str) -> list[tuple[bool, str]]:
    """The clean sentence in pieces, each in brackets (with the space before) or outside of them."""
    whole = clean(sentence)
    pieces, depth, start = [], 0, 0
    for place, letter in enumerate(whole):
        if letter == "(":
            if not depth:
                begin = place - 1 if place and whole[place - 1] == " " else place
                pieces.append((False, whole[start:begin]))
                start = begin
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth < 0:
                return [(False, whole)]
            if not depth:
                pieces.append((True, whole[start : place + 1]))
                start = place + 1
    return [(False, whole)] if depth else [*pieces, (False, whole[start:])]


def count(number: float) -> str:
    """A count of things.

    >>> count(41800)
    '41,800'
    """
    return f"{round(number):,}"


def percent(share: float) -> str:
    """A share between 0 and 1 as a percentage with the digits that matter.

    >>> percent(0.2346), percent(0.01234), percent(0.97)
    ('23.5%', '1.2%', '97.0%')
    """
    return f"{share:.1%}" if math.isfinite(share) else "n/a"


def times(ratio: float) -> str:
    """A multiplier.

    >>> times(1.824), times(0.0441), times(12.345)
    ('×1.82', '×0.04', '×12.3')
    """
    if not math.isfinite(ratio):
        return "n/a"
    return f"×{ratio:.1f}" if abs(ratio) >= 10 else f"×{ratio:.2f}"


def signed(number: float, digits: int = 0) -> str:
    """A number with its sign, for points and changes.

    >>> signed(14), signed(-3), signed(0)
    ('+14', '−3', '0')
    """
    text = f"{abs(number):,.{digits}f}"
    is_zero = not float(text.replace(",", ""))
    return text if is_zero else ("+" if number > 0 else "−") + text


def interval_percent(estimate: Estimate) -> str:
    """The interval of a share.

    >>> interval_percent(Estimate(0.25, 0.2, 0.305))
    '[20.0–30.5%]'
    """
    return f"[{100 * estimate.low:.1f}–{100 * estimate.high:.1f}%]"


def rate_with_interval(estimate: Estimate | None) -> str:
    """A share with its interval, or that it is not known.

    >>> rate_with_interval(Estimate(0.25, 0.2, 0.305))
    '25.0% [20.0–30.5%]'
    """
    return f"{percent(estimate.value)} {interval_percent(estimate)}" if estimate else "not known"


def interval_times(estimate: Estimate) -> str:
    """The interval of a multiplier.

    >>> interval_times(Estimate(1.5, 1.2, 1.9))
    '[1.20–1.90]'
    """
    return f"[{times(estimate.low)[1:]}–{times(estimate.high)[1:]}]"


def interval_number(estimate: Estimate, digits: int = 2) -> str:
    """The interval of a plain number, which may be negative.

    >>> interval_number(Estimate(0.1, -0.1, 0.3))
    '[−0.10 to 0.30]'
    """
    return f"[{estimate.low:.{digits}f} to {estimate.high:.{digits}f}]".replace("-", "−")


def probability(value: float | None) -> str:
    """A p- or q-value.

    >>> probability(0.00004), probability(0.034), probability(None)
    ('<0.001', '0.034', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def plural(number: float, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "account"), plural(2, "criterion", "criteria")
    ('1 account', '2 criteria')
    """
    return f"{count(number)} {one if round(number) == 1 else many or one + 's'}"


def listing(items: Sequence[str], limit: int = 4) -> str:
    """Names in a sentence.

    >>> listing(["size", "industry", "age"]), listing(list("abcdef"), limit=3)
    ('size, industry and age', 'a, b, c and 3 more')
    """
    shown = list(items[:limit])
    if len(items) > limit:
        return f"{', '.join(shown)} and {len(items) - limit} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
