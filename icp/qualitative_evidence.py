"""What outcomes say of personas, case studies and claims, and which case study an account is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from icp.beliefs import Beliefs
from icp.hypotheses import Hypothesis, belief_text
from icp.population import PopulationRule, select
from icp.profile import Criterion, Profile
from icp.qualitative import Answer, CaseStudy, Fits, claimed


@dataclass(frozen=True)
class Agreement:
    """How many of those asked agree with a stated belief, beside what outcomes say of it."""

    attribute: str
    belief: str
    agree: int
    disagree: int
    verdict: str


def agreements(
    answers: Sequence[Answer], hypotheses: Sequence[Hypothesis], beliefs: Beliefs | None
) -> tuple[Agreement, ...]:
    """Agreement per stated belief, in the order of hypotheses.yml; of two answers of a person the newer one counts.

    Agreement among people is no evidence: the verdict beside it is that of outcomes alone.
    """
    newest: dict[tuple[int, str], bool] = {}
    for answer in sorted(answers, key=lambda a: (a.date, a.line)):
        for hypothesis in claimed(answer.claim, hypotheses):
            newest[hypotheses.index(hypothesis), answer.respondent.casefold()] = answer.agrees
    found = []
    for place, hypothesis in enumerate(hypotheses):
        said = [agrees for (own, _), agrees in newest.items() if own == place]
        if said:
            verdicts = dict.fromkeys(_verdicts(hypothesis, beliefs))
            found.append(Agreement(hypothesis.attribute, belief_text(hypothesis), sum(said), len(said) - sum(said),
                                   "; ".join(verdicts) or "cannot tell"))  # fmt: skip
    return tuple(found)


def _verdicts(hypothesis: Hypothesis, beliefs: Beliefs | None) -> list[str]:
    """What outcomes say of a belief; of several members of a set each verdict once."""
    name, _, own = hypothesis.attribute.partition("=")
    members = {value.casefold() for value in (*hypothesis.values, *([own] if own else []))}
    found: list[str] = []
    for verdict in beliefs.verdicts if beliefs else ():
        column, _, member = verdict.attribute.partition("=")
        is_member = bool(member) and member.casefold() in members
        if column == name and (is_member or (not member and verdict.belief == belief_text(hypothesis))):
            found.append(verdict.verdict)
    return found


def case_studies_of(accounts: pd.DataFrame, studies: Sequence[CaseStudy]) -> pd.Series[str]:
    """For every account the link of the case study that fits it best; empty where none does.

    A study fits an account that has one of the named values of every attribute it names. The one that names more
    attributes comes first, then the newer, then the one written down first.

    Args:
        accounts: score rows with `account_id` and the attributes' columns.
        studies: with attributes under the names of the frame.
    """
    links = pd.Series("", index=accounts.index, dtype=object)
    ranked = sorted(studies, key=lambda s: (len(s.fits), s.date, -s.line), reverse=True)
    for study in ranked:
        inside = select(accounts, [PopulationRule(name, values) for name, values in study.fits]).inside
        links = links.mask((links == "") & inside, study.link)
    return links.set_axis(accounts["account_id"])


def support(fits: Fits, profile: Profile) -> tuple[str, ...]:
    """For every attribute value named, what the profile says of it, as a sentence part.

    "no criterion" means that the profile does not use the attribute, not that it does not matter.
    """
    return tuple(_support(name, value, profile) for name, values in fits for value in values)


def _support(name: str, value: str, profile: Profile) -> str:
    said = f"{name.removeprefix('attr_')} {value}"
    criteria = {c.attribute.casefold(): c for c in (*profile.fit.criteria, *profile.intent.criteria)}
    of_member = criteria.get(f"{name}={value}".casefold())
    criterion = of_member or criteria.get(name.casefold())
    if criterion is None:
        return f"{said}: no criterion"
    key = "yes" if of_member else _key(criterion, value, profile)
    found = next((b for b in criterion.bins if b.key == key), None)
    if found is None:
        return f"{said}: too rare to tell"
    odds = f"odds x{found.odds.value:.2f} [{found.odds.low:.2f}, {found.odds.high:.2f}]"
    return f"{said}: {odds}, {criterion.grade.replace('_', ' ')}"


def _key(criterion: Criterion, value: str, profile: Profile) -> str:
    for bin_ in profile.bins.bins[criterion.attribute]:
        if value.casefold() in {text.casefold() for text in (bin_.key, bin_.label, *bin_.levels)}:
            return bin_.key
    return ""
