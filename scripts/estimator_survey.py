"""Asks of every estimator of scikit-learn whether it is served as ONNX, by scikit-learn, or refused, and says why.

usage: python -m scripts.estimator_survey    writes the tables of docs/scikit-learn-estimators.md anew
"""

import argparse
import itertools
import math
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import all_estimators
from threadpoolctl import threadpool_limits

from services.contract.errors import Refused
from services.contract.estimator import ask_estimator, load_estimator
from services.contract.prediction import Prediction, difference, number_of
from services.contract.release import Column
from services.delivery.onnx.sklearn import write_estimator
from services.delivery.scoring.child import ONNX
from services.prediction.runtimes import onnx as runtime

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scikit-learn-estimators.md"
KINDS = ("regressor", "classifier", "transformer")
ODD = (0.0, -1e9, 1e9, 1e-300, 2.0, math.nan)
ROWS = 90

Rows = list[list[Any]]


@dataclass(frozen=True)
class Found:
    """`served` is `ONNX`, `scikit-learn` or `refused`; `reason` is in the product's own words, empty for ONNX."""

    name: str
    served: str
    reason: str = ""


@dataclass(frozen=True)
class Table:
    """What an estimator is fitted on and asked: positive numbers with ties, or words, and the target of each kind."""

    rows: Rows
    inputs: tuple[Column, ...]
    edges: Rows

    @property
    def numbers(self) -> bool:
        return self.inputs[0].type == "double"

    def matrix(self, rows: Rows) -> numpy.ndarray:
        return numpy.array(rows, dtype=float if self.numbers else object)


def numbers() -> Table:
    random = numpy.random.default_rng(7)
    columns = (random.uniform(0.5, 4, ROWS), random.lognormal(0, 1, ROWS), random.integers(1, 6, ROWS).astype(float))
    rows = numpy.column_stack(columns).tolist()
    edges = [[*rows[0][:place], value, *rows[0][place + 1 :]] for place in range(3) for value in ODD]
    return Table(rows, tuple(Column(name=name, type="double") for name in "abc"), edges)


def one_number() -> Table:
    table = numbers()
    return Table([row[:1] for row in table.rows], table.inputs[:1], [[value] for value in ODD])


def words() -> Table:
    random = numpy.random.default_rng(7)
    rows = [[str(random.choice(["ab", "cd", "ef"])), str(random.choice(["x y", "zz"]))] for _ in range(ROWS)]
    inputs = tuple(Column(name=name, type="string") for name in "ab")
    return Table(rows, inputs, [["never seen", "zz"], ["", "x y"], ["AB", "zz"]])


# Of those that cannot be made without another, or whose defaults take long or suit no three columns.
MADE: dict[str, Callable[[Any], Any]] = {
    "CCA": lambda kind: kind(n_components=1),
    "ClassifierChain": lambda kind: kind(LogisticRegression()),
    "ColumnTransformer": lambda kind: kind([("one", StandardScaler(), [0, 1])], remainder="passthrough"),
    "FeatureUnion": lambda kind: kind([("one", StandardScaler()), ("other", StandardScaler())]),
    "CountVectorizer": lambda kind: of_text(kind()),
    "FixedThresholdClassifier": lambda kind: kind(LogisticRegression()),
    "GaussianRandomProjection": lambda kind: kind(n_components=2),
    "GridSearchCV": lambda kind: kind(Ridge(), {"alpha": [0.1, 1]}),
    "HalvingGridSearchCV": lambda kind: kind(Ridge(), {"alpha": [0.1, 1]}),
    "HalvingRandomSearchCV": lambda kind: kind(Ridge(), {"alpha": [0.1, 1]}),
    "HashingVectorizer": lambda kind: of_text(kind(n_features=16)),
    "MissingIndicator": lambda kind: kind(features="all"),
    "MultiOutputClassifier": lambda kind: kind(LogisticRegression()),
    "MultiOutputRegressor": lambda kind: kind(Ridge()),
    "OneVsOneClassifier": lambda kind: kind(LogisticRegression()),
    "OneVsRestClassifier": lambda kind: kind(LogisticRegression()),
    "OutputCodeClassifier": lambda kind: kind(LogisticRegression()),
    "PLSCanonical": lambda kind: kind(n_components=1),
    "PLSSVD": lambda kind: kind(n_components=1),
    "Pipeline": lambda kind: kind([("one", StandardScaler()), ("other", StandardScaler())]),
    "RandomizedSearchCV": lambda kind: kind(Ridge(), {"alpha": [0.1, 1]}, n_iter=2),
    "RegressorChain": lambda kind: kind(Ridge()),
    "RFE": lambda kind: kind(Ridge(), n_features_to_select=2),
    "RFECV": lambda kind: kind(Ridge()),
    "SelectFromModel": lambda kind: kind(Ridge()),
    "SelectKBest": lambda kind: kind(k=2),
    "SequentialFeatureSelector": lambda kind: kind(Ridge(), n_features_to_select=2),
    "SelfTrainingClassifier": lambda kind: kind(LogisticRegression()),
    "SparseCoder": lambda kind: kind(numpy.eye(3)),
    "SparseRandomProjection": lambda kind: kind(n_components=2),
    "StackingClassifier": lambda kind: kind([("one", DecisionTreeClassifier(max_depth=3))]),
    "StackingRegressor": lambda kind: kind([("one", Ridge())]),
    "TfidfVectorizer": lambda kind: of_text(kind()),
    "TransformedTargetRegressor": lambda kind: kind(Ridge(), func=numpy.log1p, inverse_func=numpy.expm1),
    "TunedThresholdClassifierCV": lambda kind: kind(LogisticRegression()),
    "VotingClassifier": lambda kind: kind(
        [("one", LogisticRegression()), ("other", DecisionTreeClassifier(max_depth=3))], voting="soft"
    ),
    "VotingRegressor": lambda kind: kind([("one", Ridge()), ("other", Ridge(10))]),
}


def of_text(vectorizer: Any) -> ColumnTransformer:
    return ColumnTransformer([("text", vectorizer, 1)])


def survey(kind: str) -> list[Found]:
    """All of a kind, by name."""
    known = dict(all_estimators(type_filter=kind))
    if kind == "transformer":
        known |= {each.__name__: each for each in (CountVectorizer, TfidfVectorizer)}
    return [found(name, known[name], kind) for name in sorted(known, key=str.lower)]


def found(name: str, estimator: type, kind: str) -> Found:
    with warnings.catch_warnings(), numpy.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model, table = fitted(made(estimator), kind)
            model = loaded(model)
            expected = answers(model, table)
        # A library fails in whatever way it happens to fail.
        except Exception as error:
            return Found(name, "refused", said(error))
        try:
            compare(expected, of_graph(model, table), len(table.rows))
        except Refused as reason:
            return Found(name, "scikit-learn", str(reason))
        return Found(name, "ONNX")


def said(error: Exception) -> str:
    """In one line."""
    line = str(error).strip().splitlines()[0]
    return line if isinstance(error, Refused) else f"{type(error).__name__}: {line}"


def made(estimator: type) -> Any:
    make = MADE.get(estimator.__name__, lambda kind: kind())
    return make(estimator)


def fitted(estimator: Any, kind: str) -> tuple[Any, Table]:
    """On the first table and target that it takes; a transformer stands in front of a linear model.

    Raises what it said to the first.
    """
    first: Exception | None = None
    for table, target in itertools.product(TABLES, TARGETS[kind]):
        model = estimator
        if kind == "transformer":
            model = make_pipeline(estimator, Ridge() if target is amounts else LogisticRegression())
        try:
            return model.fit(table.matrix(table.rows), target(table)), table
        except Exception as error:
            first = first or error
    assert first is not None  # noqa: S101  there are tables
    raise first


def amounts(table: Table) -> numpy.ndarray:
    return numpy.array([10 + (math.prod(row) if table.numbers else len(row[-1])) for row in table.rows])


def classes(table: Table) -> numpy.ndarray:
    found = amounts(table)
    places = numpy.digitize(found, numpy.quantile(found, [0.3, 0.7]))
    return numpy.array([("few", "many", "some")[place] for place in places], dtype=object)


def yes_or_no(table: Table) -> numpy.ndarray:
    found = amounts(table)
    return numpy.array(found > numpy.median(found), dtype=int)


def two_amounts(table: Table) -> numpy.ndarray:
    return numpy.column_stack([amounts(table), numpy.sqrt(amounts(table))])


def two_answers(table: Table) -> numpy.ndarray:
    return numpy.column_stack([yes_or_no(table), 1 - yes_or_no(table)])


def loaded(model: Any) -> Any:
    """As a service has it: from a skops file, with the types that are trusted."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.skops"
        try:
            skops.io.dump(model, file)
        except Exception as error:
            raise Refused(f"skops does not write it: {said(error)}") from error
        try:
            return load_estimator(file)
        except Refused as reason:
            raise Refused(str(reason).removeprefix(f"{file}: ")) from reason


def answers(model: Any, table: Table) -> list[Prediction | None]:
    return each(lambda rows: ask_estimator(model, table.matrix(rows)), table)


def each(ask: Callable[[Rows], list[Prediction]], table: Table) -> list[Prediction | None]:
    """All rows at once, and each of the edges by itself: None where there is no answer or no finite one."""
    found: list[Prediction | None] = list(ask(table.rows))
    for row in table.edges:
        try:
            (answer,) = ask([row])
        except ValueError:
            found.append(None)
        else:
            found.append(answer if math.isfinite(number_of(answer)) else None)
    return found


def of_graph(model: Any, table: Table) -> list[Prediction | None]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(write_estimator(model, table.inputs))
        try:
            return each(runtime.load(file, table.inputs).predict, table)
        except ValueError as error:
            raise Refused("the graph fails on rows that scikit-learn answers") from error


def compare(expected: Sequence[Prediction | None], answered: Sequence[Prediction | None], rows: int) -> None:
    """Raises Refused when an answer is not the library's own."""
    scale = float(numpy.median([abs(one) for one in expected if isinstance(one, float)] or [0.0]))
    for place, (one, other) in enumerate(zip(expected, answered, strict=True)):
        apart = 0.0 if one is other else math.inf if one is None or other is None else difference(one, other, scale)
        if apart > ONNX.tolerance:
            where = "rows of the training" if place < rows else "missing or extreme values"
            raise Refused(f"the graph answers otherwise on {where}")


def tables() -> dict[str, str]:
    """By kind, as Markdown."""
    # Of such small tables threads only wait for one another.
    with threadpool_limits(1):
        return {kind: as_table(survey(kind)) for kind in KINDS}


def as_table(found: Sequence[Found]) -> str:
    rows = "".join(f"| `{each.name}` | {each.served} | {in_a_cell(each.reason)} |\n" for each in found)
    return f"| estimator | served as | why not as ONNX, or why not at all |\n|---|---|---|\n{rows}"


def in_a_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def counts(found: Sequence[str]) -> str:
    lines = "\n".join(found)
    return ", ".join(f"{lines.count(f'| {served} |')} {words}" for served, words in SERVED.items())


def page(found: dict[str, str]) -> str:
    sections = "\n".join(f"## {kind.capitalize()}s\n\n{counts([text])}.\n\n{text}" for kind, text in found.items())
    return f"{HEAD}\nOf all: {counts(list(found.values()))}.\n\n{sections}"


TABLES = (numbers(), one_number(), words())
TARGETS: dict[str, tuple[Callable[[Table], numpy.ndarray], ...]] = {
    "regressor": (amounts, two_amounts),
    "classifier": (classes, yes_or_no, two_answers),
    "transformer": (amounts, classes),
}
SERVED = {"ONNX": "served as ONNX", "scikit-learn": "served by scikit-learn", "refused": "refused"}
HEAD = """# scikit-learn's estimators

What becomes of each estimator that scikit-learn ships, with its default parameters: fitted on a small table, written to
a skops file, loaded from it, written as a graph and asked. A transformer stands in front of a linear model.

- *ONNX*: the graph's answers are scikit-learn's own within 1e-12, also on missing and extreme values; a row that
  scikit-learn refuses gets no answer from the graph.
- *scikit-learn*: the service `prediction-sklearn` answers. `package` finds this by itself and notes the reason.
- *refused*: not served; the reason is that of the product or of scikit-learn.

Other parameters or rows may lead to another form: `package` compares the answers of every release.
`make estimator-survey` writes this page.
"""


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m scripts.estimator_survey", description=__doc__).parse_args()
    PAGE.write_text(page(tables()), encoding="utf-8")
