"""Would the ICP be the same had "a good outcome" been defined otherwise? The tests again, under each label the data allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from icp.evidence import Evidence, gather_evidence
from icp.label_rows import LabelRows, read_label_rows
from icp.label_rules import DEAL_WON, MATURE, Mask, Requirement, is_good, is_true
from icp.profile import Criterion, Profile
from icp.selection import Selection, select

Standing = Literal["stands", "no_longer", "reversed", "too_few"]
WON = "won"
LEAST_PER_CLASS, LEAST_FAILING, LEAST_OF_WON = 20, 10, 1 / 3
GROWN, PROMOTER = 1.0, 7.0


@dataclass(frozen=True)
class CriterionUnderLabel:
    """Whether one headline criterion of the profile stands under another label.

    `no_longer`: confirmed when the same deals are judged by won and lost, not under this label. `too_few`: not confirmed,
    and these deals do not confirm it for won against lost either, or hold less than a third as many good ones as won.
    """

    attribute: str
    label: str
    standing: Standing
    q_value: float | None


@dataclass(frozen=True)
class LabelCheck:
    """The headline criteria under one label; without `criteria` the `reason` says why it was not tried."""

    words: str
    good: int
    other: int
    criteria: tuple[CriterionUnderLabel, ...] = ()
    reason: str = ""

    def those(self, standing: Standing) -> tuple[str, ...]:
        """Labels of the criteria that stand like this."""
        return tuple(c.label for c in self.criteria if c.standing == standing)


@dataclass(frozen=True)
class Sensitivity:
    """The check of every label, the first being won against lost on the same, mature deals."""

    window: tuple[str, ...]
    checks: tuple[LabelCheck, ...]


def label_sensitivity(
    profile: Profile, labels: pd.DataFrame, configured: Sequence[Requirement] = ()
) -> Sensitivity | None:
    """Repeat the attribute tests on the mature deals under other labels; None where no fact about customers is known.

    The comparison is with won against lost on the very same deals, so that a criterion that is missed for want of deals
    is told from one that is missed because of the label.

    Args:
        profile: the profile to publish; its headline criteria and frozen bins are used.
        labels: the label rows with their `outcome_…` facts.
        configured: the rules of the ICP's own label, tried together and one by one.
    """
    if not profile.headline_criteria or MATURE not in labels:
        return None
    frame = labels[is_true(labels[MATURE])]
    frame = frame.sort_values("observation_id", key=lambda ids: ids.astype(str), kind="stable").reset_index(drop=True)
    won = is_true(frame[DEAL_WON] if DEAL_WON in frame else frame["is_won"])
    at_least = profile.label.at_least if profile.label else None
    tried = dict(_alternatives(frame[won], configured if at_least is None else ()))
    if at_least is not None:  # parts of a composite are tried one by one, the composite as what it is
        alone = {rule.words: (rule,) for rule in configured if rule.known(frame[won]).any()}
        tried = {profile.label.words if profile.label else "": tuple(configured)} | alone | tried
    if not tried or min(won.sum(), (~won).sum()) < LEAST_PER_CLASS:
        return None
    rows = read_label_rows(frame, profile.bins)
    evidence = gather_evidence(replace(rows, won=won.astype(float)), profile.bins, profile.change_points)
    plain = _select(profile, evidence)
    checks = [_check(profile, WON, evidence, plain, plain, float(won.sum()))]
    for words, rules in tried.items():
        known = won & _all(rules, frame, "known")
        good = won & is_good(frame, rules, at_least if len(rules) > 1 else None)
        checks.append(_try(profile, words, evidence, plain, _Judged(good, ~won | known)))
    return Sensitivity(rows.window, tuple(checks))


@dataclass(frozen=True)
class _Judged:
    """Rows that are good under a label, and those of which it is known."""

    good: Mask
    known: Mask


def _all(rules: Sequence[Requirement], frame: pd.DataFrame, what: Literal["known"]) -> Mask:
    return np.asarray(np.all([getattr(rule, what)(frame) for rule in rules], axis=0))


def _alternatives(
    won: pd.DataFrame, configured: Sequence[Requirement]
) -> Iterator[tuple[str, tuple[Requirement, ...]]]:
    """Labels in words with their rules: the configured one, its rules alone, and the usual ones it does not mention."""
    if len(configured) > 1:
        yield " and ".join(rule.words for rule in configured), tuple(configured)
    mentioned = {rule.rule: rule for rule in configured}
    for rule in (mentioned | {name: rule for name, rule in _usual(won).items() if name not in mentioned}).values():
        if rule.known(won).any():
            yield rule.words, (rule,)


def _usual(won: pd.DataFrame) -> Mapping[str, Requirement]:
    """One rule per fact; money at the median of the won deals, where the two halves are equally large."""
    rules = [
        Requirement("not_churned", 1.0),
        Requirement("repeat", 1.0),
        Requirement("min_expansion", GROWN),
        Requirement("min_nps", PROMOTER),
    ]
    for name in ("min_gross_margin", "min_revenue"):
        money = Requirement(name)
        if money.known(won).any():
            median = float(pd.to_numeric(won[money.column], errors="coerce").median())
            rules.append(Requirement(name, float(f"{median:.2g}")))
            break
    return {rule.rule: rule for rule in rules}


def _try(profile: Profile, words: str, evidence: Evidence, plain: Selection, judged: _Judged) -> LabelCheck:
    good = judged.good[judged.known]
    won = evidence.rows.won[judged.known] > 0
    failing = int((won & ~good).sum())
    if failing < LEAST_FAILING:
        return _untried(words, good, f"only {failing} won deals fail it, so it is the same label")
    if min(good.sum(), (~good).sum()) < LEAST_PER_CLASS:
        return _untried(words, good, f"fewer than {LEAST_PER_CLASS} good customers")
    rows: LabelRows = replace(evidence.rows.where(judged.known), won=good.astype(float))
    relabelled = Evidence(rows, evidence.dictionary, evidence.change_points, evidence.correlation)
    return _check(profile, words, relabelled, _select(profile, relabelled), plain, float(evidence.rows.won.sum()))


def _untried(words: str, good: Mask, reason: str) -> LabelCheck:
    return LabelCheck(words, int(good.sum()), int((~good).sum()), reason=reason)


def _select(profile: Profile, evidence: Evidence) -> Selection:
    return select(evidence, held={criterion.attribute for criterion in profile.headline_criteria})


def _check(
    profile: Profile, words: str, evidence: Evidence, found: Selection, plain: Selection, wins: float
) -> LabelCheck:
    good = evidence.rows.won > 0
    is_thin = float(good.sum()) < LEAST_OF_WON * wins
    criteria = tuple(_standing(c, evidence, found, None if is_thin else plain) for c in profile.headline_criteria)
    return LabelCheck(words, int(good.sum()), int((~good).sum()), criteria)


def _standing(
    criterion: Criterion, evidence: Evidence, found: Selection, plain: Selection | None
) -> CriterionUnderLabel:
    name = criterion.attribute
    verdict = next(v for v in found.verdicts if v.attribute.name == name)
    standing: Standing = "no_longer" if plain and plain.is_confirmed(name) else "too_few"
    if verdict.grade == "confirmed":
        standing = "stands" if _same_direction(criterion, evidence, found) else "reversed"
    return CriterionUnderLabel(name, criterion.label, standing, verdict.q_value)


def _same_direction(criterion: Criterion, evidence: Evidence, found: Selection) -> bool:
    """Whether the bins that win more under one label tend to do so under the other."""
    shares = evidence.shares(criterion.attribute)
    effect = found.fit.contrast(found.fit.names.index(criterion.attribute), shares)[0]
    before = np.log([b.odds.value for b in criterion.bins])
    return bool(shares @ (effect * before) > 0)
