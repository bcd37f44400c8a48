"""Which room may know which other (design §2): read from the imports, so that the structure cannot drift."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "services.contract": set(),
    "services.delivery": {"services.gocd"},
    "services.embedded": set(),
    "services.gocd": set(),
    "services.mlflow": set(),
    "services.prediction": set(),
    "services.rollout": set(),
    "training": set(),
}
ROOMS = tuple(MAY_IMPORT)
# Each library may be named in these places only.
ONLY_IN = {
    "mlflow": ("training/", "services/delivery/registry.py"),
    "pandas": ("training/",),
    "docker": ("services/rollout/containers.py",),
    # One file a room, so that another library is one more file.
    "fasttext": (
        "training/flavors/fasttext.py",
        "services/delivery/flavors/fasttext.py",
        "services/prediction/runtimes/fasttext.py",
    ),
    "pyspark": ("training/flavors/spark.py", "training/models/flight-delay/", "services/delivery/flavors/spark.py"),
    "skops": ("services/contract/estimator.py",),
    "skl2onnx": ("services/delivery/flavors/sklearn.py",),
    "onnxruntime": ("services/prediction/runtimes/onnx.py",),
}


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def room_of(module: str) -> str | None:
    return next((room for room in ROOMS if module == room or module.startswith(f"{room}.")), None)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_contract_and_what_the_design_allows(room: str) -> None:
    files = sources(ROOT / room.replace(".", "/"))
    assert files, f"{room} has no source"
    allowed = {room, "services.contract", *MAY_IMPORT[room]}
    wrong = [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imports(file)
        if (other := room_of(module)) and other not in allowed
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
        ("sklearn", ("mlflow", "pandas", "httpx", "psutil", "onnxruntime")),
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
