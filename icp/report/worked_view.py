"""Whose deals the profile rests on: who was worked, and where sales' choice and the market point apart."""

from __future__ import annotations

from typing import Any

from icp.contrasts import AttributeContrast, Contrasts
from icp.exposure import CriterionExposure, Exposure, GroupExposure
from icp.report.data import ReportData
from icp.report.wording import clean, count, interval_percent, listing, percent, shorten

SUPPORT = {
    "worked": "",
    "rarely_worked": "rarely worked",
    "no_deals": "no evidence from deals: hardly any worked",
}


def worked_context(data: ReportData) -> dict[str, Any]:
    """What the section on who was worked shows."""
    exposure, contrasts = data.exposure, data.contrasts
    return {
        "worked_sentence": worked_sentence(exposure) if exposure else "",
        "worked_tiers": [_row(group, "Tier ") for group in exposure.tiers] if exposure else [],
        "worked_criteria": [_rows(criterion) for criterion in exposure.criteria] if exposure else [],
        "contrast_sentence": contrast_sentence(contrasts) if contrasts else "",
        "contrast_rows": [row for a in contrasts.attributes for row in _opposed(a)] if contrasts else [],
    }


def worked_sentence(exposure: Exposure) -> str:
    """How much of the market was worked, and which groups the profile only extrapolates to."""
    lead = (
        f"Sales had an opportunity with {count(exposure.worked)} of {count(exposure.accounts)} accounts in these quarters: "
        f"{percent(exposure.share.value)} {interval_percent(exposure.share)}."
    )
    thin = [
        f"{clean(criterion.label)} {clean(group.label)}"
        for criterion in exposure.criteria
        for group in criterion.bins
        if group.support == "no_deals"
    ]
    if not thin:
        return f"{lead} Every group of accounts below had some."
    return f"{lead} Points for {listing([shorten(name) for name in thin], 6)} rest on no deals of their own."


def contrast_sentence(contrasts: Contrasts) -> str:
    """Which attributes raise the chance of becoming a customer and lower that of winning, or the other way round."""
    names = [clean(a.label) for a in contrasts.attributes if a.disagrees]
    compared = (
        f"Compared with {count(contrasts.background)} accounts that are no customers, the "
        f"{count(contrasts.customers)} customers won differ the way won deals differ from lost ones"
    )
    if not names:
        return f"{compared}, as far as can be told."
    return f"{compared}, except in {listing(names, 8)}. Sales’ choice or market?"


def _rows(criterion: CriterionExposure) -> dict[str, Any]:
    groups = [group for group in criterion.bins if group.accounts]
    span = sorted(groups, key=lambda group: group.share.value)
    summary = f"{percent(span[0].share.value)} to {percent(span[-1].share.value)} worked" if span else "no accounts"
    return {"label": criterion.label, "summary": summary, "rows": [_row(group) for group in groups]}


def _row(group: GroupExposure, prefix: str = "") -> dict[str, Any]:
    return {
        "label": f"{prefix}{group.label}",
        "accounts": group.accounts,
        "worked": group.worked,
        "share": group.share,
        "reading": SUPPORT[group.support],
    }


def _opposed(attribute: AttributeContrast) -> list[dict[str, Any]]:
    return [
        {
            "attribute": attribute.label,
            "bin": bin_.label,
            "won": bin_.won_or_lost,
            "customer": bin_.customer_or_not,
            "reading": "picked by sales, won less often" if bin_.won_or_lost.high < 1 else "won more often, passed by",
        }
        for bin_ in attribute.bins
        if bin_.disagrees
    ]
