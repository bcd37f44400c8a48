"""What a plan of scikit-learn would answer, looked at before it is fitted."""

from typing import Any

from sklearn.base import is_classifier
from sklearn.ensemble import StackingClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import Pipeline

from services.contract.errors import Refused

_OF_SEVERAL = (ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain)


def refuse_without_one_answer(plan: Any) -> None:
    """Raises Refused for a plan of several answers a row, and for a classifier without probabilities."""
    estimator = _last(plan)
    name = type(estimator).__name__
    if isinstance(estimator, _OF_SEVERAL):
        raise Refused(f"expected an estimator of one answer a row, found {name}: train a model for each target")
    if is_classifier(estimator) and not _has_probabilities(estimator):
        raise Refused(
            f"expected a classifier with predict_proba, found {name}, which answers labels only: return "
            f"CalibratedClassifierCV({name}(…)) of sklearn.calibration in its place"
        )


def _last(plan: Any) -> Any:
    """The estimator that answers, below pipelines and searches."""
    while isinstance(plan, Pipeline | GridSearchCV | RandomizedSearchCV):
        plan = plan.steps[-1][1] if isinstance(plan, Pipeline) else plan.estimator
    return plan


def _has_probabilities(classifier: Any) -> bool:
    # Before it is fitted, it does not know that its own choice is a logistic regression.
    if isinstance(classifier, StackingClassifier) and classifier.final_estimator is None:
        return True
    return hasattr(classifier, "predict_proba")
