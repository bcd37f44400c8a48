"""Every image of the compose file has a stand-in with a recipe, or belongs to a profile that needs the internet."""

import re

from tests.offline import offline_images
from tests.support.paths import ROOT

# Pulled by whoever has the internet: no stand-in could tell anything about them.
NO_STAND_IN = {"PROMETHEUS_IMAGE", "GRAFANA_IMAGE"}


def named(file: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+_IMAGE)=(.+)$", (ROOT / file).read_text(), re.MULTILINE))


def test_the_offline_stack_names_a_stand_in_for_every_image() -> None:
    assert set(named(".env")) == set(named("tests/offline/offline.env")) | NO_STAND_IN
    assert all(image.startswith("standin/") for image in named("tests/offline/offline.env").values())


def test_every_stand_in_is_made_by_one_recipe() -> None:
    made = offline_images.images()
    assert set(made) == {path.name for path in offline_images.RECIPES.iterdir()}
    assert set(made.values()) == set(named("tests/offline/offline.env").values())


def test_another_file_in_a_recipe_is_another_recipe() -> None:
    assert offline_images.digest(b"a", b"b") != offline_images.digest(b"ab")
    assert offline_images.digest(b"a", b"b") != offline_images.digest(b"a", b"c")
