"""The index page of an ICP: every quarter and revision with its state, and how criteria, tiers and drift went.

It is a view of what is published, made anew whenever a revision is published or decided upon and after every look
between quarters. Like the report it is one page without script or network, and equal data give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from markupsafe import Markup

from icp.drift_report import MONITORS, DriftReport
from icp.profile import Criterion, Profile
from icp.report.backtest_view import record_sentence
from icp.report.charts import Figure, Row, history_chart, interval_chart, rate_ruler
from icp.report.index_data import IndexData, IndexedRevision
from icp.report.layout import html_environment
from icp.report.sections import tiers
from icp.report.wording import NAME_LIMIT, TITLE_LIMIT, clean, interval_percent, percent, plural, shorten
from icp.track_record import track_record

MOST_QUARTERS, MOST_LOOKS, MOST_CRITERIA = 12, 26, 40
TONES = {
    "in force": "good", "was in force": "", "approved": "", "held": "caution", "replaced": "", "rejected": "stop",
    "rolled back": "stop", "lapsed": "stop", "undecided": "caution", "ok": "good", "watch": "caution", "drift": "stop",
}  # fmt: skip
MARKS = {"ok": "●", "watch": "▲", "drift": "■", "not enough data": "–"}
QUIET = ("ok", "not enough data")
PROFILE_STATES = {
    "derived": "new points", "kept": "points kept", "no_icp": "no ICP found", "hypotheses": "rests on beliefs",
}  # fmt: skip


@dataclass(frozen=True)
class CriterionLine:
    """One criterion over the quarters: the most points it gives in each, None where it does not score."""

    label: str
    axis: str
    cells: tuple[int | None, ...]


def render_index(data: IndexData) -> str:
    """The index page of one ICP as one HTML page."""
    return html_environment().get_template("index.html.j2").render(index_context(data))


def index_context(data: IndexData) -> dict[str, Any]:
    """Every name the template may use."""
    shown = leading(data.revisions)[-MOST_QUARTERS:]
    profiles = [revision.profile for revision in shown if revision.profile]
    record = track_record(list(data.record))
    lines = data.looks[-1].lines if data.looks else ()
    return {
        "page_title": f"{shorten(data.company)}: ICP {shorten(data.icp)}, all quarters",
        "company": data.company,
        "icp": data.icp,
        "name_limit": NAME_LIMIT,
        "title_limit": TITLE_LIMIT,
        "is_ranking": False,
        "in_force": next((r for r in data.revisions if r.standing == "in force"), None),
        "waiting": [r for r in data.revisions if r.standing in ("held", "undecided")],
        "revisions": tuple(reversed(data.revisions)),
        "tones": TONES,
        "marks": MARKS,
        "profile_states": PROFILE_STATES,
        "profiles": profiles,
        "criteria": criterion_lines(profiles)[:MOST_CRITERIA],
        "criteria_left_out": max(len(criterion_lines(profiles)) - MOST_CRITERIA, 0),
        "tier_rows": _tier_rows(profiles),
        "best_tier_chart": partial(best_tier_chart, profiles),
        "record": record,
        "record_sentence": record_sentence(record),
        "record_chart": partial(_record_chart, data),
        "monitors": MONITORS,
        "look": data.looks[-1] if data.looks else None,
        "told": [line for line in lines if line.state not in QUIET],
        "quiet": [line for line in lines if line.state in QUIET],
        "looks": tuple(reversed(data.looks[-MOST_LOOKS:])),
        "looks_left_out": max(len(data.looks) - MOST_LOOKS, 0),
        "drift_sentence": drift_sentence(data),
        "unread": data.unread,
        "beside": data.beside,
    }


def leading(revisions: Sequence[IndexedRevision]) -> list[IndexedRevision]:
    """One revision per quarter for the timelines: the approved one, of several the one that stands; else the last."""
    chosen: dict[str, IndexedRevision] = {}
    for revision in revisions:
        held = chosen.get(revision.quarter)
        if held is None or held.standing not in ("in force", "was in force"):
            chosen[revision.quarter] = revision
    return [chosen[quarter] for quarter in sorted(chosen)]


def criterion_lines(profiles: Sequence[Profile]) -> list[CriterionLine]:
    """Every criterion that scored in any of these quarters, fit before intent, the longest in force first."""
    found: dict[tuple[str, str], dict[int, Criterion]] = {}
    for place, profile in enumerate(profiles):
        for axis in (profile.fit, profile.intent):
            for criterion in axis.criteria:
                found.setdefault((axis.axis, criterion.attribute), {})[place] = criterion
    lines = []
    for (axis_name, _), by_place in found.items():
        cells = tuple(_most_points(by_place.get(place)) for place in range(len(profiles)))
        lines.append(CriterionLine(by_place[max(by_place)].label, axis_name, cells))
    return sorted(lines, key=lambda line: (line.axis != "fit", -sum(c is not None for c in line.cells), line.label))


def _most_points(criterion: Criterion | None) -> int | None:
    return None if criterion is None else max((bin_.points for bin_ in criterion.bins), default=0)


def _tier_rows(profiles: Sequence[Profile]) -> list[dict[str, Any]]:
    return [
        {"quarter": profile.quarter, "tier": tier, "measured": profile.gives_probability, "is_first": place == 0}
        for profile in reversed(profiles)
        for place, tier in enumerate(tiers(profile))
    ]


def best_tier_chart(profiles: Sequence[Profile]) -> Markup:
    """Win rate of the best tier quarter by quarter, against the newest base rate."""
    rows = [
        Row(p.quarter, best.rate, None, f"{percent(best.rate.value)} {interval_percent(best.rate)}")
        for p in profiles
        if p.gives_probability
        for best in tiers(p)[:1]
    ]
    if not rows:
        return Markup()
    estimates = [row.now for row in rows if row.now]
    ruler = rate_ruler(estimates, profiles[-1].base_rate.value, "win rate of the best tier")
    figure = Figure(
        "best-tier",
        "Win rate of the best tier by quarter",
        "Win rates with 95% intervals against the newest base rate; the table below has every number.",
    )
    return interval_chart(rows, ruler, figure, label_width=76)


def _record_chart(data: IndexData) -> Markup:
    figure = Figure(
        "record",
        "How well each ICP ranked the next quarter",
        "AUC by quarter with 95% intervals; 0.5 is chance. The numbers are in the table below.",
    )
    return history_chart([(past.quarter, past.auc) for past in data.record], figure)


def drift_sentence(data: IndexData) -> str:
    """Where drift stands now, and since when it has been looked for."""
    if not data.looks:
        return "Nobody has looked between quarters yet: icp monitor does, weekly."
    newest: DriftReport = data.looks[-1]
    first = data.looks[0].as_of
    asked = f"{plural(len(data.looks), 'look')} since {first}" if len(data.looks) > 1 else "The first look"
    return f"{clean(newest.headline)} {asked}, the newest on {newest.as_of} at the ICP {newest.baseline}."
