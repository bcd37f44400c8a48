"""What scikit-learn's plan must be, so that nothing later than the fit has to refuse the model."""

from collections.abc import Iterator
from typing import Any

import numpy
import pandas
from sklearn.base import is_classifier
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _is_fitted

from services.contract.errors import Refused
from services.contract.estimator import names_in, refuse_misled, untrusted, write_as_list
from services.contract.model_config import ModelConfig
from services.contract.own_code import is_own

_WANTED = "expected `build` to return an unfitted estimator or pipeline"
_OF_SEVERAL = (ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain)
_LAMBDA = "<lambda>"
_SHOWN = 60

# Many choose columns by `frame.select_dtypes("number").columns`.
write_as_list(pandas.Index)


def stored(model: Any) -> Any:
    """What is logged of a fitted model: of a search, the best estimator, because it answers and the search is done."""
    return model.best_estimator_ if isinstance(model, BaseSearchCV) else model


def refuse_unfit(plan: Any, config: ModelConfig) -> None:
    """Raises Refused, in one sentence that says what to do."""
    if isinstance(plan, type):
        raise Refused(f"{_WANTED}, found the class {plan.__name__}: return {plan.__name__}()")
    if plan is None:
        raise Refused(f"{_WANTED}, found None: end `build` with `return`")
    if not callable(getattr(plan, "fit", None)) or not _offers(plan, "predict"):
        raise Refused(f"{_WANTED}, found {_shown(plan)}, which has not both fit and predict")
    if _is_fitted(plan):
        raise Refused(f"{_WANTED}, found a fitted {_name(plan)}: leave the fit to the training job")
    _refuse_several_answers(plan)
    _refuse_other_task(plan, config)
    _refuse_strangers(plan, config)
    refuse_misled(plan, functions=False)


def _shown(plan: Any) -> str:
    text = " ".join(repr(plan).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _name(plan: Any) -> str:
    return type(plan[-1] if isinstance(plan, Pipeline) else plan).__name__


def _answering(plan: Any) -> Any:
    """The estimator that answers, below pipelines and searches."""
    while isinstance(plan, Pipeline | BaseSearchCV):
        plan = plan[-1] if isinstance(plan, Pipeline) else plan.estimator
    return plan


def _refuse_several_answers(plan: Any) -> None:
    if isinstance(found := _answering(plan), _OF_SEVERAL):
        name = type(found).__name__
        raise Refused(f"expected an estimator of one answer a row, found {name}: train a model for each target")


def _refuse_other_task(plan: Any, config: ModelConfig) -> None:
    regression = config.task == "regression"
    try:
        wrong = is_classifier(plan) == regression
    except AttributeError as error:
        raise Refused(f"expected {_name(plan)} to inherit from BaseEstimator of sklearn.base: {error}") from error
    if wrong:
        kind = "regressor" if regression else "classifier"
        raise Refused(f"expected a {kind} for the task {config.task} of model.yaml, found {_name(plan)}")
    if not regression and not _offers(plan, "predict_proba"):
        name, has_scores = _name(plan), _offers(plan, "decision_function")
        advice = f"return CalibratedClassifierCV({name}(…)) of sklearn.calibration in its place"
        other = "choose another, or the parameter that gives it one, such as voting='soft'"
        raise Refused(f"expected a classifier with predict_proba, found {name}: {advice if has_scores else other}")
    _refuse_numbered_labels(plan, config)


def _refuse_numbered_labels(plan: Any, config: ModelConfig) -> None:
    answering = _answering(plan)
    if config.task == "classification" and type(answering).__module__.startswith("xgboost."):
        raise Refused(
            f"expected a classifier of labels that are texts, found {type(answering).__name__}, which takes their "
            "numbers only: write `library: xgboost` into model.yaml and return its parameters, or an LGBMClassifier"
        )


def _offers(plan: Any, method: str) -> bool:
    """Also once it is fitted: what stacks has its own final estimator, which does not exist before."""
    last = plan[-1] if isinstance(plan, Pipeline) and plan.steps else plan
    if isinstance(last, StackingClassifier | StackingRegressor) and last.final_estimator is None:
        return hasattr(type(last), method)
    return callable(getattr(plan, method, None))


def _refuse_strangers(plan: Any, config: ModelConfig) -> None:
    """What the plan names now, the fitted model names as well; what fitting adds is scikit-learn's own."""
    parts = list(_kept(plan))
    for name in _locals([part.get_params(deep=True) for part in parts if hasattr(part, "get_params")]):
        raise Refused(_unnamed(name))
    found = names_in(parts)
    for name in (name for name in found if is_own(name)):
        attribute = name.partition(".")[2]
        if attribute == _LAMBDA:
            raise Refused(_unnamed(attribute))
        if f"train.{attribute}" not in config.trusted:
            raise Refused(
                f"expected types of scikit-learn, or own ones that model.yaml declares, found {attribute}: write "
                f"`trusted: [{', '.join([*config.trusted, f'train.{attribute}'])}]` into model.yaml and commit it"
            )
    if strangers := untrusted(name for name in found if not is_own(name)):
        raise Refused(
            f"expected types and functions of scikit-learn, of numpy's arrays or of train.py, found "
            f"{', '.join(strangers)}: a service loads no others, so write in train.py what it is needed for"
        )


def _kept(plan: Any) -> Iterator[Any]:
    """What may be stored: of a search, its estimator and the values that it lists for it; no splitter and no
    distribution of SciPy, which would run text as code when it is loaded."""
    if not isinstance(plan, BaseSearchCV):
        yield plan
        return
    yield plan.estimator
    grids = getattr(plan, "param_grid", None) or getattr(plan, "param_distributions", {})
    for grid in [grids] if isinstance(grids, dict) else grids:
        yield [list(values) for values in grid.values() if isinstance(values, list | tuple | numpy.ndarray)]


def _locals(parameters: Any) -> Iterator[str]:
    """The functions and classes that are defined inside of others, and so cannot be found by a name."""
    for value in parameters.values() if isinstance(parameters, dict) else parameters:
        if isinstance(value, dict | list | tuple | set):
            yield from _locals(value)
        name = getattr(value, "__qualname__", type(value).__qualname__)
        if "<" in name:
            yield name.rpartition(".")[2]


def _unnamed(name: str) -> str:
    found = "a lambda" if name == _LAMBDA else f"{name}, which is defined inside of a function"
    return (
        f"expected functions and classes that can be found by their name, found {found}: define it at the top of "
        "train.py and declare it in model.yaml, such as `trusted: [train.its_name]`"
    )
