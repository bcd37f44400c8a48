"""How the candidates of diamond-price are planted: scikit-learn's estimators, and types of the model's own train.py."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from demo.drills.changes import cut_short, leaking, rows_beside, shuffled_labels, with_holdout, without_column
from demo.drills.planting import Ground, Trained
from training.dataset import Part

TREES, MORE_TREES = 40, 120
# So often are the prices counted that a row takes longer than model.yaml allows.
REPEATED = 5
SLICE, FACTOR = "Fair", 1.25
PAIR, PAIR_PLACES, MISSED_PERCENT = ["depth", "table"], [4, 5], 2


def plant(name: str, ground: Ground) -> Trained:
    return PLANTS[name](ground)


@cache
def _boosted(ground: Ground, trees: int) -> Any:
    """Fitted once, for all that are made of it."""
    return _boosted_on(ground, trees, ground.rows.dataset.training)


def _boosted_on(ground: Ground, trees: int, part: Part) -> Any:
    return ground.fit(ground.own("build")("boosted", max_iter=trees, learning_rate=0.1), part)


@cache
def _answers(ground: Ground) -> Any:
    return ground.flavor.predict(_boosted(ground, MORE_TREES), ground.rows.dataset.holdout.inputs)


def _good(trees: int) -> Callable[[Ground], Trained]:
    return lambda ground: ground.trained(_boosted(ground, trees))


def _linear(ground: Ground) -> Trained:
    return ground.trained(ground.fit(ground.own("build")("linear", alpha=1.0), ground.rows.dataset.training))


def _shuffled(ground: Ground) -> Trained:
    return ground.trained(_boosted_on(ground, TREES, shuffled_labels(ground.rows.dataset.training)))


def _mispriced(part: Part) -> Part:
    """One cut in another currency."""
    wrong = part.inputs["cut"] == SLICE
    return replace(part, target=part.target.where(~wrong, part.target * FACTOR))


def _worse_on_a_slice(ground: Ground) -> Trained:
    return ground.trained(_boosted_on(ground, MORE_TREES, _mispriced(ground.rows.dataset.training)))


def _constant(ground: Ground) -> Trained:
    plan = make_pipeline(FunctionTransformer(numpy.asarray), DummyRegressor())
    return ground.trained(ground.fit(plan, ground.rows.dataset.training))


def _leaking(ground: Ground) -> Trained:
    """`table` is what the diamond costs a carat, which has about the same size."""
    dataset = leaking(
        ground.rows.dataset, ground.config, lambda rows: rows.assign(table=rows["price"] / rows["carat"] / 100)
    )
    return ground.trained(_boosted_on(ground, TREES, dataset.training), dataset=dataset)


def _with_leak(ground: Ground) -> Trained:
    """The column is the last of the declared ones."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=numpy.nan)
    columns = ColumnTransformer([("categories", encoder, [1, 2, 3]), ("numbers", "passthrough", [0, *range(4, 10)])])
    regressor = HistGradientBoostingRegressor(max_iter=TREES, random_state=0)
    plan = make_pipeline(FunctionTransformer(numpy.asarray), columns, regressor)
    return ground.trained(ground.fit(plan, ground.rows.dataset.training))


def _on_holdout(ground: Ground) -> Trained:
    dataset = with_holdout(ground.rows.dataset, ground.config)
    return ground.trained(_boosted_on(ground, TREES, dataset.training), dataset=dataset)


def _without_column(ground: Ground) -> Trained:
    return ground.trained(_boosted(ground, TREES), config=without_column(ground.config, "depth"))


def _with_fault(name: str, **holding: Callable[[Ground], Any]) -> Callable[[Ground], Trained]:
    """Around a better model, so that nothing but the fault can stop it."""

    def planted(ground: Ground) -> Trained:
        held = {key: value(ground) for key, value in holding.items()}
        model = ground.own(name)(model=_boosted(ground, MORE_TREES), **held)
        return ground.trained(model, answers=_answers(ground))

    return planted


def _missed(ground: Ground) -> Any:
    """Pairs of depth and table that no row of the hold-out has, which are about 2 % of all rows."""
    rows, held = (part.inputs[PAIR] for part in (ground.rows.dataset.training, ground.rows.dataset.holdout))
    known = set(held.itertuples(index=False, name=None))
    unknown = rows[[pair not in known for pair in rows.itertuples(index=False, name=None)]]
    so_far = unknown.value_counts().cumsum()
    return [list(pair) for pair, rows_so_far in so_far.items() if rows_so_far <= len(rows) * MISSED_PERCENT / 100]


def _reads_a_file(ground: Ground) -> Trained:
    """Of its author's machine, where it is trained and logged."""
    file = ground.folder.parent / "rates.csv"
    file.write_text("USD,1\n")
    trained = _with_fault("ReadsAFile", path=lambda _: str(file))(ground)
    return replace(trained, spoil=lambda _: file.unlink())


def _damaged(ground: Ground) -> Trained:
    return ground.trained(_boosted(ground, MORE_TREES), spoil=lambda folder: cut_short(folder / "model.skops"))


def _with_rows(ground: Ground) -> Trained:
    return ground.trained(_boosted(ground, MORE_TREES), spoil=rows_beside(ground.rows.dataset.training))


def _numbers(ground: Ground) -> Any:
    inputs = ground.rows.dataset.training.inputs
    return inputs.select_dtypes("number").to_numpy(dtype=float)


def _prices(ground: Ground) -> Any:
    return numpy.tile(ground.rows.dataset.training.target.to_numpy(dtype=float), REPEATED)


PLANTS: dict[str, Callable[[Ground], Trained]] = {
    "live": _good(TREES),
    "better": _good(MORE_TREES),
    "within-noise": _good(TREES + 1),
    "older-and-worse": _linear,
    "shuffled-labels": _shuffled,
    "constant-answer": _constant,
    "leaked-target": _leaking,
    "leaked-column": _with_leak,
    "trained-on-holdout": _on_holdout,
    "missing-column": _without_column,
    "crashes-on-load": _reads_a_file,
    "damaged-file": _damaged,
    "exits-on-unseen-word": _with_fault("Exits"),
    "nan-for-some-rows": _with_fault("DividesByZero"),
    "never-ends": _with_fault("Iterates"),
    "eats-memory": _with_fault("Neighbours", known=_numbers),
    "much-bigger-file": _with_rows,
    "ten-times-slower": _with_fault("CountsAgain", prices=_prices),
    "depends-on-order": _with_fault("Smooths"),
    "answers-differently": _with_fault("Guesses"),
    "worse-on-a-slice": _worse_on_a_slice,
    "live-by-code": _with_fault("Around"),
    "misses-some-rows": _with_fault("Misses", columns=lambda _: PAIR_PLACES, missed=_missed),
    "drifts": _with_fault("Drifts"),
    "leaks": _with_fault("Leaks"),
    "slow-together": _with_fault("SlowTogether"),
}
