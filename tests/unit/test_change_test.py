"""The test of change on markets whose truth is known: quiet ones stay quiet, planted changes are found and named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_market import ATTRIBUTES, flipped_size, make_outcomes, usual_log_odds

from icp.bins import encode, kernel, make_bins
from icp.change_model import REPORT_VARIANCE, ChangeBlock, ChangeModel
from icp.change_test import ChangeResult, find_changes, weighted_q_values
from icp.entering import with_average_bin
from icp.fit import contrast_kernel, identity_kernel, ordered_kernel, posterior

QUARTERS = ("2025Q1", "2025Q2", "2025Q3", "2025Q4", "2026Q1")


def changes(per_quarter: int, seed: int, changed_from: str = "9999", since: int = 0) -> dict[str, ChangeResult]:
    """All tests on a market whose size bands turn round in `changed_from`; `since` is what is known of it."""
    frame = make_outcomes(
        QUARTERS, per_quarter, seed, log_odds=lambda q: flipped_size if q >= changed_from else usual_log_odds
    )
    dictionary = make_bins(frame, ATTRIBUTES, "2025Q4")
    codes = encode(frame, dictionary)
    blocks = [
        ChangeBlock(
            a.name,
            codes[a.name].to_numpy().astype(np.int64),
            kernel(a, dictionary.bins[a.name], codes[a.name].to_numpy()),
            since if a.name == "employees" else 0,
        )
        for a in dictionary.attributes
    ]
    periods = np.searchsorted(QUARTERS, frame["outcome_quarter"].to_numpy(dtype=str))
    return {t.name: t for t in find_changes(blocks, frame["is_won"].to_numpy(dtype=float), periods)}


def test_quiet_quarters_are_quiet_and_p_values_are_uniform() -> None:
    runs = [changes(120, seed) for seed in range(6)]
    p_values = [t.p_value for run in runs for t in run.values()]
    assert sum(any(t.is_flagged for t in run.values()) for run in runs) <= 1
    assert np.mean(np.array(p_values) < 0.05) <= 0.10
    assert 0.40 <= np.mean(p_values) <= 0.60


def test_a_turned_size_band_is_found_and_does_not_drag_revenue_along() -> None:
    found = changes(600, 1, changed_from="2026Q1")
    assert [name for name, t in found.items() if t.is_change] == ["employees"]
    size = found["employees"]
    assert size.q_value < 0.001
    assert size.before.value[2] > 0.3 > -0.3 > size.now.value[2]  # 51-200 employees: from above to below average
    assert size.change.value == pytest.approx(size.now.value - size.before.value)
    assert found["annual_revenue"].p_value > 0.01


def test_estimates_are_contrasts_to_the_average_row_of_the_newest_period() -> None:
    size = changes(300, 2)["employees"]
    for effects in (size.before, size.now, size.change):
        assert float(size.shares_now @ effects.value) == pytest.approx(0.0, abs=1e-9)
    assert size.shares_now.sum() == pytest.approx(1.0)


def test_a_change_already_reported_is_not_found_again() -> None:
    assert changes(400, 3, changed_from="2025Q4")["employees"].p_value < 0.01  # the old regime still pooled in
    known = changes(400, 3, changed_from="2025Q4", since=3)
    assert not any(t.is_flagged for t in known.values())
    assert known["employees"].p_value > 0.05
    assert known["employees"].before.value[2] < 0  # "before" is the regime since the change


def _two_flags(
    counts: tuple[int, int], share_b: tuple[float, float], log_odds: np.ndarray, seed: int
) -> list[ChangeResult]:
    """Flags A and B over two periods; `log_odds[a, b]` holds in both, only the share of B changes."""
    rng = np.random.default_rng(seed)
    periods = np.repeat([0, 1], counts)
    a = (rng.random(len(periods)) < 0.5).astype(np.int64)
    b = (rng.random(len(periods)) < np.array(share_b)[periods]).astype(np.int64)
    won = rng.random(len(periods)) < 1 / (1 + np.exp(-log_odds[a, b]))
    blocks = [ChangeBlock("a", a, identity_kernel(2)), ChangeBlock("b", b, identity_kernel(2))]
    return list(find_changes(blocks, won.astype(float), periods))


def test_a_difference_that_comes_from_the_mix_is_called_that() -> None:
    log_odds = np.array([[-1.0, -1.0], [-1.5, 1.0]])  # A wins with B and loses without
    found = _two_flags((16_000, 4_000), (0.2, 0.8), log_odds, 5)
    assert found[0].is_flagged
    assert found[0].is_mix_driven
    assert not found[0].is_change


def test_a_difference_too_small_to_matter_is_no_change() -> None:
    rng = np.random.default_rng(6)
    periods = np.repeat([0, 1], [60_000, 60_000])
    flag = (rng.random(len(periods)) < 0.5).astype(np.int64)
    won = rng.random(len(periods)) < 1 / (1 + np.exp(1.0 - 0.15 * flag * periods))
    (found,) = find_changes([ChangeBlock("flag", flag, contrast_kernel(0.5, 2))], won.astype(float), periods)
    assert found.is_flagged
    assert not found.is_material
    assert not found.is_change


@pytest.mark.parametrize(("win_rate", "is_found"), [(0.55, True), (0.27, False)])
def test_an_entering_level_is_a_change_only_if_it_wins_differently(win_rate: float, is_found: bool) -> None:
    rng = np.random.default_rng(7)
    periods = np.repeat([0, 1, 2], 600)
    level = (periods == 2) & (rng.random(len(periods)) < 0.12)
    other = rng.integers(0, 2, len(periods))
    won = rng.random(len(periods)) < np.where(level, win_rate, 0.27)
    blocks = [
        ChangeBlock("industry", np.where(level, 2, other), with_average_bin(identity_kernel(2), [1, 1])),
        ChangeBlock("new", np.where(level, 0, -1), np.eye(1), is_entering=True),
    ]
    industry, new = find_changes(blocks, won.astype(float), periods)
    assert new.is_change is is_found
    assert not industry.is_change


def test_an_effect_there_is_needs_less_evidence_of_its_change_than_one_there_is_not() -> None:
    p_values, effects = [0.003, 0.003, 0.2, 0.6], [True, False, True, False]
    known, unknown = weighted_q_values(p_values, effects)[:2]
    assert known < unknown
    assert weighted_q_values(p_values, [True] * 4) == pytest.approx(weighted_q_values(p_values, [False] * 4))
    assert weighted_q_values([0.9, 0.9], [True, False]).max() <= 1


def test_what_matters_for_winning_is_told_from_what_does_not() -> None:
    frame = make_outcomes(QUARTERS, 600, 3, log_odds=lambda _: usual_log_odds)
    dictionary = make_bins(frame, ATTRIBUTES, "2025Q4")
    codes = encode(frame, dictionary)
    blocks = [
        ChangeBlock(a.name, own, kernel(a, dictionary.bins[a.name], own))
        for a in dictionary.attributes
        for own in [codes[a.name].to_numpy().astype(np.int64)]
    ]
    periods = np.searchsorted(QUARTERS, frame["outcome_quarter"].to_numpy(dtype=str))
    won = frame["is_won"].to_numpy(dtype=float)
    model = ChangeModel.build(blocks, won, periods, np.ones(len(won)))
    assert model.has_effect("employees")
    assert not all(model.has_effect(block.name) for block in blocks)


def test_an_effect_that_fades_needs_less_evidence_than_one_that_grows() -> None:
    def p_value(odds_now: float) -> float:
        counts = np.array([[[1800, 600], [1200, 1200]], [[450, 150], [0, 0]]])  # period, flag, lost or won
        share = odds_now / (1 + odds_now)
        counts[1, 1] = np.round(600 * np.array([1 - share, share]))
        cells = np.argwhere(counts >= 0)
        rows = np.repeat(cells, counts.reshape(-1), axis=0)
        flag = ChangeBlock("flag", rows[:, 1], identity_kernel(2))
        return find_changes([flag], rows[:, 2].astype(float), rows[:, 0])[0].p_value

    fading, growing = p_value(1 / 1.4), p_value(1.4)  # the flag's odds of 1 (the others': 1/3) move equally far
    assert fading < 0.02
    assert 2 < growing / fading < 8
    assert p_value(1.0) > 0.3
    assert p_value(20.0) < 1e-12  # one-sided as it leans, it is not blind to growing


def test_quick_tests_are_those_of_the_whole_model() -> None:
    """Taking a block out of the covariance and putting it back gives what inverting the whole model gives."""
    rng = np.random.default_rng(8)
    periods = np.repeat([0, 1, 2], 400)
    blocks = [
        ChangeBlock("a", rng.integers(0, 5, 1200), ordered_kernel(5)),
        ChangeBlock("b", rng.integers(0, 3, 1200), identity_kernel(3), since=1),
        ChangeBlock(
            "c", np.where(rng.random(1200) < 0.3, 0, -1) * (periods == 2) - (periods < 2), np.eye(1), is_entering=True
        ),
    ]
    won = (rng.random(1200) < 0.3 + 0.3 * (blocks[0].codes > 2)).astype(float)
    for added in ((), ("a",)):
        model = replace(ChangeModel.build(blocks, won, periods, np.ones(1200)), added=added)
        for block in blocks:
            parts = [model.main_of[block.name]] if block.name in model.main_of else []
            parts.append(model.change_of[block.name])
            tau2 = model.tau2.copy()
            tau2[parts] = REPORT_VARIANCE
            fit = model.fit
            mean, covariance = posterior(fit.design, fit.gram, fit.gram @ fit.coefficients + fit.score, tau2)
            columns = fit.design.slices[parts[-1]]
            factor = fit.design.factors[parts[-1]]
            centred = factor - (model.shares(block)[1] * (len(parts) == 2)) @ factor
            change = model.effects(block.name)[2]
            np.testing.assert_allclose(change.value, centred @ mean[columns], atol=1e-9)
            np.testing.assert_allclose(
                change.error**2, np.diagonal(centred @ covariance[columns, columns] @ centred.T), atol=1e-9
            )
