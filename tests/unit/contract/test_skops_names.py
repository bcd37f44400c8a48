"""A skops file may name all that scikit-learn ships, and nothing that reads, writes or runs what it is given."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import BisectingKMeans
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor, VotingRegressor
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, TweedieRegressor
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, SplineTransformer

from services.contract.errors import Refused
from services.contract.estimator import load_estimator, names_in, untrusted
from services.contract.release import Column
from services.contract.skops_names import is_trusted
from services.contract.typed_rows import frame

X = numpy.arange(40.0).reshape(20, 2) % 7
Y = X[:, 0] + 2 * X[:, 1]
COLUMNS = (Column(name="size", type="double"), Column(name="kind", type="string"))
LABELS = numpy.array(["a", "b"] * 10)

EVERYDAY: list[Any] = [
    BisectingKMeans(2, n_init=1),
    CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
    GaussianProcessRegressor(optimizer=None, alpha=1.0),
    GridSearchCV(LinearRegression(), {"positive": [True]}, cv=KFold(2)),
    GridSearchCV(LinearRegression(), {"positive": [True]}, cv=2, scoring=make_scorer(mean_absolute_error)),
    HistGradientBoostingRegressor(max_iter=1, categorical_features=[0]),
    KNeighborsRegressor(2),
    KNeighborsRegressor(2, algorithm="ball_tree", metric="manhattan"),
    MLPRegressor(hidden_layer_sizes=(2,), tol=1e9),
    RandomForestRegressor(2),
    TweedieRegressor(power=0),
    VotingRegressor([("one", LinearRegression())]),
    make_pipeline(FunctionTransformer(numpy.nan_to_num), FunctionTransformer(numpy.log1p), LinearRegression()),
    make_pipeline(KBinsDiscretizer(2, quantile_method="averaged_inverted_cdf"), LinearRegression()),
    make_pipeline(SelectKBest(f_regression, k=1), LinearRegression()),
    make_pipeline(SimpleImputer(strategy="most_frequent", add_indicator=True), LinearRegression()),
    make_pipeline(SplineTransformer(n_knots=3), LinearRegression()),
]


@pytest.mark.parametrize("estimator", EVERYDAY, ids=lambda one: type(one[0] if hasattr(one, "steps") else one).__name__)
def test_everyday_estimators_are_loaded_and_answer_as_before(estimator: Any, tmp_path: Path) -> None:
    fitted = estimator.fit(X, LABELS if isinstance(estimator, CalibratedClassifierCV) else numpy.round(Y))
    skops.io.dump(fitted, tmp_path / "model.skops")
    assert load_estimator(tmp_path / "model.skops").predict(X).tolist() == fitted.predict(X).tolist()


def test_a_selector_of_columns_is_loaded(tmp_path: Path) -> None:
    numbers = (SimpleImputer(), make_column_selector(dtype_include=numpy.number))
    rows = frame([[1.0, "x"], [2.0, "y"]], COLUMNS)
    fitted = make_pipeline(make_column_transformer(numbers), LinearRegression()).fit(rows, [1.0, 2.0])
    skops.io.dump(fitted, tmp_path / "model.skops")
    assert load_estimator(tmp_path / "model.skops").predict(rows) == pytest.approx([1.0, 2.0])


DANGEROUS = """
    builtins.__import__ builtins.compile builtins.eval builtins.exec builtins.getattr builtins.open builtins.setattr
    functools.reduce importlib.import_module io.open joblib.load joblib.memory.Memory operator.attrgetter
    operator.methodcaller os.system pickle.loads posix.system runpy.run_path shutil.rmtree subprocess.Popen
    subprocess.run
    numpy.DataSource numpy.apply_along_axis numpy.f2py.compile numpy.fromfile numpy.frompyfunc numpy.genfromtxt
    numpy.lib.format.open_memmap numpy.lib.npyio.load numpy.lib.stride_tricks.as_strided numpy.load numpy.loadtxt
    numpy.memmap numpy.piecewise numpy.save numpy.savetxt numpy.testing.runstring numpy.vectorize
    pandas.read_pickle scipy.io.loadmat scipy.sparse.load_npz scipy.stats._distn_infrastructure.rv_continuous_frozen
    scipy.stats._continuous_distns.uniform_gen
    sklearn.base.clone sklearn.config_context sklearn.datasets._base.load_files
    sklearn.datasets._openml.fetch_openml sklearn.datasets._svmlight_format_io.dump_svmlight_file sklearn.externals.conftest.os
    sklearn.feature_selection._base.warnings sklearn.metrics._scorer._cached_call sklearn.metrics._scorer.check_scoring
    sklearn.metrics._scorer.get_scorer sklearn.metrics.pairwise.Parallel sklearn.metrics.pairwise.partial
    sklearn.model_selection._validation.cross_val_score sklearn.pipeline._transform_one sklearn.pipeline.clone
    sklearn.tree._export.export_graphviz sklearn.utils._testing.TempMemmap sklearn.utils.parallel._FuncWrapper
    sklearn.utils.validation.check_memory train.Ratio
    """  # noqa: E501


@pytest.mark.parametrize("name", DANGEROUS.split())
def test_what_reads_writes_or_runs_what_it_is_given_may_not_be_named(name: str) -> None:
    assert not is_trusted(name)


@pytest.mark.parametrize("loader", ["ConstructorFromReduceNode", "FunctionNode", "TypeNode", "ObjectNode"])
def test_a_file_that_names_a_dangerous_function_is_refused_before_anything_is_built(
    loader: str, tmp_path: Path
) -> None:
    """As a crafted file would: the function with the arguments that open a file for writing."""
    canary = tmp_path / "canary"
    words = [{"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(each)}
             for each in (str(canary), "w")]  # fmt: skip
    given = {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": words}
    schema = {"__class__": "open", "__module__": "io", "__loader__": loader, "content": given, "protocol": 2}
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as file:
        file.writestr("schema.json", json.dumps(schema))
    with pytest.raises(Refused, match=r"expected trusted types only, found io\.open: they are not loaded"):
        load_estimator(tmp_path / "model.skops")
    assert not canary.exists()


@pytest.mark.parametrize("place", ["func", "inverse_func"])
def test_a_scorer_in_the_place_of_a_function_is_refused(place: str, tmp_path: Path) -> None:
    """It would call any method of the rows, such as one that writes them to a file."""
    scorer = make_scorer(mean_absolute_error)
    scorer._response_method = "tofile"
    step = FunctionTransformer(**{place: scorer})
    skops.io.dump(make_pipeline(step, LinearRegression()), tmp_path / "model.skops")
    with pytest.raises(Refused, match="expected a function in a FunctionTransformer, found a scorer"):
        load_estimator(tmp_path / "model.skops")


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
def test_a_vectorizer_that_reads_the_files_that_a_row_names_is_refused(kind: Any, tmp_path: Path) -> None:
    texts = [tmp_path / "first", tmp_path / "second"]
    for path in texts:
        path.write_text(f"the words of {path.name}")
    model = make_pipeline(kind(input="filename"), LinearRegression()).fit(list(map(str, texts)), [0.0, 1.0])
    skops.io.dump(make_union(model[0]), tmp_path / "model.skops")
    with pytest.raises(Refused, match=r"expected \w+\(input='content'\), found 'filename': a row would name a file"):
        load_estimator(tmp_path / "model.skops")


def test_names_that_are_not_trusted_are_told_in_order() -> None:
    step = make_pipeline(FunctionTransformer(numpy.save), FunctionTransformer(numpy.load))
    assert untrusted(names_in(step)) == ["numpy.load", "numpy.save"]
