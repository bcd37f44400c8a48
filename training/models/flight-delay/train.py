"""Whether a flight will be late: a logistic regression as baseline, and boosted trees."""

from collections.abc import Callable

from pyspark.ml import Estimator, Pipeline
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.feature import Imputer, OneHotEncoder, StringIndexer, VectorAssembler

NAMES = ["carrier", "origin", "destination"]
CALENDAR = ["month", "weekday", "hour"]
WEATHER = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
# A tree splits a category into sets, and needs a bin for each of them; there are 105 destinations.
BINS = 128


def build(kind: str, **parameters: float) -> Callable[[], Pipeline]:
    """The unfitted pipeline, once it is called: Spark cannot make a stage before its session has started.

    `kind` is `logistic` or `boosted`, `parameters` go to the classifier.
    """
    stages = {"logistic": _logistic, "boosted": _boosted}[kind]
    return lambda: Pipeline(stages=[_indexer(), _imputer(), *stages(**parameters)])


def _logistic(**parameters: float) -> list[Estimator]:
    places = [*_indexed(NAMES), *CALENDAR]
    encoder = OneHotEncoder(inputCols=places, outputCols=[f"{name}_flag" for name in places], handleInvalid="keep")
    return [
        encoder,
        _assembler([*encoder.getOutputCols(), "distance", *_filled(WEATHER)]),
        LogisticRegression(labelCol="late", **parameters),
    ]


def _boosted(**parameters: float) -> list[Estimator]:
    return [
        _assembler([*_indexed(NAMES), *CALENDAR, "distance", *_filled(WEATHER)]),
        GBTClassifier(labelCol="late", maxBins=BINS, seed=0, **parameters),
    ]


def _indexer() -> StringIndexer:
    return StringIndexer(inputCols=NAMES, outputCols=_indexed(NAMES), handleInvalid="keep")


def _imputer() -> Imputer:
    return Imputer(inputCols=WEATHER, outputCols=_filled(WEATHER), strategy="mean")


def _assembler(columns: list[str]) -> VectorAssembler:
    return VectorAssembler(inputCols=columns, outputCol="features")


def _indexed(columns: list[str]) -> list[str]:
    return [f"{column}_index" for column in columns]


def _filled(columns: list[str]) -> list[str]:
    return [f"{column}_filled" for column in columns]
