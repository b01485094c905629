"""Every combination of criteria, counted by hand; and the panel that shows them."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pandas as pd
import pytest
from report_sample import profile, report_data
from what_if_sample import counted_on, labels, report_with_panel, universe

from icp.profile import Profile
from icp.report import render_report
from icp.stats import wilson_interval, wilson_trials
from icp.what_if import MOST_CRITERIA, WhatIf, what_if


@pytest.fixture(scope="module")
def judged() -> Profile:
    return counted_on(profile(), labels())


@pytest.fixture(scope="module")
def found(judged: Profile) -> WhatIf:
    answer = what_if(judged, labels(), universe())
    assert answer is not None
    return answer


def meets(frame: pd.DataFrame, found: WhatIf, asked: int) -> pd.Series:
    kept = pd.Series(True, index=frame.index)
    for place, choice in enumerate(found.choices):
        if asked >> place & 1:
            kept &= frame[choice.attribute].isin(choice.labels)
    return kept


def test_every_combination_is_what_a_filter_keeps(found: WhatIf) -> None:
    seen, accounts = labels(), universe()
    assert len(found.combinations) == 2 ** len(found.choices) >= 16
    for asked, one in enumerate(found.combinations):
        outcomes, kept = seen[meets(seen, found, asked)], accounts[meets(accounts, found, asked)]
        assert one.asked == asked
        assert (one.accounts, one.prospects) == (len(kept), int((~kept["is_customer"]).sum()))
        assert (one.opportunities, one.wins) == (len(outcomes), int(outcomes["is_won"].sum()))


def test_intervals_are_those_of_the_counts(found: WhatIf) -> None:
    one = found.combinations[1]
    assert one.precision is not None and one.expected_wins is not None and one.recall is not None
    low, high = wilson_interval(one.wins, one.opportunities)[1:]
    assert (one.precision.low, one.precision.high) == pytest.approx((low, high), rel=1e-3)
    assert one.expected_wins.high == pytest.approx(one.prospects * one.precision.high)
    assert one.recall.value == pytest.approx(one.wins / found.combinations[0].wins)


def test_a_base_rate_that_rests_on_fewer_outcomes_widens_every_interval(judged: Profile, found: WhatIf) -> None:
    base = judged.base_rate
    low, high = wilson_interval(judged.wins / 4, judged.opportunities / 4)[1:]
    wide = what_if(replace(judged, base_rate=replace(base, low=low, high=high)), labels(), universe())
    assert wide is not None
    for narrow, wider in zip(found.combinations, wide.combinations, strict=True):
        if narrow.precision and wider.precision:
            assert wider.precision.low < narrow.precision.low or narrow.wins == 0
    assert wilson_trials(base.value, low, high) == pytest.approx(judged.opportunities / 4)


def test_there_is_no_panel_where_outcomes_cannot_say(judged: Profile) -> None:
    assert what_if(replace(judged, contrast="customer_or_not"), labels(), universe()) is None
    assert what_if(replace(judged, state="hypotheses"), labels(), universe()) is None
    assert what_if(replace(judged, fit=replace(judged.fit, criteria=())), labels(), universe()) is None
    html = render_report(report_data())
    assert "<script" not in html and "script-src" not in html and 'href="#what-if"' not in html


def test_the_number_of_combinations_is_bounded(judged: Profile) -> None:
    many = judged.fit.criteria[:1] * (MOST_CRITERIA + 3)
    answer = what_if(replace(judged, fit=replace(judged.fit, criteria=many)), labels(), universe())
    assert answer is not None and len(answer.choices) == MOST_CRITERIA and len(answer.combinations) == 256


def test_no_account_and_no_outcome_are_counted_as_none(judged: Profile) -> None:
    answer = what_if(judged, labels(), universe().head(0))
    assert answer is not None and {one.accounts for one in answer.combinations} == {0}
    nothing = what_if(judged, labels().assign(outcome_quarter="1999Q1"), universe())
    assert nothing is not None and nothing.combinations[0].precision is None
    assert "not known" in render_report(replace(report_with_panel(), what_if=nothing))


def test_only_the_one_script_may_run() -> None:
    html = render_report(report_with_panel())
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    assert len(scripts) == 1
    fingerprint = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src &#39;sha256-{fingerprint}&#39;" in html or f"script-src 'sha256-{fingerprint}'" in html
    assert "default-src 'none'" in html and "unsafe-eval" not in html


def test_labels_of_criteria_cannot_reach_the_script() -> None:
    data = report_with_panel()
    assert data.what_if is not None
    bad = "</script><script>alert(1)</script>"
    hostile = replace(data.what_if, choices=tuple(replace(c, label=bad, labels=(bad,)) for c in data.what_if.choices))
    html = render_report(replace(data, what_if=hostile))
    assert html.count("<script") == 1 and "alert(1)</script>" not in html
