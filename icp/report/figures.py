"""Which estimates each chart shows, and what it says for those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from icp.profile import Criterion, Profile
from icp.report.charts import Figure, Row, interval_chart, odds_ruler, rate_ruler
from icp.report.data import ReportData
from icp.report.sections import headline_criteria, promised_rates, tiers
from icp.report.wording import clean, interval_percent, interval_times, listing, percent, times


def forest(data: ReportData) -> Markup:
    """The criteria as a forest plot, now against the ICP before."""
    before = data.incumbent if data.incumbent and data.incumbent.contrast == data.profile.contrast else None
    rows = _forest_rows(headline_criteria(data.profile), before)
    estimates = [estimate for row in rows for estimate in (row.now, row.before) if estimate]
    named = listing([clean(row.label) for row in rows if row.is_heading], 8)
    odds_of = "being a customer" if data.profile.contrast == "customer_or_not" else "winning"
    figure = Figure(
        "forest",
        f"Odds of {odds_of} by criterion",
        f"Odds multipliers with 95% intervals for {named}. The table below has every number.",
    )
    return interval_chart(rows, odds_ruler(estimates, odds_of), figure)


def _forest_rows(criteria: Sequence[Criterion], incumbent: Profile | None) -> list[Row]:
    rows: list[Row] = []
    for criterion in criteria:
        before = incumbent.fit.criterion(criterion.attribute) if incumbent else None
        past = {bin_.key: bin_.odds for bin_ in before.bins} if before else {}
        rows.append(Row(criterion.label))
        rows += [
            Row(bin_.label, bin_.odds, past.get(bin_.key), f"{times(bin_.odds.value)} {interval_times(bin_.odds)}")
            for bin_ in criterion.bins
            if bin_.opportunities or criterion.grade == "believed"
        ]
    return rows


def tier_chart(data: ReportData) -> Markup:
    """Win rate of each tier with its interval, now and as the ICP before promised."""
    past = promised_rates(data.incumbent)
    rows = [
        Row(
            f"Tier {tier.name}",
            tier.rate,
            past.get(tier.name),
            f"{percent(tier.rate.value)} {interval_percent(tier.rate)}",
        )
        for tier in tiers(data.profile)
    ]
    estimates = [estimate for row in rows for estimate in (row.now, row.before) if estimate]
    ruler = rate_ruler(estimates, data.profile.base_rate.value, "win rate of worked opportunities")
    figure = Figure(
        "tiers",
        "Win rate by tier",
        "Win rates with 95% intervals for each tier against the base rate; the table below has every number.",
    )
    return interval_chart(rows, ruler, figure, label_width=76)
