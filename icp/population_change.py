"""A quarter's answer for the accounts an ICP speaks of; another population starts the comparison anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from icp.profile import Attribute, Profile
from icp.quarterly import QuarterResult, answer
from icp.question import Question

EVERYBODY = "all accounts"


def answer_for_population(
    question: Question,
    labels: pd.DataFrame,
    universe: pd.DataFrame,
    attributes: Sequence[Attribute],
    incumbent: Profile | None,
) -> QuarterResult:
    """The quarter's result with its population recorded.

    Points of an ICP of other accounts are neither kept nor tested on these: the profile is derived anew, and the diff
    says that nothing can be told of a change. `labels` and `universe` hold the rows of the population only.

    Raises:
        NotEnoughEvidence: too few wins or losses for a profile, and no stated beliefs to start from.
    """
    is_same = incumbent is None or incumbent.population == question.population
    result = answer(question, labels, universe, attributes, incumbent if is_same else None)
    result = replace(
        result,
        profile=replace(result.profile, population=question.population),
        candidate=replace(result.candidate, population=question.population),
    )
    return result if incumbent is None or is_same else _anew(result, incumbent)


def _anew(result: QuarterResult, incumbent: Profile) -> QuarterResult:
    before, now = incumbent.population or EVERYBODY, result.profile.population or EVERYBODY
    moved = f"the ICP of {incumbent.quarter} is about {before}, this one about {now}"
    sentence = f"Cannot tell whether the ICP changed: {moved}. {result.diff.sentence}"
    diff = replace(result.diff, before_quarter=incumbent.quarter, outcome="cannot tell at this n", sentence=sentence)
    profile = replace(result.profile, notes=(*result.profile.notes, f"Points refitted: {moved}."))
    return replace(result, profile=profile, diff=diff, incumbent=incumbent)
