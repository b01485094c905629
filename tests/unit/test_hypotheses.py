"""Beliefs as a prior: from no outcome at all to outcomes that support or overrule them."""

from dataclasses import replace

import numpy as np
import pytest
from report_sample import meta
from small_market import ATTRIBUTES, make_accounts, make_outcomes, usual_log_odds

from icp.approval import decide
from icp.bins import encode, make_bins
from icp.errors import NotEnoughEvidence
from icp.hypotheses import Hypothesis, contradictions
from icp.points import card_of
from icp.prior_means import place, prior_means
from icp.quarterly import Question, answer
from icp.report import ReportData, diff_markdown, render_report
from icp.scoring import compile_scoring_sql
from icp.serialize import from_json, profile_from_yaml, profile_to_yaml, rounded, to_json

USED = ("employees", "industry", "technologies", "company_age_years", "noise_level", "visits_30d")
CANDIDATES = tuple(a for a in ATTRIBUTES if a.name in USED)
RIGHT = (
    Hypothesis("employees", "in", "medium", bins=((51.0, 500.0),), author="Ada", date="2025-01-10"),
    Hypothesis("industry", "in", "medium", values=("Software", "finance"), author="Ada"),
    Hypothesis("technologies", "in", "medium", values=("snowflake",), author="Bo"),
)
OPPOSITE = {"in": "out", "out": "in"}
WRONG = tuple(replace(h, direction=OPPOSITE[h.direction], strength="strong") for h in RIGHT)
SHARES = {"A": 0.05, "B": 0.15, "C": 0.30}
QUARTER = "2026Q1"


@pytest.fixture(scope="module")
def universe():
    frame = make_accounts(800, np.random.default_rng(5))
    return frame.assign(account_id=[f"u{i:05d}" for i in range(len(frame))])


@pytest.fixture(scope="module")
def market():
    return make_outcomes((QUARTER, "2025Q4"), 450, seed=3)


def asked(labels, universe, hypotheses=RIGHT, incumbent=None, quarter=QUARTER):
    question = Question("main", quarter, SHARES, {"wins": 20, "losses": 20}, hypotheses=hypotheses)
    return answer(question, labels, universe, CANDIDATES, incumbent)


@pytest.fixture(scope="module")
def supported(market, universe):
    noise = Hypothesis("noise_level", "in", "strong", values=("red",))
    return asked(market, universe, (*RIGHT, noise))


@pytest.fixture(scope="module")
def from_nothing(market, universe):
    return asked(market.iloc[:0], universe)


def agreement(profile, universe):
    """How far the published points go with the planted truth: correlation over the accounts."""
    score = card_of(profile.fit, profile.bins).score(encode(universe, profile.bins))
    return np.corrcoef(score, usual_log_odds(universe))[0, 1]


def test_beliefs_alone_make_a_profile_that_says_it_is_belief(from_nothing, universe):
    profile = from_nothing.profile
    assert (profile.state, profile.opportunities, profile.window) == ("hypotheses", 0, ())
    assert {c.grade for c in profile.fit.criteria} == {"believed"}
    assert profile.headline_criteria == ()
    assert not any(t.is_supported for t in profile.tiers)
    assert all((t.rate.low, t.rate.high) == (0.0, 1.0) for t in profile.tiers)
    assert sum(t.accounts for t in profile.tiers) == len(universe)
    assert profile.tiers[0].accounts <= 0.05 * len(universe) * 1.01
    assert "people believe" in profile.paragraph
    assert "CAST(NULL AS DOUBLE) AS win_probability" in " ".join(compile_scoring_sql(profile).split())
    assert agreement(profile, universe) > 0.6


def test_believed_bins_are_above_the_average_account_with_wide_intervals(from_nothing):
    size = from_nothing.profile.fit.criterion("employees")
    named = [b for b in size.bins if b.key in ("51..201", "201..501")]
    assert len(named) == 2
    for bin_ in named:
        assert bin_.odds.value > 1.2 and bin_.odds.low < 1 and bin_.odds.high > 1.8


def test_a_belief_profile_is_written_and_read_back(from_nothing):
    result = rounded(from_nothing)
    assert profile_from_yaml(profile_to_yaml(result.profile)) == result.profile
    assert from_json(type(result.beliefs), to_json(result.beliefs)) == result.beliefs
    assert decide("auto", result.profile, None, result.diff, None).decision == "approved"
    assert "stated beliefs" in result.diff.sentence


def test_without_hypotheses_too_few_outcomes_are_refused(market, universe):
    for labels in (market.iloc[:0], market.iloc[:30]):
        with pytest.raises(NotEnoughEvidence, match="Not enough outcomes"):
            asked(labels, universe, hypotheses=())


def test_a_few_outcomes_move_believed_points_without_claiming_anything(market, universe, from_nothing):
    result = asked(market.iloc[:60], universe, incumbent=from_nothing.profile, quarter="2026Q2")
    assert result.profile.state == "hypotheses"
    assert result.diff.outcome == "cannot tell at this n"
    assert 0 < result.beliefs.trust.low < result.beliefs.trust.value < result.beliefs.trust.high <= 1.5


def test_outcomes_take_over_from_right_beliefs(market, universe, from_nothing):
    result = asked(market, universe, incumbent=from_nothing.profile)
    grades = {c.attribute: c.grade for c in result.profile.fit.criteria}
    assert result.profile.state == "derived" and grades["employees"] == "confirmed"
    assert [v.verdict for v in result.beliefs.verdicts] == ["supported"] * 3
    assert agreement(result.profile, universe) > 0.85
    assert result.backtest.auc.value > 0.6 and result.backtest.calibration is None


def test_wrong_beliefs_are_contradicted_and_leave_nothing_behind(market, universe):
    wrong, none = asked(market, universe, WRONG), asked(market, universe, ())
    assert {v.verdict for v in wrong.beliefs.verdicts} == {"contradicted"}
    assert wrong.beliefs.is_overruled and "overruled" in wrong.diff.sentence
    assert wrong.profile.fit == none.profile.fit


def test_a_belief_is_graded_on_outcomes_alone(market, universe, supported):
    from icp.beliefs import weigh
    from icp.evidence import gather_evidence
    from icp.label_rows import read_label_rows

    rows = read_label_rows(market, supported.profile.bins)
    evidence = gather_evidence(rows, supported.profile.bins, {})
    noise = Hypothesis("noise_level", "in", "strong", values=("red",))
    codes = encode(universe, supported.profile.bins)
    alone = weigh(evidence, (noise,), codes).beliefs.verdicts
    assert supported.beliefs.verdicts[-1] == alone[0]
    assert alone[0].verdict in ("contradicted", "cannot tell")
    assert next(t for t in supported.profile.tests if t.attribute == "noise_level").grade != "confirmed"


def test_a_value_nobody_has_is_said_and_harmless(market, universe):
    odd = Hypothesis("industry", "in", "strong", values=("Space mining",))
    result = asked(market.iloc[:200], universe, (odd,))
    assert result.beliefs.verdicts[0].verdict == "cannot tell"
    assert "Space mining" in result.beliefs.verdicts[0].reason
    with pytest.raises(NotEnoughEvidence, match="no hypothesis tells the accounts apart"):
        asked(market.iloc[:0], universe, (odd,))


def test_a_name_that_is_nearly_one_there_is_says_which(market, universe):
    typos = (
        Hypothesis("industry", "in", "strong", values=("Sofware", "Finance")),
        Hypothesis("technologies=snowflak", "in", "strong"),
    )
    told = [v.reason for v in asked(market.iloc[:200], universe, (*RIGHT[:1], *typos)).beliefs.verdicts]
    assert any("called Sofware: did you mean software?" in reason.replace("Software", "software") for reason in told)
    assert any("did you mean snowflake?" in reason for reason in told)
    with pytest.raises(NotEnoughEvidence, match="did you mean snowflake"):
        asked(market.iloc[:0], universe, typos[1:])


def test_row_order_does_not_matter(market, universe):
    thin = market.iloc[:70]
    shuffled = thin.sample(frac=1, random_state=1)
    assert rounded(asked(shuffled, universe)) == rounded(asked(thin, universe))


def test_prior_means_are_contrasts_to_the_average_account(universe):
    dictionary = make_bins(universe, ATTRIBUTES, QUARTER)
    codes = encode(universe, dictionary)
    shares = {n: np.bincount(codes[n], minlength=len(b)) / len(codes) for n, b in dictionary.bins.items()}
    higher = Hypothesis("company_age_years", "higher", "strong")
    means = prior_means((*RIGHT, higher), dictionary, shares)
    for name, mean in means.items():
        assert mean[-1] == 0 and float(shares[name][:-1] @ mean[:-1]) == pytest.approx(0, abs=1e-12)
    age = means["company_age_years"][:-1]
    assert np.all(np.diff(age) > 0) and age[-1] - age[0] == pytest.approx(np.log(3))
    industry = means["industry"]
    assert np.ptp(industry[:-1]) == pytest.approx(np.log(2))


def test_entries_that_contradict_or_repeat_each_other_are_found():
    first = Hypothesis("industry", "in", "weak", values=("Retail", "Media"), line=3)
    against = Hypothesis("industry", "out", "weak", values=("media",), line=9)
    again = Hypothesis("industry", "in", "weak", values=("retail",), line=12)
    (one, why), (two, why_again) = contradictions([first, against, again])
    assert one is against and "contradicts" in why and "line 3" in why
    assert two is again and "says again" in why_again


def test_a_range_takes_the_bins_whose_middle_it_holds(universe):
    dictionary = make_bins(universe, ATTRIBUTES, QUARTER)
    keys = [b.key for b in dictionary.bins["employees"]]

    def held(low, high):
        (found,), _ = place(Hypothesis("employees", "in", "weak", bins=((low, high),)), dictionary)
        return {k for k, p in zip(keys, found.position, strict=True) if p == 1}

    assert held(51, 500) == {"51..201", "201..501"}
    assert held(None, 50) == {"..11", "11..51"}
    assert held(501, None) == {"501..1001", "1001.."}


def test_the_report_of_beliefs_says_so_and_promises_no_rate(from_nothing):
    data = ReportData(from_nothing.profile, from_nothing.diff, meta(), beliefs=from_nothing.beliefs)
    html, markdown = render_report(data), diff_markdown(data)
    for text in (html, markdown):
        assert "Snowflake" in text or "snowflake" in text
        assert "Ada" in text and "cannot tell" in text
    assert "This is belief, not a finding." in html and "What is believed to win" in html
    assert "50.0%" not in html and "[0.0–100.0%]" not in html + markdown
    assert 'href="#beliefs"' in html


def test_the_report_grades_every_belief_on_outcomes(supported):
    data = ReportData(supported.profile, supported.diff, meta(), beliefs=supported.beliefs)
    html = render_report(data)
    assert html.count("outcomes alone show it") == 3
    assert "What wins, and how sure we are" in html
    assert 'href="#beliefs"' not in render_report(ReportData(supported.profile, supported.diff, meta()))
