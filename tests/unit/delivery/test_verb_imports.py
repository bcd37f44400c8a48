"""What a verb imports is most of the time that it takes; a delivery starts six of them one after the other."""

import os
import re
import subprocess
import sys

import pytest

from services.delivery.cli import GROUPS, VERBS
from tests.support.paths import ROOT

pytestmark = pytest.mark.process

SLOW = {
    "mlflow",
    "pandas",
    "sklearn",
    "scipy",
    "skl2onnx",
    "onnx",
    "onnxruntime",
    "fastapi",
    "sqlalchemy",
    "requests",
    "jinja2",
    "botocore",
}
# What each is there for.
MAY_IMPORT = {"compare": {"numpy"}, "publish-image": {"botocore"}}


def imported_by(*arguments: str) -> set[str]:
    """The names of all top-level packages that are there when the verb has been found and is not yet run."""
    code = (
        "import sys; from services.delivery.cli import build; build(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


@pytest.mark.parametrize("verb", [*VERBS, *GROUPS])
def test_a_verb_imports_no_slow_library_that_it_may_not_need(verb: str) -> None:
    assert imported_by(verb) & (SLOW | {"numpy"}) == MAY_IMPORT.get(verb, set())


def test_help_imports_no_verb() -> None:
    imported = imported_by("--help")
    assert imported & (SLOW | {"numpy", "httpx", "yaml", "rich", "pydantic_settings"}) == set()


def test_help_says_of_each_verb_what_it_is_for() -> None:
    code = "from services.delivery.cli import main; main()"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-c", code, "--help"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
    listed = re.findall(r"^  (\S+) +([A-Z])", shown.partition("Commands:")[2], re.MULTILINE)
    assert [name for name, _ in listed] == [*VERBS, *GROUPS]
