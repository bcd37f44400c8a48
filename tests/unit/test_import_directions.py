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


def test_the_prediction_service_needs_nothing_that_its_environment_lacks() -> None:
    locked = (ROOT / "requirements" / "prediction-sklearn.txt").read_text()
    for absent in ("mlflow", "pandas", "httpx", "psutil"):
        assert f"\n{absent}==" not in locked
