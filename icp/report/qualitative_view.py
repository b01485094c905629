"""Personas, case studies and stakeholders' agreement in the report, and the personas.md beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icp.profile import Profile
from icp.qualitative import CaseStudy, Persona
from icp.qualitative_evidence import support
from icp.report.data import ReportData
from icp.report.wording import clean, listing


@dataclass(frozen=True)
class SupportRow:
    """One persona or case study and what outcomes say of the companies it speaks of."""

    name: str
    what: str
    says: str


def support_rows(data: ReportData) -> tuple[SupportRow, ...]:
    """Every persona, then every case study."""
    personas = [(p.name, "persona", p.fits) for p in data.qualitative.personas]
    studies = [(c.title, "case study", c.fits) for c in data.qualitative.case_studies]
    return tuple(SupportRow(n, what, _says(support(fits, data.profile))) for n, what, fits in (*personas, *studies))


def _says(said: Sequence[str]) -> str:
    return "; ".join(said) or "names no attribute value"


def personas_markdown(personas: Sequence[Persona], studies: Sequence[CaseStudy], profile: Profile) -> str:
    """personas.md: every persona as written down, with what outcomes say of the companies it works at, then the case
    studies likewise. Odds are against the average account, with their 95 % interval."""
    lines = [f"# Personas of ICP {clean(profile.icp)}, {profile.quarter}"]
    for persona in personas:
        lines += ["", f"## {clean(persona.name)}", ""]
        parts = (
            ("Roles", persona.roles), ("Jobs to be done", persona.jobs_to_be_done), ("Current way", (persona.current_way,)),
            ("Problem", (persona.problem,)), ("Limits", persona.limits), ("How we help", (persona.how_we_help,)),
            ("Objections", persona.objections),
        )  # fmt: skip
        lines += [f"- **{name}**: {listing([clean(text) for text in texts], 20)}" for name, texts in parts if texts]
        lines.append(f"- **What outcomes say of such companies**: {clean(_says(support(persona.fits, profile)))}")
    if studies:
        lines += ["", "# Case studies", ""]
        lines += [
            f"- {clean(s.title)} ({s.date}), {clean(s.link)}: {clean(_says(support(s.fits, profile)))}" for s in studies
        ]
    return "\n".join(lines) + "\n"
