"""Small hand-made profiles for the tests of what reads a profile: numbers one can check in one's head."""

from __future__ import annotations

from icp.profile import (
    Attribute,
    Bin,
    BinDictionary,
    BinEffect,
    Criterion,
    Estimate,
    Profile,
    Scorecard,
    Tier,
)

MISSING_BIN = Bin("missing", "unknown")
FLAG_BINS = (Bin("no", "no"), Bin("yes", "yes"), MISSING_BIN)
SURE = Estimate(1.5, 1.2, 1.9)


def criterion(attribute: Attribute, bins: tuple[Bin, ...], points: tuple[int, ...], q_value: float = 0.01) -> Criterion:
    """A confirmed criterion whose bins are worth `points`, in the order of `bins`."""
    effects = tuple(
        BinEffect(b.key, b.label, SURE, SURE, 0.99, worth, 10, 40, 100, "in" if worth == max(points) else "neutral")
        for b, worth in zip(bins, points, strict=True)
    )
    return Criterion(
        attribute.name, attribute.label, attribute.family, "confirmed", q_value, q_value, 0.4, effects, "2026Q1"
    )


def profile(
    criteria: list[tuple[Attribute, tuple[Bin, ...], tuple[int, ...]]],
    *,
    quarter: str = "2026Q2",
    candidates: list[tuple[Attribute, tuple[Bin, ...]]] | None = None,
) -> Profile:
    """A profile with the given criteria; further candidates are in its bins but not in its score."""
    known = [(attribute, bins) for attribute, bins, _ in criteria] + (candidates or [])
    attributes = tuple(attribute for attribute, _ in known)
    cards = {axis: tuple(criterion(a, b, p) for a, b, p in criteria if a.axis == axis) for axis in ("fit", "intent")}
    rate = Estimate(0.2, 0.17, 0.23)
    return Profile(
        icp="main",
        quarter=quarter,
        state="derived",
        derived_in=quarter,
        window=("2025Q3", "2025Q4", "2026Q1", quarter),
        opportunities=400,
        wins=80,
        base_rate=rate,
        bins=BinDictionary(quarter, attributes, {attribute.name: bins for attribute, bins in known}),
        fit=Scorecard("fit", -2.5, 0.04, cards["fit"]),
        intent=Scorecard("intent", -1.4, 0.0, cards["intent"]),
        tiers=tuple(Tier(name, floor, 10, 10, 2, rate, rate, True) for name, floor in (("A", 60), ("B", 30), ("D", 0))),
        intent_levels=(20, 10),
        tests=(),
        paragraph="",
    )
