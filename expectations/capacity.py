"""How large a tier may grow before the list is no longer what sales asked for."""

from __future__ import annotations

from collections.abc import Mapping

SLACK = 1.25
TIES = 0.01
REFUSED_TIMES = 3.0
REFUSED_ABOVE = 0.25


def tier_limits(capacities: Mapping[str, float]) -> list[dict[str, str | float]]:
    """The outbound suite's `tier_limits`: for each tier the share of accounts that must be in other tiers.

    Scores are whole numbers, so a tier ends at a score many accounts share, and a kept profile's tiers drift with the
    universe: up to a quarter more than the capacity is expected, beyond it a warning; three times the capacity (or 25
    points above it, whichever is more) is refused.

    Args:
        capacities: share of the universe per named tier, as `tiers:` in icp.yml; the tier for the rest is not limited.
    """
    return [
        {
            "tier": tier,
            "others_expected": round(1 - min(1.0, share * SLACK + TIES), 6),
            "others_min": round(1 - min(1.0, max(share * REFUSED_TIMES, share + REFUSED_ABOVE)), 6),
        }
        for tier, share in capacities.items()
    ]
