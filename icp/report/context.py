"""What the templates are given, gathered once for the page and the Markdown summary."""

from __future__ import annotations

from functools import partial
from typing import Any

from icp.diff_words import membership_sentence
from icp.explain import NOTHING_BEFORE
from icp.report import figures, sections, value_view, wording
from icp.report.accounts_view import account_lists
from icp.report.backtest_view import RIVALS, history_figure, record_sentence, track_record_of
from icp.report.beliefs_view import belief_rows, beliefs_sentence, believed_names
from icp.report.change_view import change_lines, changes_sentence
from icp.report.data import ReportData
from icp.report.glossary import GLOSSARY
from icp.report.migration import TierMoves, migration_matrix, tier_moves
from icp.report.qualitative_view import support_rows
from icp.report.sensitivity_view import sensitivity_context
from icp.report.verdict import verdict_of
from icp.report.what_if_view import what_if_context
from icp.report.worked_view import worked_context
from icp.shift_words import decomposition_sentences
from icp.verdicts import ProfileDiff

REASONS_LIMIT = 160
FIRST_ROWS, MOST_LINES, MOST_ROWS = 12, 40, 200
CONTENTS = (
    ("evidence", "Evidence"),
    ("icp", "The profile"),
    ("criteria", "What wins"),
    ("beliefs", "Beliefs"),
    ("known", "Personas"),
    ("survey", "Who agrees"),
    ("worked", "Who was worked"),
    ("labels", "Other labels"),
    ("changes", "What changed"),
    ("what-if", "What if"),
    ("tiers", "Tiers"),
    ("value", "What a win is worth"),
    ("market", "Market size"),
    ("backtest", "Last ICP, tested"),
    ("migration", "Tier moves"),
    ("accounts", "Accounts"),
    ("lists", "Lists"),
    ("unconfirmed", "Not confirmed"),
    ("coverage", "Data"),
    ("method", "Method"),
)


def page_context(data: ReportData) -> dict[str, Any]:
    """Every name the templates may use."""
    profile, moves = data.profile, tier_moves(data.migration)
    company, icp = wording.shorten(data.meta.company), wording.shorten(profile.icp)
    title = f"{company}: ICP {icp} {profile.quarter} {data.meta.revision}"
    limits = {"name_limit": wording.NAME_LIMIT, "title_limit": wording.TITLE_LIMIT, "reasons_limit": REASONS_LIMIT}
    head = {"verdict": verdict_of(data), "pills": sections.pills(data), "facts": sections.facts(data, moves)}
    results = {"profile": profile, "incumbent": data.incumbent, "meta": data.meta}
    fixed = {"page_title": title, "contents": _contents(data), "glossary": GLOSSARY, "few": sections.FEW_OPPORTUNITIES}
    found = change_context(data.diff) | _findings(data) | worked_context(data) | sensitivity_context(data)
    found |= what_if_context(data.what_if, profile)
    return results | limits | fixed | head | found | _accounts(data, moves) | _openness(data)


def _contents(data: ReportData) -> tuple[tuple[str, str], ...]:
    """The sections of the page; what is optional only where there are any."""
    absent = {
        "beliefs": data.beliefs is None,
        "lists": not data.lists,
        "what-if": data.what_if is None,
        "survey": not data.agreements,
    }
    absent["known"] = not (data.qualitative.personas or data.qualitative.case_studies)
    return tuple(entry for entry in CONTENTS if not absent.get(entry[0]))


def change_context(diff: ProfileDiff) -> dict[str, Any]:
    """What the templates of a comparison may use."""
    return {
        "changes": change_lines(diff),
        "changes_sentence": changes_sentence(diff),
        "winners": decomposition_sentences(diff.decomposition),
        "entering": diff.entering,
        "memberships": [membership_sentence(change) for change in diff.memberships],
        "most_lines": MOST_LINES,
    }


def _findings(data: ReportData) -> dict[str, Any]:
    """Criteria, tiers and backtest."""
    profile = data.profile
    return {
        "is_ranking": profile.contrast == "customer_or_not",
        "counted": "Customers / accounts compared" if profile.contrast == "customer_or_not" else "Won / opps",
        "evidence_sentence": sections.evidence_sentence(data),
        "beliefs": belief_rows(data),
        "known_beside": support_rows(data),
        "agreements": data.agreements,
        "beliefs_sentence": beliefs_sentence(data),
        "believed_names": believed_names(profile),
        "headline": sections.headline_criteria(profile),
        "further": sections.further_criteria(profile),
        "points_before": sections.points_before(data.incumbent),
        "forest": partial(figures.forest, data),
        "tiers": sections.tiers(profile),
        "tiers_sentence": sections.tiers_sentence(profile) if profile.tiers else "",
        "tier_chart": partial(figures.tier_chart, data),
        "total_accounts": max(sum(tier.accounts for tier in profile.tiers), 1),
        "market": data.market,
        "market_sentence": value_view.market_sentence(data.market, profile),
        "rungs": value_view.rung_rows(data.market),
        "value": profile.value,
        "value_sentence": value_view.value_sentence(profile),
        "value_counts": value_view.counts_sentence(profile.value),
        "backtest": data.backtest,
        "rivals": RIVALS,
        "promised": {name: rate.value for name, rate in sections.promised_rates(data.incumbent).items()},
        "record": track_record_of(data),
        "record_sentence": record_sentence(track_record_of(data)),
        "history_figure": partial(history_figure, data),
    }


def _accounts(data: ReportData, moves: TierMoves) -> dict[str, Any]:
    """Tier migration and the accounts by name."""
    names = [tier.name for tier in sections.tiers(data.profile)]
    return {
        "migration_sentence": sections.migration_sentence(data, moves),
        "matrix": migration_matrix(data.migration, names) if moves.compared else (),
        "lists": data.lists,
        "account_lists": account_lists(data),
        "nothing_before": NOTHING_BEFORE,
    }


def _openness(data: ReportData) -> dict[str, Any]:
    """What was not found, how complete the data is, what was left out."""
    rows = sections.unconfirmed(data.profile)
    return {
        "unconfirmed": rows,
        "unconfirmed_sentence": sections.unconfirmed_sentence(rows),
        "first_rows": FIRST_ROWS,
        "most_rows": MOST_ROWS,
        "coverage": data.coverage.to_dict("records"),
        "notes": (*data.profile.notes, *data.meta.notes),
        "label_words": data.meta.label,
    }
