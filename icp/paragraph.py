"""The ICP in one paragraph anybody can read aloud, every claim with its number."""

from __future__ import annotations

from collections.abc import Sequence

from icp.criteria import disqualifiers
from icp.profile import MISSING, OTHER, Axis, BinEffect, Criterion, Estimate, Profile, Tier

MOST_NAMED = 5


def write_paragraph(
    *,
    window: Sequence[str],
    opportunities: int,
    wins: int,
    base_rate: Estimate,
    criteria: Sequence[Criterion],
    tiers: Sequence[Tier],
    candidates: int,
) -> str:
    """Say who wins and how sure that is; or that the data support no ICP."""
    period = window[0] if len(window) == 1 else f"{window[0]} to {window[-1]}"
    opening = (
        f"Of {opportunities:,} outcomes from {period}, {wins:,} were won "
        f"({_percent(base_rate.value)}, 95% interval {_percent(base_rate.low)} to {_percent(base_rate.high)})."
    )
    headline = [c for c in criteria if c.headline]
    if not headline:
        return (
            f"{opening} The data support no ICP: of {candidates} candidate attributes none sets winners apart "
            "from losers by more than chance would."
        )
    parts = (opening, _wanted(headline), _unwanted(headline), _not_icp(criteria), _best_tier(tiers))
    return " ".join(part for part in parts if part)


def customers_paragraph(profile: Profile, reason: str) -> str:
    """Say who becomes a customer, of whom that is known, and what it cannot say.

    Args:
        profile: one that compares customers with accounts that are none.
        reason: why it does, in a sentence.
    """
    period = profile.window[0] if len(profile.window) == 1 else f"{profile.window[0]} to {profile.window[-1]}"
    others = profile.opportunities - profile.wins
    opening = f"{reason} {profile.wins:,} customers won in {period} are held against {others:,} accounts that are none."
    headline = profile.headline_criteria
    if not headline:
        return (
            f"{opening} The data support no ICP: of {len(profile.tests)} candidate attributes none sets customers apart "
            "from other accounts by more than chance would."
        )
    parts = (opening, _wanted(headline, "being a customer"), _unwanted(headline))
    return " ".join(part for part in parts if part)


def _wanted(criteria: Sequence[Criterion], what: str = "winning") -> str:
    named = _named(criteria, "in")
    return f"The odds of {what} are above average for {_joined(named)}." if named else ""


def _unwanted(criteria: Sequence[Criterion]) -> str:
    named = _named(criteria, "out")
    return f"They are below average for {_joined(named)}." if named else ""


def _not_icp(criteria: Sequence[Criterion]) -> str:
    worst = [d.label for d in disqualifiers(criteria)]
    return f"Not ICP: {_joined(worst[:MOST_NAMED])}." if worst else ""


def _named(criteria: Sequence[Criterion], stance: str) -> list[str]:
    """One phrase per criterion: its most telling bin of this stance."""
    phrases = []
    for criterion in criteria:
        bins = [b for b in criterion.bins if b.stance == stance and b.key not in (MISSING, OTHER)]
        if bins:
            best = max(bins, key=lambda b: abs(b.odds.value - 1) * b.opportunities**0.5)
            phrases.append(_phrase(criterion, best))
    return phrases[:MOST_NAMED]


def _phrase(criterion: Criterion, effect: BinEffect) -> str:
    odds = effect.odds
    return f"{criterion.label} {effect.label} (odds ×{odds.value:.2f}, {odds.low:.2f} to {odds.high:.2f})"


def _best_tier(tiers: Sequence[Tier]) -> str:
    best = next((t for t in tiers if t.opportunities), None)
    if best is None:
        return ""
    rate = f"{_percent(best.rate.value)} ({_percent(best.rate.low)} to {_percent(best.rate.high)})"
    if not best.is_supported:
        return f"On deals the points had not seen, tier {best.name} won {rate}: too few to tell from the average."
    return f"On deals the points had not seen, tier {best.name} won {rate}, {best.lift.value:.1f} times the average."


def _joined(phrases: Sequence[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def axis_note(axis: Axis, criteria: Sequence[Criterion]) -> str:
    """What to say when one axis is empty."""
    if criteria:
        return ""
    what = "who an account is" if axis == "fit" else "what an account does now"
    return f"Nothing about {what} is confirmed to matter: every account has {axis} score 0."
