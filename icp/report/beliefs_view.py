"""The beliefs section: what was stated, what outcomes say of it, how far beliefs still shape the points."""

from __future__ import annotations

from dataclasses import dataclass

from icp.beliefs import BeliefVerdict, trust_sentence
from icp.profile import Profile
from icp.report.data import ReportData
from icp.report.wording import clean, count, interval_times, listing, times


@dataclass(frozen=True)
class BeliefRow:
    """One belief as a line of the table; `tone` is up, down or none."""

    label: str
    belief: str
    stated: str
    by: str
    data: str
    counted: str
    verdict: str
    reason: str
    tone: str


def belief_rows(data: ReportData) -> tuple[BeliefRow, ...]:
    """Every stated belief against the outcomes, in the order of hypotheses.yml."""
    return tuple(_row(verdict) for verdict in data.beliefs.verdicts) if data.beliefs else ()


def beliefs_sentence(data: ReportData) -> str:
    """What became of the beliefs as a whole; empty where nobody stated any."""
    return trust_sentence(data.beliefs) if data.beliefs else ""


def believed_names(profile: Profile) -> str:
    """The criteria that are in the score only because somebody believes in them."""
    return listing([clean(c.label) for c in profile.fit.criteria if c.grade == "believed"], 12)


def _row(verdict: BeliefVerdict) -> BeliefRow:
    tones = {"supported": "up", "contradicted": "down"}
    odds = verdict.odds
    return BeliefRow(
        label=verdict.label,
        belief=verdict.belief,
        stated=f"{verdict.strength} ({times(verdict.believed_odds)})",
        by=", ".join(part for part in (verdict.author, verdict.date, verdict.source) if part) or "not said",
        data=f"{times(odds.value)} {interval_times(odds)}" if odds else "–",
        counted=f"{count(verdict.wins)} / {count(verdict.opportunities)}",
        verdict=verdict.verdict,
        reason=verdict.reason,
        tone=tones.get(verdict.verdict, "none"),
    )
