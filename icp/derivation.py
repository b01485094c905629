"""What one derivation works on, and the profile it is written down as: shared by deriving anew and by keeping points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from icp.beliefs import weigh
from icp.bins import encode
from icp.criteria import disqualifiers
from icp.evidence import Evidence, gather_evidence
from icp.hypotheses import Hypothesis
from icp.label_rows import Mask, read_label_rows, require_enough
from icp.paragraph import axis_note, write_paragraph
from icp.points import card_of
from icp.profile import AttributeTest, Axis, BinDictionary, Contrast, Estimate, Profile, ProfileState, Scorecard, Tier
from icp.selection import AXES
from icp.stats import wilson_interval
from icp.tiers import effective_share, intent_levels

DEFAULT_TIERS = {"A": 0.05, "B": 0.15, "C": 0.30}
LEAST_PER_CLASS = 100  # wins and losses a regime must have brought to be measured alone


@dataclass(frozen=True)
class Derivation:
    """What every step of deriving or keeping a profile needs to know; `universe` holds codes, `shares` the tiers' capacity."""

    icp: str
    quarter: str
    evidence: Evidence
    universe: pd.DataFrame
    shares: Mapping[str, float]
    seed: int


def make_derivation(
    frame: pd.DataFrame,
    dictionary: BinDictionary,
    icp: str,
    quarter: str,
    change_points: Mapping[str, str] | None,
    universe: pd.DataFrame | None,
    tiers_config: Mapping[str, float] | None,
    minimum: Mapping[str, int] | None,
    seed: int,
    hypotheses: Sequence[Hypothesis] = (),
    contrast: Contrast = "won_or_lost",
) -> Derivation:
    """Read and weigh the label rows and encode the accounts; arguments as for `icp.derive.derive`.

    Raises:
        NotEnoughEvidence: fewer wins or losses than `minimum`.
        ConfigError: The frame lacks a required column or repeats an observation.
    """
    rows = read_label_rows(frame, dictionary)
    require_enough(rows, quarter, minimum or {})
    evidence = replace(gather_evidence(rows, dictionary, change_points or {}), contrast=contrast)
    codes = rows.codes if universe is None or universe.empty else encode(universe, dictionary)
    if hypotheses:
        evidence = replace(evidence, beliefs=weigh(evidence, hypotheses, codes).means)
    return Derivation(icp, quarter, evidence, codes, dict(tiers_config or DEFAULT_TIERS), seed)


def in_present_regime(evidence: Evidence) -> Mask:
    """The outcomes since the newest confirmed change, which alone say what the new points are worth; all, if too few."""
    rows = evidence.rows
    newest = max(evidence.change_points.values(), default="")
    since = np.asarray(np.array(rows.window)[rows.periods] >= newest)
    wins = float(rows.won[since].sum())
    return since if min(wins, float(since.sum()) - wins) >= LEAST_PER_CLASS else np.ones(len(rows), dtype=bool)


def as_profile(
    job: Derivation, scorecards: Mapping[Axis, Scorecard], tiers: tuple[Tier, ...], tests: tuple[AttributeTest, ...]
) -> Profile:
    """The profile these scorecards, tiers and tests make, with its paragraph and what a reader must be told of it."""
    rows, dictionary = job.evidence.rows, job.evidence.dictionary
    wins, counted = int(rows.won.sum()), effective_share(job.evidence.weights)
    base_rate = Estimate(*wilson_interval(wins * counted, len(rows) * counted))
    fit, intent = scorecards["fit"], scorecards["intent"]
    paragraph = write_paragraph(
        window=rows.window,
        opportunities=len(rows),
        wins=wins,
        base_rate=base_rate,
        criteria=fit.criteria,
        tiers=tiers,
        candidates=sum(t.axis == "fit" for t in tests),
    )
    return Profile(
        icp=job.icp,
        quarter=job.quarter,
        state=_state(fit),
        derived_in=job.quarter,
        window=rows.window,
        opportunities=len(rows),
        wins=wins,
        base_rate=base_rate,
        bins=dictionary,
        fit=fit,
        intent=intent,
        tiers=tiers,
        intent_levels=intent_levels(card_of(intent, dictionary).score(job.universe)) if intent.criteria else (),
        tests=tests,
        paragraph=paragraph,
        change_points=dict(job.evidence.change_points),
        notes=_notes(job, scorecards, tiers),
        disqualifiers=disqualifiers(fit.criteria),
        contrast=job.evidence.contrast,
    )


def _state(fit: Scorecard) -> ProfileState:
    """Beliefs that no outcome confirms make points, not an ICP that is known."""
    grades = {c.grade for c in fit.criteria}
    if not grades:
        return "no_icp"
    return "hypotheses" if "believed" in grades and "confirmed" not in grades else "derived"


def _notes(job: Derivation, scorecards: Mapping[Axis, Scorecard], tiers: Sequence[Tier]) -> tuple[str, ...]:
    notes = [axis_note(axis, scorecards[axis].criteria) for axis in AXES]
    if job.evidence.correlation > 0.05:
        counted = effective_share(job.evidence.weights)
        notes.append(
            f"Outcomes of the same account resemble each other (correlation {job.evidence.correlation:.2f}): "
            f"{len(job.evidence.rows):,} outcomes count as {counted * len(job.evidence.rows):,.0f} independent ones."
        )
    if tiers and job.evidence.change_points:
        newest = max(job.evidence.change_points.values())
        alone = bool(in_present_regime(job.evidence).sum() < len(job.evidence.rows))
        scope = f"are of outcomes since {newest} only" if alone else f"include outcomes from before {newest}"
        notes.append(f"Tier rates {scope}: that is when the effect of a criterion was last seen to change.")
    unsupported = [t.name for t in tiers if not t.is_supported]
    if unsupported:
        notes.append(f"Not told apart from the average win rate out of sample: tier {', '.join(unsupported)}.")
    return tuple(n for n in notes if n)
