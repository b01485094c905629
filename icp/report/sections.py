"""What each section of the page shows: choices and orders, no markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icp.profile import AttributeTest, Criterion, Estimate, Grade, Profile, Tier
from icp.report.data import ReportData
from icp.report.migration import TierMoves
from icp.report.wording import (
    clean,
    count,
    interval_percent,
    interval_times,
    listing,
    percent,
    plural,
    times,
)

FEW_OPPORTUNITIES = 20
GRADES: dict[Grade, str] = {
    "confirmed": "confirmed",
    "provisional": "provisional",
    "believed": "believed, not shown",
    "not_confirmed": "cannot tell",
    "not_enough_evidence": "not enough evidence",
}
REASONS: dict[Grade, str] = {
    "confirmed": "",
    "provisional": "leans one way and helps the score, but chance alone could do this",
    "believed": "in the score because people believe in it; outcomes do not show it",
    "not_confirmed": "no effect beyond what chance would show",
    "not_enough_evidence": "too few filled values or outcomes to test",
}


@dataclass(frozen=True)
class Fact:
    """One of the figures under the verdict."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Pill:
    """A state in one or two words; `tone` is good, caution, stop, news or empty."""

    text: str
    tone: str = ""


def pills(data: ReportData) -> tuple[Pill, ...]:
    """Is it new, is it in force, at a glance."""
    is_ranking = data.profile.contrast == "customer_or_not" and data.profile.state != "no_icp"
    state = (
        Pill("A ranking, no win rates", "caution")
        if is_ranking
        else {
            "no_icp": Pill("No ICP in the data", "caution"),
            "hypotheses": Pill("Belief, not evidence", "caution"),
            "kept": Pill("No evidence of change", "good"),
            "derived": Pill(
                "Changed" if data.diff.is_change else "First ICP" if data.incumbent is None else "Refitted", "news"
            ),
        }[data.profile.state]
    )
    approved = data.meta.approval.decision == "approved"
    return state, Pill("In force" if approved else "Held for approval", "good" if approved else "caution")


def facts(data: ReportData, moves: TierMoves) -> tuple[Fact, ...]:
    """The four figures a revenue lead asks for first."""
    profile = data.profile
    found = [_best_tier_fact(profile)] if any(tier.opportunities for tier in profile.tiers) else []
    if moves.compared:
        found.append(
            Fact("Accounts in another tier", count(moves.moved), f"of {count(moves.compared)} that had one before")
        )
    elif moves.scored:
        found.append(Fact("Accounts scored", count(moves.scored), "all with points, reasons and a tier"))
    lost = profile.opportunities - profile.wins
    if profile.contrast == "customer_or_not":
        against = f"against {count(lost)} other accounts, {window_words(profile)}"
        found.append(Fact("Evidence", plural(profile.wins, "customer"), against))
    else:
        found.append(Fact("Evidence", f"{count(profile.wins)} won", f"{count(lost)} lost, {window_words(profile)}"))
    auc = data.backtest.auc if data.backtest else None
    if auc is not None:
        note = f"{auc.low:.2f} to {auc.high:.2f}; 0.50 is chance, 1 is perfect"
        found.append(Fact(f"Last ICP on {data.profile.quarter}", f"AUC {auc.value:.2f}", note))
    return tuple(found)


def _best_tier_fact(profile: Profile) -> Fact:
    best = max(profile.tiers, key=lambda tier: tier.min_score)
    note = f"{interval_percent(best.rate)} against a base rate of {percent(profile.base_rate.value)}"
    return Fact(f"Win rate in tier {clean(best.name)}", percent(best.rate.value), note)


def window_words(profile: Profile) -> str:
    """The quarters the outcomes come from."""
    if len(profile.window) < 2:
        return "".join(profile.window)
    return f"{profile.window[0]} to {profile.window[-1]}"


def evidence_sentence(data: ReportData) -> str:
    """How much the profile rests on, in one paragraph."""
    profile = data.profile
    lost = profile.opportunities - profile.wins
    filled = data.coverage["filled_share"].astype(float) if len(data.coverage) else None
    coverage = (
        f" Attributes are filled for {percent(float(filled.mean()))} of these opportunities on average."
        if filled is not None
        else ""
    )
    if not profile.opportunities:
        return "There is no outcome to learn from yet: nothing was tested, the profile rests on what people believe."
    confirmed = sum(test.grade == "confirmed" for test in profile.tests)
    tested = plural(sum(test.p_value is not None for test in profile.tests), "attribute was", "attributes were")
    if profile.contrast == "customer_or_not":
        return (
            f"{plural(profile.wins, 'customer')} won in {window_words(profile)} against {count(lost)} accounts that are "
            f"none. How often a deal is won is not known. {tested} tested, {count(confirmed)} confirmed."
        )
    return (
        f"{plural(profile.wins, 'won opportunity', 'won opportunities')} against {count(lost)} lost ones over "
        f"{plural(len(profile.window), 'quarter')} ({window_words(profile)}): a base win rate of "
        f"{percent(profile.base_rate.value)} {interval_percent(profile.base_rate)}. "
        f"{tested} tested, {count(confirmed)} confirmed.{coverage}"
    )


def headline_criteria(profile: Profile) -> tuple[Criterion, ...]:
    """The criteria to name: those marked headline, or every confirmed one where none is marked; of a profile that
    rests on beliefs, the believed ones, which the page calls so."""
    if profile.state == "hypotheses":
        return profile.fit.criteria
    confirmed = tuple(criterion for criterion in profile.fit.criteria if criterion.grade == "confirmed")
    return profile.headline_criteria or confirmed


def further_criteria(profile: Profile) -> tuple[Criterion, ...]:
    """The rest of the score."""
    named = {criterion.attribute for criterion in headline_criteria(profile)}
    return tuple(criterion for criterion in profile.fit.criteria if criterion.attribute not in named)


def criteria_names(profile: Profile) -> str:
    """The named criteria in one line."""
    return listing([clean(criterion.label) for criterion in headline_criteria(profile)], 12) or "none"


def points_before(incumbent: Profile | None) -> dict[tuple[str, str], int]:
    """Points of every bin in the ICP before, by attribute and bin."""
    if incumbent is None:
        return {}
    cards = (incumbent.fit, incumbent.intent)
    return {(c.attribute, bin_.key): bin_.points for card in cards for c in card.criteria for bin_ in c.bins}


def promised_rates(incumbent: Profile | None) -> dict[str, Estimate]:
    """The win rates the ICP before gave its tiers; one that rests on beliefs alone promised none."""
    if incumbent is None:
        return {}
    measured = incumbent.gives_probability or any(tier.opportunities for tier in incumbent.tiers)
    return {tier.name: tier.rate for tier in incumbent.tiers} if measured else {}


def tiers(profile: Profile) -> tuple[Tier, ...]:
    """Tiers, best first."""
    return tuple(sorted(profile.tiers, key=lambda tier: -tier.min_score))


def tiers_sentence(profile: Profile) -> str:
    """Which tiers can be told from the base rate, in words."""
    if profile.contrast == "customer_or_not":
        return "Tiers are cut by capacity; what they win is not known, because too few lost deals are recorded."
    supported = [tier for tier in tiers(profile) if tier.is_supported]
    unsupported = [clean(tier.name) for tier in tiers(profile) if not tier.is_supported]
    if not supported:
        return "No band of scores can be told from the base rate yet; treat them as an order of work, not as tiers."
    best = supported[0]
    often = f"{times(best.lift.value)[1:]} times as often as the average worked account {interval_times(best.lift)}"
    lead = f"Tier {clean(best.name)} wins {often}."
    doubt = f" The rate of tier {listing(unsupported)} cannot be told from the base rate." if unsupported else ""
    return f"{lead}{doubt}"


def tier_reading(tier: Tier, base: Estimate) -> str:
    """A tier's rate in words."""
    if not tier.is_supported:
        return "cannot be told from the base rate"
    return "wins more than average" if tier.rate.value > base.value else "wins less than average"


def unconfirmed(profile: Profile) -> list[AttributeTest]:
    """Candidates that are not confirmed: the likeliest first, those without a test last."""
    rows = [test for test in profile.tests if test.grade != "confirmed"]
    return sorted(rows, key=lambda test: (test.p_value is None, test.p_value or 0.0, test.attribute))


def unconfirmed_sentence(rows: Sequence[AttributeTest]) -> str:
    """How many candidates stay open, by why."""
    words = {
        "provisional": "provisional",
        "believed": "believed but not shown",
        "not_confirmed": "not to be told from chance",
        "not_enough_evidence": "without enough evidence",
    }
    split = [(sum(test.grade == grade for test in rows), meaning) for grade, meaning in words.items()]
    found = [f"{count(number)} {meaning}" for number, meaning in split if number]
    return f"{plural(len(rows), 'attribute')}: {listing(found)}."


def test_reason(test: AttributeTest) -> str:
    """Why a candidate is not confirmed."""
    return clean(test.reason) or REASONS[test.grade]


def migration_sentence(data: ReportData, moves: TierMoves) -> str:
    """Tier moves split by whose doing they are."""
    if not moves.compared:
        return "Nothing to compare with: no ICP was in force before."
    staying = moves.compared - moves.moved
    entered = f" {plural(moves.entered, 'account is', 'accounts are')} new in the universe." if moves.entered else ""
    return (
        f"{plural(staying, 'account stays', 'accounts stay')} in the same tier. Of the {count(moves.moved)} that move, "
        f"{count(moves.account_changed)} changed themselves, {count(moves.icp_changed)} are moved by the ICP, "
        f"{count(moves.both)} by both.{entered}"
    )
