"""McNemar, permutation, Holm and the distances of answers, against scipy and against what is counted by hand."""

from itertools import product

import numpy
import pytest
from scipy import stats

from services.delivery.statistics.holm import holm
from services.delivery.statistics.mcnemar import mcnemar
from services.delivery.statistics.permutation import paired_permutation
from services.delivery.statistics.shift import kolmogorov_smirnov, moved, psi, psi_of_labels

GENERATOR = numpy.random.default_rng(11)


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 5), (12, 12), (130, 171), (30_000, 30_500)])
def test_mcnemars_p_value_is_that_of_a_fair_coin(first: int, second: int) -> None:
    expected = stats.binomtest(first, first + second).pvalue
    assert mcnemar(first, second) == mcnemar(second, first) == pytest.approx(expected, rel=1e-9)


def test_two_models_that_are_right_on_the_same_rows_are_equally_good() -> None:
    assert mcnemar(0, 0) == 1.0


def test_the_permutation_of_few_rows_is_near_the_count_of_all_of_them() -> None:
    gained = numpy.array([0.9, 0.2, -0.3, 1.4, 0.1, 0.8, -0.1, 0.6, 0.5, -0.2])
    sums = [abs(gained @ signs) for signs in product((1, -1), repeat=10)]
    exact = numpy.mean([one >= abs(gained.sum()) - 1e-12 for one in sums])
    # Three standard deviations of a share of 10,000 draws.
    assert paired_permutation(gained) == pytest.approx(exact, abs=3 * numpy.sqrt(exact / 10_000))


def test_the_permutation_of_many_rows_is_near_the_normal_distributions_p_value() -> None:
    gained = GENERATOR.normal(0.05, 1, 2001)
    expected = 2 * stats.norm.sf(abs(gained.sum()) / numpy.sqrt((gained**2).sum()))
    assert paired_permutation(gained) == pytest.approx(expected, abs=0.01)


def test_equal_errors_have_a_p_value_of_one_and_all_in_one_direction_the_smallest_that_draws_can_show() -> None:
    assert paired_permutation(numpy.zeros(50)) == 1.0
    assert paired_permutation(numpy.full(500, 0.1)) == 1 / 10_001


def test_the_same_errors_have_the_same_p_value_each_time() -> None:
    gained = GENERATOR.normal(0.1, 1, 300)
    assert paired_permutation(gained) == paired_permutation(gained)


def test_holm_takes_the_smallest_p_value_times_all_looks_and_the_next_times_one_fewer() -> None:
    # Four tests, in any order: 0.005 · 4, 0.011 · 3, and the last two not below the one before.
    assert holm([0.04, 0.005, 0.03, 0.011]) == pytest.approx([0.06, 0.02, 0.06, 0.033])
    assert holm([0.4, 0.6]) == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_one_true_difference_among_many_looks_is_all_that_is_found() -> None:
    looks = [0.0001, *GENERATOR.uniform(0.02, 1, 66)]
    assert [place for place, one in enumerate(holm(looks)) if one <= 0.025] == [0]


def test_the_stability_index_of_shares_is_their_difference_times_the_logarithm_of_their_ratio() -> None:
    before, after = ["a"] * 50 + ["b"] * 50, ["a"] * 80 + ["b"] * 20
    expected = 0.3 * numpy.log(0.8 / 0.5) - 0.3 * numpy.log(0.2 / 0.5)
    assert psi_of_labels(before, after) == pytest.approx(expected)
    assert psi_of_labels(before, before) == 0


def test_a_label_that_only_one_model_answers_is_a_finite_shift() -> None:
    assert 0.1 < psi_of_labels(["a"] * 100, ["a"] * 90 + ["b"] * 10) < 1


def test_numbers_that_moved_by_a_standard_deviation_have_the_index_that_theory_gives() -> None:
    before = GENERATOR.normal(0, 1, 40_000)
    edges = stats.norm.ppf(numpy.linspace(0, 1, 11))
    shares = numpy.diff(stats.norm.cdf(edges - 1))
    assert psi(before, before + 1) == pytest.approx(((shares - 0.1) * numpy.log(shares / 0.1)).sum(), rel=0.05)
    assert psi(before, before) == 0
    assert moved(psi(before, before + 1)) == "moved far"


def test_a_model_that_answers_few_different_numbers_has_as_many_bins() -> None:
    before, after = numpy.repeat([0.0, 1.0], [70, 30]), numpy.repeat([0.0, 1.0], [30, 70])
    assert psi(before, after) == pytest.approx(0.8 * numpy.log(7 / 3))
    assert psi(numpy.zeros(9), numpy.zeros(9)) == 0


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.05, 0.3])
def test_kolmogorovs_and_smirnovs_distance_is_scipys(shift: float) -> None:
    first, second = GENERATOR.normal(0, 1, (2, 3000)).round(2)
    scipys = stats.ks_2samp(first, second + shift)
    distance, p_value = kolmogorov_smirnov(first, second + shift)
    assert distance == pytest.approx(scipys.statistic)
    assert p_value == pytest.approx(scipys.pvalue, abs=0.01)
