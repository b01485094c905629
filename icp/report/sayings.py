"""What is said aloud of an ICP and what marketing runs: `icp.md` and `mql.sql`."""

from __future__ import annotations

from collections.abc import Sequence

from icp.profile import Profile
from icp.report.layout import markdown_safe
from icp.report.wording import clean, interval_times, times


def icp_markdown(profile: Profile, qualified: Sequence[str]) -> str:
    """The ICP in one paragraph, and what is not ICP, as Markdown.

    Args:
        profile: the ICP.
        qualified: names of the tiers that count as fitting.
    """
    heading = f"# ICP {_safe(profile.icp)}, {profile.quarter}"
    if profile.disqualifiers:
        wrong = [
            f"- {_safe(d.label)}: odds {times(d.odds.value)} {interval_times(d.odds)} against the average account"
            for d in profile.disqualifiers
        ]
    else:
        wrong = ["No state of an account surely halves its odds: nobody is ruled out, the last tier only comes last."]
    parts = [heading, "", _safe(profile.paragraph), ""]
    if qualified:
        parts += [f"An account fits when its tier is {' or '.join(map(_safe, qualified))}.", ""]
    return "\n".join([*parts, "## Not ICP", "", *wrong]) + "\n"


def mql_sql(profile: Profile, qualified: Sequence[str], scoring_sql: str) -> str:
    """The MQL rule as one statement for the warehouse: accounts that fit and act now, the first to call on top.

    It fits when its score reaches the lowest of the qualified tiers; it acts when its intent reaches level 2, where any
    behaviour is scored. Who may not be contacted is not in the features: take those out where you send.

    Args:
        profile: the ICP.
        qualified: names of the tiers that count as fitting; none gives a statement without rows.
        scoring_sql: the published `scoring.sql`, over your table of account features.
    """
    floors = [tier.min_score for tier in profile.tiers if tier.name in qualified]
    fits = f"fit_score >= {min(floors)}" if floors else "1 = 0"
    acts = f"\n    AND intent_score >= {profile.intent_levels[-1]}" if _scores_intent(profile) else ""
    return (
        f"-- MQL rule of ICP {clean(profile.icp)}, {profile.quarter}: fits"
        f"{' and acts' if acts else '; no behaviour is scored, so fit alone decides'}.\n"
        "-- Take out accounts that may not be contacted, and customers, where you send.\n"
        f"SELECT account_id, fit_score, intent_score\nFROM (\n{scoring_sql.rstrip()}\n) AS scored\n"
        f"WHERE {fits}{acts}\nORDER BY fit_score DESC, intent_score DESC, account_id\n"
    )


def _scores_intent(profile: Profile) -> bool:
    return bool(profile.intent.criteria and profile.intent_levels)


def _safe(text: str) -> str:
    return str(markdown_safe(clean(text)))
