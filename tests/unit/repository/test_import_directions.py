"""Which component, and which folder of it, may import which other (design §2): read from the imports."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import ROOT

MAY_IMPORT: dict[str, set[str]] = {
    "services.batch": {"services.prediction"},
    "services.contract": set(),
    "services.delivery": {"services.gocd"},
    "services.embedded": set(),
    "services.gocd": set(),
    "services.mlflow": set(),
    "services.platform": set(),
    "services.prediction": set(),
    "services.rollout": set(),
    "services.secrets": set(),
    "training": set(),
}
COMPONENTS = tuple(MAY_IMPORT)
# Of each component's folders: what they import of one another. Modules beside the folders tie them together.
FOLDERS: dict[str, dict[str, set[str]]] = {
    "services.delivery": {
        "clients": set(),
        "onnx": set(),
        "flavors": {"onnx"},
        "scoring": {"flavors"},
        "statistics": set(),
        "gates": {"clients", "scoring", "statistics"},
        "deltas": {"gates", "scoring", "statistics"},
        "history": {"clients"},
        "packaging": {"gates", "scoring"},
        "promotions": {"clients"},
        "machine_image": {"packaging"},
        "publishing": {"machine_image"},
        "retention": {"machine_image", "packaging"},
        "reports": {"clients", "scoring", "statistics"},
        "takeover": {"clients", "reports"},
        "verdicts": {"deltas", "gates", "packaging", "reports", "scoring"},
        "monitoring": {"gates", "reports", "scoring", "statistics"},
        "verbs": {
            "clients",
            "deltas",
            "gates",
            "history",
            "machine_image",
            "monitoring",
            "packaging",
            "promotions",
            "publishing",
            "reports",
            "retention",
            "scoring",
            "takeover",
            "verdicts",
        },
    },
    "services.embedded": {
        "records": set(),
        "pipelines": set(),
        "plugin": {"records"},
        "scheduling": {"pipelines", "records"},
        "polling": {"pipelines", "plugin", "records"},
        "agent": {"pipelines", "records", "scheduling"},
        "api": {"agent", "pipelines", "plugin", "polling", "records", "scheduling"},
    },
    "services.rollout": {
        "analysis": set(),
        "steps": {"analysis"},
        "containers": {"analysis"},
        "processes": {"analysis"},
    },
}
# Each library may be named in these places only.
ONLY_IN = {
    "mlflow": ("training/", "services/delivery/clients/registry.py", "services/contract/pyfunc_model.py"),
    "pandas": ("training/", "services/contract/typed_rows.py", "services/contract/pyfunc_model.py"),
    "botocore": ("services/delivery/publishing/aws.py", "services/mlflow/stores.py"),
    "docker": ("services/rollout/containers/engine.py",),
    "matplotlib": ("services/delivery/reports/matplotlib_parts.py",),
    "prometheus_client": (
        "services/rollout/metrics.py",
        "services/rollout/serving_metrics.py",
        "services/rollout/analysis/figures.py",
        "services/prediction/observed/exposition.py",
        "services/delivery/monitoring/gauges.py",
    ),
    "opentelemetry": ("services/prediction/observed/spans.py",),
    # One file a component, so that another library is one more file.
    "fasttext": (
        "training/flavors/fasttext.py",
        "training/fasttext_process.py",
        "services/delivery/flavors/fasttext.py",
        "services/prediction/runtimes/fasttext.py",
    ),
    "pyspark": (
        "training/flavors/spark.py",
        "training/models/",
        "services/delivery/flavors/spark.py",
        "services/batch/",
    ),
    "skops": ("services/contract/estimator.py",),
    "skl2onnx": ("services/delivery/onnx/skl2onnx_step.py",),
    # Boosters may also be the last step of a pipeline of scikit-learn, which a model's train.py builds.
    "lightgbm": ("training/flavors/lightgbm.py", "training/models/", "services/delivery/flavors/lightgbm.py"),
    "xgboost": ("training/flavors/xgboost.py", "training/models/", "services/delivery/flavors/xgboost.py"),
    "onnxruntime": ("services/prediction/runtimes/onnx.py",),
    # Who answers online loads it when a body of Arrow or Parquet comes.
    "pyarrow": (
        "services/prediction/bodies/arrow_",
        "services/prediction/bodies/columns.py",
        "services/prediction/bodies/parquet_body.py",
        "services/prediction/bodies/typed_table.py",
        "services/prediction/batch/",
        "services/batch/",
        "services/delivery/flavors/spark.py",
        "services/delivery/machine_image/sample.py",
        "services/delivery/monitoring/labels.py",
        "services/delivery/onnx/spark_stage.py",
        "training/flavors/spark.py",
    ),
}


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@cache
def imports(path: Path) -> tuple[str, ...]:
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def component_of(module: str) -> str | None:
    return next(
        (component for component in COMPONENTS if module == component or module.startswith(f"{component}.")), None
    )


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_imports_only_the_contract_and_what_the_design_allows(component: str) -> None:
    files = sources(ROOT / component.replace(".", "/"))
    assert files, f"{component} has no source"
    allowed = {component, "services.contract", *MAY_IMPORT[component]}
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imports(file)
        if (other := component_of(module)) and other not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("component", FOLDERS)
def test_a_folder_of_a_component_imports_only_folders_below_it(component: str) -> None:
    allowed, root = FOLDERS[component], ROOT / component.replace(".", "/")
    assert {path.parent.name for path in root.glob("*/__init__.py")} == set(allowed)
    TopologicalSorter(allowed).prepare()
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for folder in allowed
        for file in sources(root / folder)
        for module in imports(file)
        if (other := module.removeprefix(f"{component}.").partition(".")[0]) != folder
        and module.startswith(f"{component}.")
        and other in allowed
        and other not in allowed[folder]
    ]
    assert wrong == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_named_only_where_the_design_allows(library: str) -> None:
    wrong = [
        str(file.relative_to(ROOT))
        for folder in ("services", "training")
        for file in sources(ROOT / folder)
        if any(module.split(".")[0] == library for module in imports(file))
        and not str(file.relative_to(ROOT)).startswith(ONLY_IN[library])
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("runtime", "absent"),
    [
        ("sklearn", ("mlflow", "httpx", "psutil", "onnxruntime")),
        ("onnx", ("mlflow", "pandas", "httpx", "psutil", "scikit-learn", "scipy", "pyspark", "onnx")),
        ("fasttext", ("mlflow", "pandas", "httpx", "psutil", "scikit-learn", "onnxruntime", "fasttext-numpy2")),
    ],
)
def test_a_service_installs_only_what_its_models_need(runtime: str, absent: tuple[str, ...]) -> None:
    locked = (ROOT / "requirements" / f"prediction-{runtime}.txt").read_text()
    assert [name for name in absent if f"\n{name}==" in f"\n{locked}"] == []


def test_every_runtime_has_an_environment_of_its_name() -> None:
    runtimes = {path.stem for path in (ROOT / "services" / "prediction" / "runtimes").glob("[a-z]*.py")}
    locked = {path.stem.removeprefix("prediction-") for path in (ROOT / "requirements").glob("prediction-*.txt")}
    assert runtimes == locked
