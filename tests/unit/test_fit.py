import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2_contingency

from icp.fit import (
    TAU2_CAP,
    contrast_kernel,
    fit_additive,
    identity_kernel,
    ordered_kernel,
)
from icp.score_test import attribute_tests, variance_component_test


def two_groups(first=(30, 100), second=(70, 100)):
    """Codes and outcomes of two groups of (wins, rows)."""
    codes = np.repeat([0, 1], [first[1], second[1]])
    won = np.concatenate([np.arange(n) < wins for wins, n in (first, second)]).astype(float)
    return codes[:, None], won


def noise(rng, rows=400, blocks=8, bins=4):
    return rng.integers(0, bins, (rows, blocks)), [identity_kernel(bins)] * blocks


def test_two_symmetric_groups_solve_the_penalised_equation():
    codes, won = two_groups()
    fit = fit_additive(codes, [identity_kernel(2)], won, tau2=[1.0])
    effect = fit.effects[0][1]
    assert 70 - 100 * expit(effect) == pytest.approx(effect, abs=1e-6)  # score = shrinkage
    assert effect == pytest.approx(0.80906, abs=1e-4)
    assert fit.effects[0][0] == pytest.approx(-effect)
    assert fit.intercepts[0] == pytest.approx(0, abs=1e-8)


def test_variance_is_at_its_fixed_point():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 6, (3000, 1))
    won = rng.random(3000) < expit(np.linspace(-1.5, 0.5, 6)[codes[:, 0]])
    fit = fit_additive(codes, [identity_kernel(6)], won)
    prior = np.concatenate([[1 / 25], np.full(6, 1 / fit.tau2[0])])
    variance = np.diagonal(np.linalg.inv(fit.gram + np.diag(prior)))[1:]
    determined = (1 - variance / fit.tau2[0]).sum()
    assert fit.tau2[0] == pytest.approx((fit.coefficients[1:] ** 2).sum() / determined, rel=1e-6)


def test_score_test_of_a_flag_is_pearsons_chi_square():
    codes, won = two_groups((30, 100), (45, 100))
    fit = fit_additive(codes, [identity_kernel(2)], won, tau2=[0.0])
    expected = chi2_contingency([[30, 70], [45, 55]], correction=False).pvalue
    assert attribute_tests(fit)[0] == pytest.approx(expected, rel=0.01)
    outside = fit_additive(np.empty((200, 0), int), [], won)
    assert variance_component_test(outside, codes[:, 0], identity_kernel(2)) == pytest.approx(expected, rel=0.01)


def test_an_attribute_without_signal_drops_out():
    codes, kernels = noise(np.random.default_rng(0), rows=3000)
    won = np.random.default_rng(1).random(3000) < 0.3
    assert (fit_additive(codes, kernels, won).tau2 == 0).sum() >= 3


def test_p_values_of_noise_are_uniform():
    p_values = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        codes, kernels = noise(rng, rows=300)
        p_values += list(attribute_tests(fit_additive(codes, kernels, rng.random(300) < 0.25)))
    shares = [(np.array(p_values) < level).mean() for level in (0.05, 0.2, 0.5, 0.8)]
    assert shares == pytest.approx([0.05, 0.2, 0.5, 0.8], abs=0.09)


def test_a_correlate_without_an_effect_of_its_own_is_not_blamed():
    rng = np.random.default_rng(5)
    cause = rng.integers(0, 4, 4000)
    correlate = np.where(rng.random(4000) < 0.7, cause, rng.integers(0, 4, 4000))
    won = rng.random(4000) < expit(np.array([-2.0, -1.5, -1.0, -0.5])[cause])
    fit = fit_additive(np.column_stack([cause, correlate]), [identity_kernel(4)] * 2, won)
    p_values = attribute_tests(fit)
    assert p_values[0] < 1e-6
    assert p_values[1] > 0.05


def test_rows_outside_a_block_do_not_move_it():
    codes, won = two_groups()
    outside = np.full_like(codes, -1)
    fit = fit_additive(np.vstack([codes, outside]), [identity_kernel(2)], np.concatenate([won, won]), tau2=[1.0])
    alone = fit_additive(codes, [identity_kernel(2)], won, tau2=[1.0])
    assert fit.effects[0] == pytest.approx(alone.effects[0], abs=1e-6)


def test_whole_weights_are_repeated_rows():
    rng = np.random.default_rng(2)
    codes, kernels = noise(rng, rows=150, blocks=2)
    won, times = rng.random(150) < 0.4, rng.integers(1, 4, 150)
    weighted = fit_additive(codes, kernels, won, weights=times, tau2=[0.2, 0.2])
    repeated = fit_additive(np.repeat(codes, times, axis=0), kernels, np.repeat(won, times), tau2=[0.2, 0.2])
    assert weighted.effects[1] == pytest.approx(repeated.effects[1], abs=1e-8)


def test_offset_is_taken_as_known():
    codes, won = two_groups()
    known = np.where(codes[:, 0] == 1, np.log(7 / 3), np.log(3 / 7))
    fit = fit_additive(codes, [identity_kernel(2)], won, offset=known, tau2=[1.0])
    assert fit.effects[0] == pytest.approx([0, 0], abs=1e-6)


def test_perfect_separation_stays_finite():
    codes, won = two_groups((0, 100), (100, 100))
    fit = fit_additive(codes, [identity_kernel(2)], won)
    assert np.isfinite(fit.covariance).all()
    assert 2 < fit.effects[0][1] < 10
    assert fit.tau2[0] <= TAU2_CAP
    assert attribute_tests(fit)[0] < 1e-6


def test_one_class_and_a_quarter_without_wins_stay_finite():
    codes, won = two_groups()
    fit = fit_additive(codes, [identity_kernel(2)], np.zeros(200), fixed=(codes == 1))
    assert np.isfinite(fit.linear_predictor).all()
    fit = fit_additive(codes, [identity_kernel(2)], won * (codes[:, 0] == 1), fixed=(codes == 1))
    assert np.isfinite(fit.linear_predictor).all()


def test_many_rows_take_the_variance_from_a_sample(monkeypatch):
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 4, (6000, 1))
    won = rng.random(6000) < expit(0.5 * codes[:, 0] - 2.0)
    whole = fit_additive(codes, [identity_kernel(4)], won)
    monkeypatch.setattr("icp.fit.SUBSAMPLE", 2000)
    thinned = fit_additive(codes, [identity_kernel(4)], won)
    assert thinned.effects[0] == pytest.approx(whole.effects[0], abs=0.05)


def test_ordered_kernel_keeps_the_trace_and_missing_apart():
    kernel = ordered_kernel(6)
    assert np.trace(kernel) == pytest.approx(6)
    assert kernel[-1].tolist() == [0, 0, 0, 0, 0, 1]
    assert kernel[0, 1] > kernel[0, 3]
    assert (np.linalg.eigvalsh(kernel) > 0.4).all()


def test_neighbours_lend_a_thin_bin_their_effect():
    codes = np.repeat([0, 1, 2, 3], [300, 300, 2, 300])
    rng = np.random.default_rng(0)
    won = rng.random(902) < np.array([0.1, 0.3, 0.5, 0.7])[codes]
    won[codes == 2] = [True, False]
    ordered = fit_additive(codes[:, None], [ordered_kernel(4, has_missing=False)], won).effects[0]
    assert ordered[1] < ordered[2] < ordered[3]


def test_contrast_kernel_leaves_not_known_at_the_average():
    codes = np.repeat([0, 1, 2], [150, 50, 200])[:, None]
    won = np.concatenate([np.arange(150) < 30, np.arange(50) < 30, np.arange(200) < 150]).astype(float)
    fit = fit_additive(codes, [contrast_kernel(0.25)], won)
    assert fit.effects[0][2] == pytest.approx(0, abs=1e-12)
    assert 0.75 * fit.effects[0][0] + 0.25 * fit.effects[0][1] == pytest.approx(0, abs=1e-9)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="1 code columns but 2 kernels"):
        fit_additive(np.zeros((4, 1), int), [identity_kernel(2)] * 2, [0, 1, 0, 1])
