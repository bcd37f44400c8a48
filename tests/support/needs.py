"""What the chosen tests need is set up before the first of them, and nothing else.

Units need the environment of the tests; the others need the platform. A test that needs more says so with the marker
`needs`, whose words are those of scripts/environments.py.
"""

import subprocess
from collections.abc import Iterable

import pytest

from tests.support.paths import ROOT

PLATFORM = "platform"


def needs(items: Iterable[pytest.Item]) -> list[str]:
    found = {word for item in items for mark in item.iter_markers("needs") for word in mark.args}
    return sorted(found)


def set_up(words: list[str]) -> None:
    """Quick where it is done; two processes at once take turns."""
    if words:
        subprocess.run([ROOT / "scripts" / "python", ROOT / "scripts" / "environments.py", *words], check=True)


def mark_folder(item: pytest.Item) -> None:
    """All but the units run parts of the platform."""
    parts = item.path.relative_to(ROOT).parts
    if "unit" not in parts:
        item.add_marker(pytest.mark.needs(PLATFORM))
    if "nightly" in parts:
        item.add_marker(pytest.mark.nightly)
