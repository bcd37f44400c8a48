"""The first look at the checkout: few entries, and an image's build is sent no more than it is made of."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.tracked import tracked

ENTRIES = 20
DOCKERFILES = [name for name in tracked() if Path(name).name == "Dockerfile" and name.startswith("services/")]


def sources(dockerfile: str) -> set[str]:
    """The entries of the root of which something is copied."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / dockerfile).read_text(), re.M)
    return {path.partition("/")[0] for line in lines for path in line.split()[:-1]}


@pytest.mark.process
def test_the_root_is_seen_at_a_glance() -> None:
    assert len({name.partition("/")[0] for name in tracked()}) <= ENTRIES


def test_there_are_images_of_ours() -> None:
    assert "services/Dockerfile" in DOCKERFILES


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_is_sent_what_it_is_made_of_and_nothing_else(name: str) -> None:
    """Docker reads it where it stands beside a Dockerfile; without it gigabytes of environments would be sent too."""
    ignored = [line for line in (ROOT / f"{name}.dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == sources(name)
    assert "**/__pycache__" in ignored
