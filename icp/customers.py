"""Customers against all accounts: what can be learned where lost deals are not recorded, as in billing data.

Customers (their first win of the window, as known when it opened) are fitted against accounts that are none. Becoming a
customer is being worked and winning together, so what is found holds sales' past choices, and a share of customers says
nothing about how often a deal is won: the profile puts accounts in order and gives no probability. Attributes of
behaviour and of the relationship follow from being worked and are left out; so is what the mere absence of a value says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from icp.backtest import Backtest
from icp.bins import encode
from icp.contrasts import customers_and_background
from icp.derive import DEFAULT_TIERS, derive
from icp.errors import NotEnoughEvidence
from icp.label_rows import DEFAULT_MINIMUM
from icp.label_rules import is_true
from icp.membership import confirmed
from icp.paragraph import axis_note, customers_paragraph
from icp.points import card_of
from icp.profile import Attribute, BinDictionary, Contrast, Estimate, Profile, Scorecard
from icp.question import Question
from icp.settle import settle, settled_diff
from icp.stats import wilson_interval
from icp.tiers import place, unmeasured_tiers
from icp.verdicts import ProfileDiff

CUSTOMERS: Contrast = "customer_or_not"
LEFT_OUT = (
    "What an account does now, and how it stands to you, follow from being worked: these attributes are left out, "
    "and every account has intent score 0."
)
COMPARED: Mapping[Contrast, str] = {
    "won_or_lost": "won with lost deals",
    "customer_or_not": "customers with all accounts",
}


@dataclass(frozen=True)
class Ranking:
    """The profile to publish, the fresh one behind it, and what can be said of change, which is never that there was none."""

    profile: Profile
    candidate: Profile
    diff: ProfileDiff


def contrast_of(question: Question, wins: int, losses: int) -> Contrast:
    """What is compared: won with lost deals wherever enough of both are recorded, or what icp.yml asks for.

    Args:
        question: its `contrast` "auto" leaves it to the counts.
        wins: won deals of the window.
        losses: lost deals of the quarters that recorded both.
    """
    if question.contrast != "auto":
        return question.contrast
    least = {**DEFAULT_MINIMUM, **question.minimum}
    has_wins_only = wins >= max(int(least["wins"]), 1) and losses < max(int(least["losses"]), 1)
    return CUSTOMERS if has_wins_only else "won_or_lost"


def reason_for(question: Question, losses: int) -> str:
    """Why customers are compared with all accounts and what that is good for, in the words every output uses."""
    why = "Lost deals are not recorded, so this"
    if question.contrast == CUSTOMERS:
        why = "As icp.yml asks, this"
    elif losses:
        why = f"Hardly any lost deals are recorded ({losses:,}), so this"
    return (
        f"{why} compares customers with all accounts; it ranks accounts and gives no win probability; "
        "sales' past choices are in it."
    )


def fit_side(attributes: Sequence[Attribute]) -> tuple[Attribute, ...]:
    """The candidates: who an account is. What it does and how it stands to us follow from being worked."""
    return tuple(a for a in attributes if a.axis == "fit" and a.family != "relationship")


def customer_frame(question: Question, labels: pd.DataFrame, universe: pd.DataFrame) -> pd.DataFrame:
    """One row per customer and per account that is none.

    Raises:
        NotEnoughEvidence: too few of either.
    """
    frame = customers_and_background(labels, universe, question.quarter, question.seed, only_good=True)
    least = {**DEFAULT_MINIMUM, **question.minimum}
    customers = int(frame["is_won"].sum())
    others = len(frame) - customers
    if customers < max(int(least["wins"]), 1) or others < max(int(least["losses"]), 1):
        raise NotEnoughEvidence(
            f"Not enough accounts to compare customers with for {question.quarter}: {customers:,} customers and {others:,} "
            f"accounts that are none, at least {least['wins']} and {least['losses']} are needed. Map lost deals, which say "
            "most, or land accounts that are no customers yet; `minimum` in icp.yml sets the least."
        )
    return frame


def rank_accounts(
    question: Question,
    frame: pd.DataFrame,
    labels: pd.DataFrame,
    universe: pd.DataFrame,
    dictionary: BinDictionary,
    incumbent: Profile | None,
    reason: str,
    dropped: Sequence[str] = (),
) -> Ranking:
    """The quarter's profile from customers and accounts that are none.

    Points of an incumbent of the same contrast are kept as in any quiet quarter. One of the other contrast cannot be
    compared with: the profile starts anew and the diff says so.

    Args:
        question: which ICP and quarter.
        frame: from `customer_frame`.
        labels: the outcomes of the window.
        universe: every account as of the run.
        dictionary: the frozen bins of the candidates.
        incumbent: the profile in force.
        reason: from `reason_for`.
        dropped: criteria of the incumbent that are no longer attributes, which asks for a refit.
    """
    before = incumbent if incumbent is not None and incumbent.contrast == CUSTOMERS else None
    won = labels[is_true(labels["is_won"])].reset_index(drop=True)
    window = tuple(sorted(set(won["outcome_quarter"].astype(str))))
    shares = dict(question.tiers or DEFAULT_TIERS)
    candidate = derive(
        frame,
        dictionary,
        icp=question.icp,
        quarter=question.quarter,
        universe=universe,
        minimum={"wins": 1, "losses": 1},
        incumbent=before,
        seed=question.seed,
        has_tiers=False,
        contrast=CUSTOMERS,
    )
    if candidate.fit.criteria:
        scores = card_of(candidate.fit, candidate.bins).score(encode(universe, candidate.bins))
        candidate = replace(candidate, tiers=unmeasured_tiers(scores, shares, _nothing_known()))
    diff = untested_diff(incumbent, candidate, won)
    diff = replace(diff, sentence=f"{diff.sentence} {reason}")
    profile = settle(
        None if dropped else before,
        candidate,
        diff,
        frame,
        universe=universe,
        tiers_config=shares,
        seed=question.seed,
        outcomes=won,
    )
    if before is not None and dropped:
        profile = replace(
            profile, notes=(*profile.notes, f"Points refitted: no longer an attribute: {', '.join(dropped)}.")
        )
    if before is not None:
        diff = settled_diff(diff, before, profile)
    elif incumbent is not None:
        profile = replace(profile, notes=(*profile.notes, f"Points refitted: {other_basis(incumbent, CUSTOMERS)}."))
    return Ranking(_as_ranking(profile, window, reason), _as_ranking(candidate, window, reason), diff)


def other_basis(incumbent: Profile, now: Contrast) -> str:
    """How the ICP in force was derived, where this one is derived otherwise."""
    if incumbent.state == "hypotheses":
        return f"the ICP of {incumbent.quarter} rests on stated beliefs, this one compares {COMPARED[now]}"
    return f"the ICP of {incumbent.quarter} compares {COMPARED[incumbent.contrast]}, this one {COMPARED[now]}"


def not_comparable(incumbent: Profile, candidate: Profile, diff: ProfileDiff) -> ProfileDiff:
    """The diff across a change of contrast: odds of winning and odds of being a customer are two things."""
    sentence = (
        f"Cannot tell whether the ICP changed: {other_basis(incumbent, candidate.contrast)}. Odds of winning a deal and "
        "odds of being a customer cannot be held against each other."
    )
    return replace(diff, before_quarter=incumbent.quarter, outcome="cannot tell at this n", sentence=sentence)


def on_new_customers(incumbent: Profile, labels: pd.DataFrame, quarter: str) -> Backtest:
    """Where the ICP in force had the quarter's new customers. It is no judgement: without losses nothing was ranked below."""
    new = labels[is_true(labels["is_won"]) & (labels["outcome_quarter"].astype(str) == quarter)]
    total = len(new)
    sentence = f"The profile of {incumbent.quarter} cannot be judged: too few lost deals of {quarter} are recorded."
    if total and incumbent.tiers:
        tiers = sorted(incumbent.tiers, key=lambda tier: -tier.min_score)
        scores = card_of(incumbent.fit, incumbent.bins).score(encode(new, incumbent.bins))
        inside = int((place(scores, tuple((t.name, t.min_score) for t in tiers)) == 0).sum())
        accounts = tiers[0].accounts / max(sum(t.accounts for t in tiers), 1)
        sentence += (
            f" Of the {total:,} deals won, {inside:,} were with accounts of tier {tiers[0].name}, which holds "
            f"{accounts:.1%} of all accounts; whom sales worked is part of that."
        )
    return Backtest(incumbent.icp, incumbent.quarter, quarter, total, total, sentence)


def untested_diff(incumbent: Profile | None, candidate: Profile, labels: pd.DataFrame) -> ProfileDiff:
    """What can be said of change where either profile compares customers with all accounts: nothing that was tested.

    The new quarter's customers against the earlier ones would be a test of who was worked as much as of who wins.
    """
    new = labels[labels["outcome_quarter"].astype(str) == candidate.quarter]
    diff = ProfileDiff(
        icp=candidate.icp,
        before_quarter=None,
        quarter=candidate.quarter,
        outcome="first profile",
        sentence=_first(candidate),
        opportunities=len(new),
        wins=int(is_true(new["is_won"]).sum()),
        criteria=len(confirmed(candidate)),
        detectable=None,
        attributes=(),
        entering=(),
        memberships=(),
        change_points={},
    )
    if incumbent is None:
        return diff
    if incumbent.contrast != candidate.contrast:
        return not_comparable(incumbent, candidate, diff)
    sentence = (
        "Cannot tell whether the ICP changed: among customers alone, other customers may mean another market or other "
        "accounts that sales worked."
    )
    return replace(diff, before_quarter=incumbent.quarter, outcome="cannot tell at this n", sentence=sentence)


def _first(candidate: Profile) -> str:
    criteria = len(confirmed(candidate))
    compared = f"{candidate.wins:,} customers apart from {candidate.opportunities - candidate.wins:,} other accounts"
    if not criteria:
        return f"No ICP yet: no attribute sets {compared}."
    return f"First profile: {criteria} {'criterion sets' if criteria == 1 else 'criteria set'} {compared}."


def _nothing_known() -> Estimate:
    return Estimate(*wilson_interval(0, 0))


def _as_ranking(profile: Profile, window: tuple[str, ...], reason: str) -> Profile:
    """The profile without anything that could pass for a win rate: level, base rate, lifts, what is ruled out.

    How many accounts customers are compared with is a choice, so the level of the fit means nothing and a lift (which
    depends on it) is given as the odds, which do not.
    """
    nothing = axis_note("intent", ())
    ranked = replace(
        profile,
        window=window,
        base_rate=_nothing_known(),
        fit=_without_level(profile.fit),
        intent=_without_level(profile.intent),
        disqualifiers=(),
        notes=(reason, LEFT_OUT, *(note for note in profile.notes if note != nothing)),
    )
    return replace(ranked, paragraph=customers_paragraph(ranked, reason))


def _without_level(card: Scorecard) -> Scorecard:
    criteria = (replace(c, bins=tuple(replace(b, lift=b.odds) for b in c.bins)) for c in card.criteria)
    return replace(card, intercept=0.0, criteria=tuple(criteria))
