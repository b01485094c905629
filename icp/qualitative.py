"""What people know of the market beside the numbers: personas, case studies, and who believes which claim.

Nothing here scores. Each entry names attribute values; the profile says whether outcomes support them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icp.hypotheses import Hypothesis

Fits = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Persona:
    """Somebody who buys: what they want done and how we help. `fits` are the attribute values of companies they work at."""

    name: str
    roles: tuple[str, ...]
    jobs_to_be_done: tuple[str, ...]
    current_way: str
    problem: str
    limits: tuple[str, ...]
    how_we_help: str
    objections: tuple[str, ...] = ()
    fits: Fits = ()
    line: int = 0


@dataclass(frozen=True)
class CaseStudy:
    """A published story of a customer. `fits` are the attribute values of companies it speaks to, all of them."""

    title: str
    link: str
    fits: Fits
    date: str
    line: int = 0


@dataclass(frozen=True)
class Answer:
    """What one stakeholder says of one claim of hypotheses.yml: its attribute, or `attribute=value`."""

    respondent: str
    role: str
    claim: str
    agrees: bool
    date: str
    line: int = 0


@dataclass(frozen=True)
class Qualitative:
    """All that is known beside the numbers, for one ICP; attributes are named as in the feature frame."""

    personas: tuple[Persona, ...] = ()
    case_studies: tuple[CaseStudy, ...] = ()
    survey: tuple[Answer, ...] = ()


def claimed(claim: str, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    """The stated beliefs a claim of the survey may mean: one, or the claim is unknown or says too little."""
    column, _, value = claim.partition("=")
    found = []
    for hypothesis in hypotheses:
        name, _, member = hypothesis.attribute.partition("=")
        named = {text.casefold() for text in (*hypothesis.values, *([member] if member else []))}
        if name.removeprefix("attr_") == column.removeprefix("attr_") and (not value or value.casefold() in named):
            found.append(hypothesis)
    return found
