"""The figures of answers that stream by are those of all of them at once."""

import numpy
import pyarrow
import pytest

from services.contract.distribution import QUANTILES, Distribution, distribution_of, stability_index
from services.contract.prediction import Labelled
from services.delivery.statistics.shift import stability
from services.prediction.batch.tally import Tally

RANDOM = numpy.random.default_rng(7)
NUMBERS = {
    "normal": RANDOM.normal(0, 1, 20_000),
    "prices": numpy.exp(RANDOM.normal(8, 1, 20_000)),
    "many zeros": numpy.where(RANDOM.random(20_000) < 0.4, 0.0, RANDOM.normal(5, 3, 20_000)),
    "one value": numpy.full(500, -3.25),
    "tiny and huge": numpy.concatenate([RANDOM.normal(0, 1e-200, 100), RANDOM.normal(0, 1e200, 100)]),
}


def tally(task: str, edges: tuple[float, ...], *columns: tuple[str, pyarrow.Array]) -> Distribution:
    """In parts of seven rows and one of none."""
    found = Tally(task, edges)  # type: ignore[arg-type]
    whole = pyarrow.RecordBatch.from_arrays([array for _, array in columns], names=[name for name, _ in columns])
    for at in range(0, len(whole), 700):
        found.add(whole.slice(at, 700))
    found.add(whole.slice(0, 0))
    return found.distribution()


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_that_stream_by_have_the_mean_counts_and_nearly_the_quantiles_of_all(case: str) -> None:
    numbers = NUMBERS[case]
    reference = distribution_of("regression", RANDOM.permutation(numbers)[:1000].tolist())
    found = tally("regression", reference.edges, ("prediction", pyarrow.array(numbers)))
    assert found.rows == len(numbers)
    assert found.mean == pytest.approx(numbers.mean(), rel=1e-9, abs=1e-12)
    places = numpy.searchsorted(numpy.array(reference.edges), numbers)
    assert list(found.counts) == numpy.bincount(places, minlength=len(reference.edges) + 1).tolist()
    exact = numpy.quantile(numbers, QUANTILES, method="inverted_cdf")
    near = numpy.quantile(numbers, QUANTILES, method="closest_observation")
    for share, one, other in zip(QUANTILES, exact, near, strict=True):
        low, high = sorted((one, other))
        slack = 0.0051 * max(abs(low), abs(high)) + 1e-11
        assert low - slack <= found.quantiles[str(share)] <= high + slack
    assert (found.quantiles["0.0"], found.quantiles["1.0"]) == (numbers.min(), numbers.max())


def test_the_probability_is_what_counts_of_two_labels_and_the_label_of_many() -> None:
    answers = ("label", pyarrow.array([0, 1, 1])), ("probability", pyarrow.array([0.25, 0.75, 1.0]))
    two = tally("binary-classification", (0.5,), *answers)
    assert (two.counts, two.labels) == ((1, 2), {})
    assert two.mean == pytest.approx(2 / 3)
    many = tally("classification", (), ("label", pyarrow.array(["a", "b", "a"])), answers[1])
    assert (many.labels, many.counts, many.rows) == ({"a": 2, "b": 1}, (), 3)
    named = [Labelled(label=one, probability=0.5) for one in "aba"]
    assert distribution_of("classification", named).labels == many.labels


def test_no_answer_has_a_distribution_of_no_rows() -> None:
    none = Distribution(rows=0)
    assert tally("regression", (1.0,), ("prediction", pyarrow.array([], "double"))) == none
    assert distribution_of("regression", []) == none
    assert stability_index(distribution_of("regression", [1.0, 2.0]), none) is None


def test_the_stability_index_is_that_of_the_gates() -> None:
    before, after = numpy.array([10, 20, 0, 5]), numpy.array([5, 0, 30, 50])
    edges = (1.0, 2.0, 3.0)
    one = Distribution(rows=35, edges=edges, counts=tuple(before.tolist()))
    other = Distribution(rows=85, edges=edges, counts=tuple(after.tolist()))
    assert stability_index(one, other) == pytest.approx(stability(before, after))
    labels = [Distribution(rows=35, labels={"a": 30, "b": 5}), Distribution(rows=10, labels={"c": 10})]
    assert stability_index(*labels) == pytest.approx(stability(numpy.array([30, 5, 0]), numpy.array([0, 0, 10])))
    assert stability_index(one, one) == 0
