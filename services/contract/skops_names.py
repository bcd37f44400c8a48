"""Which types and functions a skops file may name: those that scikit-learn's own estimators hold.

A file can have whatever it names built, or called with anything else that it holds. So none of these reads or writes
a file, runs code that it is given as text, or calls a method by a name that it is given.
"""

import importlib
import inspect


def _words(text: str) -> list[str]:
    return text.split()


# Where scikit-learn keeps its estimators and what they are made of: not its datasets, helpers for tests and vendored
# copies, some of which open files.
_PACKAGES = frozenset(
    _words("""
    _loss calibration cluster compose covariance cross_decomposition decomposition discriminant_analysis dummy ensemble
    feature_extraction feature_selection frozen gaussian_process impute isotonic kernel_approximation kernel_ridge
    linear_model manifold metrics mixture model_selection multiclass multioutput naive_bayes neighbors neural_network
    pipeline preprocessing random_projection semi_supervised svm tree
    """)
)
_NOT_IN = frozenset({"tests", "_plot", "_export"})
# Of scikit-learn's functions only scores, distances and plain conversions.
_FUNCTIONS_OF = frozenset(
    f"sklearn.{module}"
    for module in _words("""
    feature_extraction.text feature_selection._mutual_info feature_selection._univariate_selection
    metrics._classification metrics._ranking metrics._regression metrics.cluster._supervised
    metrics.cluster._unsupervised metrics.pairwise preprocessing._data preprocessing._label
    """)
)
# Beside ufuncs, which skops trusts. None takes a file or a function of somebody's.
_NUMPY = _words("""
    all amax amin any append argmax argmin argsort around array array_split asanyarray asarray ascontiguousarray
    asfortranarray atleast_1d atleast_2d atleast_3d average clip column_stack concatenate copy corrcoef count_nonzero
    cov cumprod cumsum delete diff digitize dot dstack expand_dims flip fliplr flipud full_like gradient histogram
    hstack imag insert interp isclose iscomplex isin isreal linalg.norm max mean median min nan_to_num nancumprod
    nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar nonzero ones_like
    outer percentile prod ptp quantile ravel real repeat reshape roll round searchsorted sort split squeeze stack std
    sum swapaxes take tile transpose unique var vstack where zeros_like
    character complexfloating dtype flexible floating generic inexact integer number signedinteger unsignedinteger
    """)
_SPARSE = [f"_{kind}.{kind}_{shape}" for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
           for shape in ("array", "matrix")]  # fmt: skip
# Made from a path they read a file, so they must not stand for a function.
BOOSTERS = frozenset({"lightgbm.basic.Booster", "xgboost.core.Booster"})
_NAMED = frozenset(
    [
        *(f"numpy.{name}" for name in _NUMPY),
        *(f"scipy.sparse.{name}" for name in _SPARSE),
        *(f"builtins.{name}" for name in ("abs", "complex", "frozenset", "len", "object", "range", "round", "sum")),
        "functools.partial",
        "operator.itemgetter",
        # What a SplineTransformer holds; the second spline from SciPy 1.18 on.
        "scipy._lib.array_api_compat.numpy._aliases.asarray",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.interpolate._bsplines._BSpline",
        "sklearn.cluster._kmeans._kmeans_single_elkan",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils._metadata_requests.MetadataRequest",
        "sklearn.utils._metadata_requests.MethodMetadataRequest",
        # What boosted trees with categories hold.
        "sklearn.utils.validation.check_array",
        # XGBoost and LightGBM at the end of a pipeline: their estimators, and their own trees, which are not code.
        # Only the delivery has these libraries: it asks such a model and writes it as a graph.
        "collections.OrderedDict",
        *BOOSTERS,
        *(f"lightgbm.sklearn.{name}" for name in ("LGBMClassifier", "LGBMRegressor")),
        *(f"xgboost.sklearn.XGB{name}" for name in ("Classifier", "RFClassifier", "RFRegressor", "Regressor")),
    ]
)
# They call the method that they are told to of whatever they are given, so they must not stand for a function.
SCORERS = frozenset(f"sklearn.metrics._scorer.{name}" for name in ("_CurveScorer", "_PassthroughScorer", "_Scorer"))


def is_trusted(name: str) -> bool:
    """Whether a file may name `<module>.<type or function>`; only modules of scikit-learn are imported to find out."""
    module, _, attribute = name.rpartition(".")
    return name in _NAMED or (_is_of_an_estimator(module) and _is_own(module, attribute))


def _is_of_an_estimator(module: str) -> bool:
    first, *rest = module.split(".")
    return first == "sklearn" and bool(rest) and rest[0] in _PACKAGES and not _NOT_IN & set(rest)


def _is_own(module: str, attribute: str) -> bool:
    """Defined there: a class, or a public function of a module that has harmless ones only."""
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return False
    if (getattr(found, "__module__", None), getattr(found, "__name__", None)) != (module, attribute):
        return False
    harmless = module in _FUNCTIONS_OF and not attribute.startswith("_")
    return inspect.isclass(found) or (inspect.isfunction(found) and harmless)
