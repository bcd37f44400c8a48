"""Who builds machine images in the stack has every tool for it, and nobody else has."""

from scripts.dockerfile import read_stages
from services.contract.image_tools import IMAGE_FILES, IMAGE_TOOLS
from tests.support.paths import ROOT

NEEDED = {*IMAGE_TOOLS.values(), *IMAGE_FILES.values()}


def installed(instructions: tuple[tuple[str, str], ...]) -> set[str]:
    return {name for word, rest in instructions if word == "RUN" and "apt-get install" in rest for name in rest.split()}


def test_the_tools_of_machine_images_are_installed_where_images_are_built_and_nowhere_else() -> None:
    stages = {stage.name: installed(stage.instructions) & NEEDED for stage in read_stages(ROOT / "services/Dockerfile")}
    assert {name: found for name, found in stages.items() if found} == {
        "image-tools": NEEDED,
        "gocd-image-agent": NEEDED,
    }
