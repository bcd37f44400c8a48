"""The price of a diamond: a linear model as baseline, and boosted trees."""

import numpy
from sklearn.base import RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

CATEGORIES = [1, 2, 3]
NUMBERS = [0, 4, 5, 6, 7, 8]
WORST_TO_BEST = [
    ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    ["J", "I", "H", "G", "F", "E", "D"],
    ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
]


def build(kind: str, **parameters: float) -> Pipeline:
    """An unfitted pipeline; `kind` is `linear` or `boosted`, `parameters` go to the regressor."""
    encoder, regressor = {"linear": _linear, "boosted": _boosted}[kind](**parameters)
    columns = ColumnTransformer([("categories", encoder, CATEGORIES), ("numbers", *_numbers(kind))])
    # The first step makes the model indifferent to DataFrame or array, so that it can be served without pandas.
    return make_pipeline(FunctionTransformer(numpy.asarray), columns, regressor)


def _numbers(kind: str) -> tuple[object, list[int]]:
    return (StandardScaler() if kind == "linear" else "passthrough"), NUMBERS


def _linear(**parameters: float) -> tuple[OneHotEncoder, RegressorMixin]:
    return OneHotEncoder(handle_unknown="ignore"), Ridge(**parameters)


def _boosted(**parameters: float) -> tuple[OrdinalEncoder, RegressorMixin]:
    encoder = OrdinalEncoder(categories=WORST_TO_BEST, handle_unknown="use_encoded_value", unknown_value=numpy.nan)
    return encoder, HistGradientBoostingRegressor(loss="gamma", random_state=0, **parameters)
