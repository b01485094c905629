"""Deals that are no evidence, counted by why: no deal leaves the outcomes in silence."""

from __future__ import annotations

from dataclasses import dataclass

from icp.label_rules import LeftOut

# What the feature SQL calls an exclusion (`int_opportunities__resolved`), as readers of the report are told.
_WORDS = {
    "account not known": (
        "Deals without a known account",
        "they name no account, or one that has not landed; repair the association in the CRM or the mapping",
    ),
    "existing business": (
        "Deals with existing customers",
        "their type says so or, where it says nothing, the account had bought before; if they are new business all the "
        "same, map `opportunity_type` (`{value: new business}` for all)",
    ),
    "opening date not known": (
        "Deals without an opening date",
        "attributes are read as of the day a deal was opened; repair the date in the CRM or the mapping of `created_at`",
    ),
    "open": ("Deals still open", "they were not decided"),
    "deleted": ("Deleted deals", "the CRM marks them as deleted or archived"),
}


@dataclass(frozen=True)
class DealsLeftOut:
    """How many deals of one quarter (empty: of no date) are no evidence, and the feature SQL's word for why."""

    quarter: str
    exclusion: str
    deals: int


def as_left_out(counts: tuple[DealsLeftOut, ...]) -> tuple[LeftOut, ...]:
    """What the report says of the whole window, most rows first."""
    rows = {exclusion: sum(c.deals for c in counts if c.exclusion == exclusion) for exclusion in _of(counts)}
    ordered = sorted(rows, key=lambda exclusion: (-rows[exclusion], exclusion))
    return tuple(LeftOut(*_told(exclusion, rows[exclusion])) for exclusion in ordered)


def why_none(counts: tuple[DealsLeftOut, ...], quarter: str) -> str:
    """In a sentence, the deals of a quarter without an outcome that were left out; empty when there are none."""
    found = as_left_out(tuple(count for count in counts if count.quarter == quarter))
    parts = [f"{left.rows:,} {left.what[0].lower()}{left.what[1:]} ({left.reason})" for left in found]
    return f"Of {quarter} are left out: {'; '.join(parts)}." if parts else ""


def _of(counts: tuple[DealsLeftOut, ...]) -> list[str]:
    return sorted({count.exclusion for count in counts})


def _told(exclusion: str, rows: int) -> tuple[str, int, str]:
    what, reason = _WORDS.get(exclusion, (f"Deals: {exclusion}", exclusion))
    return what, rows, reason
