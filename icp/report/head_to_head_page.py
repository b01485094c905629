"""Two ICPs side by side on one page: what they share, and the same figures for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from icp.head_to_head import HeadToHead, Side
from icp.profile import Estimate
from icp.report.layout import html_environment
from icp.report.wording import NAME_LIMIT, count, interval_number, interval_times, rate_with_interval, times

MOST_ACCOUNTS = 200
TITLE_LIMIT = 400


def render_head_to_head(company: str, found: HeadToHead, names: Mapping[str, str]) -> str:
    """The page of two ICPs: equal data give equal bytes.

    Args:
        company: whose ICPs they are.
        found: the comparison.
        names: of the accounts in the best tiers of both, by id; an account without a name is shown by its id.
    """
    shared = [(account, names.get(account) or account) for account in found.accounts[:MOST_ACCOUNTS]]
    return html_environment().get_template("head_to_head.html.j2").render(
        company=company, found=found, rows=_rows(found), shared=shared, left_out=len(found.accounts) - len(shared),
        name_limit=NAME_LIMIT, title_limit=TITLE_LIMIT,
        only=[[c for c in side.criteria if c not in found.shared_criteria] for side in (found.one, found.other)],
    )  # fmt: skip


def _rows(found: HeadToHead) -> list[tuple[str, str, str]]:
    words: tuple[tuple[str, Callable[[Side], str]], ...] = (
        ("Quarter", lambda s: s.quarter), ("Population", lambda s: s.population), ("Accounts", lambda s: count(s.accounts)),
        ("In the two best tiers", lambda s: count(s.best_accounts)),
        ("Won / opportunities", lambda s: f"{count(s.wins)} / {count(s.opportunities)}"),
        ("Win rate [95% CI]", lambda s: rate_with_interval(s.base_rate)),
        ("Win rate of the best tiers [95% CI]", lambda s: rate_with_interval(s.best_rate)),
        ("Lift of the best tiers [95% CI]", _lift),
        ("AUC on the quarter, of the ICP before [95% CI]", lambda s: _auc(s.auc)),
    )  # fmt: skip
    return [(label, said(found.one), said(found.other)) for label, said in words]


def _lift(side: Side) -> str:
    lift = side.best_lift
    return f"{times(lift.value)} {interval_times(lift)}" if lift else "not known"


def _auc(estimate: Estimate | None) -> str:
    return f"{estimate.value:.2f} {interval_number(estimate)}" if estimate else "not known"
