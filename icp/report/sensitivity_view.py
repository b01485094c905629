"""Whether the criteria depend on what is called a good outcome."""

from __future__ import annotations

from typing import Any

from icp.report.data import ReportData
from icp.report.wording import clean, count, listing, plural
from icp.sensitivity import WON, LabelCheck, Sensitivity


def sensitivity_context(data: ReportData) -> dict[str, Any]:
    """What the section on other labels shows."""
    found = data.sensitivity
    return {
        "sensitivity_sentence": sensitivity_sentence(found) if found else "",
        "label_checks": [_row(check) for check in found.checks] if found else [],
    }


def sensitivity_sentence(found: Sensitivity) -> str:
    """The least agreeing label in one line, or that all agree."""
    tried = [check for check in found.checks[1:] if check.criteria]
    if not tried:
        return "There is too little of any other label to try it."
    worst = max(tried, key=lambda check: len(check.those("no_longer")) + len(check.those("reversed")))
    if not (worst.those("no_longer") or worst.those("reversed")):
        worst = min(tried, key=lambda check: len(check.those("stands")))
    if len(worst.those("stands")) == len(worst.criteria):
        criteria = plural(len(worst.criteria), "headline criterion stands", "headline criteria stand")
        return f"{criteria} under {_labels(len(tried))}."
    lead = f"Of {_labels(len(tried))}, the least agreeing is" if len(tried) > 1 else "The other label tried is"
    return f"{lead} “{clean(worst.words)}”: {_standing(worst)}."


def _labels(number: int) -> str:
    return "the other label tried" if number == 1 else f"the {number} other labels tried"


def _row(check: LabelCheck) -> dict[str, str]:
    return {
        "words": "won against lost, on the same deals" if check.words == WON else check.words,
        "good": count(check.good),
        "other": count(check.other),
        "reading": _standing(check) if check.criteria else f"not tried: {clean(check.reason)}",
    }


def _standing(check: LabelCheck) -> str:
    """How many criteria stand, and what became of the others."""
    stand = len(check.those("stands"))
    parts = [f"{stand} of {plural(len(check.criteria), 'headline criterion', 'headline criteria')} stand"]
    fallen = [clean(name) for name in check.those("no_longer")]
    turned = [clean(name) for name in check.those("reversed")]
    few = [clean(name) for name in check.those("too_few")]
    if fallen:
        parts.append(f"{listing(fallen, 8)} no longer {'does' if len(fallen) == 1 else 'do'}")
    if turned:
        parts.append(f"{listing(turned, 8)} {'points' if len(turned) == 1 else 'point'} the other way")
    if few:
        parts.append(f"too few of these deals to tell for {listing(few, 8)}")
    return "; ".join(parts)
