"""A change of our sources builds no layer again but those that hold them."""

from pathlib import Path

import pytest

from scripts.dockerfile import Stage, read_stages
from tests.support.paths import ROOT

STAGES = {stage.name: stage for stage in read_stages(ROOT / "services" / "Dockerfile")}
SOURCES = ("COPY", "--from=sources /image /")
OURS = {"scripts", "services", "training"}


def copied(stage: Stage) -> list[str]:
    """Folders of the checkout that a stage copies whole."""
    return [rest.split()[0] for word, rest in stage.instructions if word == "COPY" and rest.split()[0] in OURS]


def test_a_stage_is_read_with_what_it_stands_on_and_its_instructions(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("ARG A\nFROM ${A} AS one\n# why\nRUN a \\\n  && b\n\nFROM one\nUSER 5:5\n")
    assert read_stages(file) == [
        Stage("one", "${A}", (("RUN", "a    && b"),)),
        Stage("", "one", (("USER", "5:5"),)),
    ]


def test_our_sources_are_brought_into_images_by_one_stage() -> None:
    assert {name: copied(stage) for name, stage in STAGES.items() if copied(stage)} == {"sources": sorted(OURS)}


@pytest.mark.parametrize("name", ["delivery", "tools", "gocd-agent"])
def test_an_image_takes_our_sources_after_all_that_takes_long(name: str) -> None:
    words = STAGES[name].instructions
    after = [word for word, _ in words[words.index(SOURCES) + 1 :]]
    assert not {"RUN", "COPY"} & set(after)


@pytest.mark.parametrize("name", ["environment", "environments"])
def test_an_environment_is_built_without_our_sources(name: str) -> None:
    assert SOURCES not in STAGES[name].instructions
    assert STAGES[name].base in ("${PYTHON_IMAGE}", "environment")


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_no_image_is_made_of_another_image_s_sources(stage: Stage) -> None:
    assert not [rest for word, rest in stage.instructions if word == "COPY" and rest.startswith("--from=tools")]
