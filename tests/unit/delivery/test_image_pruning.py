"""Which machine images stay in the store, whole or not at all, and the line for what is missing."""

import hashlib
import re
from pathlib import Path

import pytest

from services.contract.deployment import Action, Deployment, ModelState
from services.contract.errors import Refused, Unavailable
from services.contract.machine_image import MachineImage
from services.delivery.machine_image.building import build_machine_image, known_image
from services.delivery.machine_image.containers import BuiltHere
from services.delivery.machine_image.prune import prune
from services.delivery.machine_image.tools import BUILDING, missing_packages, require_tools
from services.delivery.store import MACHINE_BASES, Store
from services.delivery.verbs.image import image
from tests.support.image_fakes import FakeRawFile
from tests.support.release_factory import WHEN, build_release

DISK = b"a disk" * 1000
RECIPE = "c" * 64


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return dict(FakeRawFile(build_release(tmp_path_factory.mktemp("releases"))).content)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, content: dict[str, object], number: int, model: str = "diamond-price") -> str:
    """The image of a made-up release, which is this number in hexadecimal digits."""
    release = f"{number:064x}"
    fields = {**content, "model": model, "revision": f"{number}-aaaaaaaa", "release": release}
    sha256 = hashlib.sha256(DISK).hexdigest()
    image = MachineImage.model_validate({**fields, "file": "d.raw", "bytes": len(DISK), "sha256": sha256, "checks": ()})
    with store.staging() as staging:
        folder = staging / "image"
        folder.mkdir()
        (folder / "d.raw").write_bytes(DISK)
        image.write(folder / "image.json")
        store.put_machine_image(folder, release)
    return release


def base(store: Store, recipe: str) -> Path:
    with store.staging() as staging:
        folder = staging / "base"
        folder.mkdir()
        (folder / "layer.tar").write_bytes(DISK)
        return store.archive(MACHINE_BASES, recipe, folder)


def deployment(number: int) -> Deployment:
    said = {"model": "diamond-price", "revision": f"{number}-aaaaaaaa", "release": f"{number:064x}", "run_id": "a" * 32}
    return Deployment.model_validate({**said, "action": Action.DEPLOY, "at": WHEN, "by": "ada", "reason": ""})


def state(live: int | None, previous: int | None) -> ModelState:
    one, two = (deployment(number) if number else None for number in (live, previous))
    return ModelState(model="diamond-price", url=None, answering=True, live=one, previous=two)


def left(store: Store) -> list[int]:
    return [int(folder.name, 16) for folder in store.machine_images()]


def test_images_of_the_live_the_previous_and_newer_releases_stay(store: Store, content: dict[str, object]) -> None:
    for number in (1, 2, 3, 4, 5):
        put(store, content, number)
    done = prune(store, lambda _: state(live=4, previous=2), (RECIPE,))
    assert left(store) == [2, 4, 5]
    assert done.kept == ("diamond-price 2-aaaaaaaa", "diamond-price 4-aaaaaaaa", "diamond-price 5-aaaaaaaa")
    assert [one.what for one in done.removed] == ["diamond-price 1-aaaaaaaa", "diamond-price 3-aaaaaaaa"]
    assert done.bytes > 2 * len(DISK)


def test_after_a_rollback_the_image_that_was_live_before_it_stays(store: Store, content: dict[str, object]) -> None:
    for number in (1, 2, 3):
        put(store, content, number)
    prune(store, lambda _: state(live=2, previous=3), (RECIPE,))
    assert left(store) == [2, 3]


def test_of_a_model_that_was_never_deployed_all_images_stay(store: Store, content: dict[str, object]) -> None:
    put(store, content, 1)
    prune(store, lambda _: state(live=None, previous=None), (RECIPE,))
    assert left(store) == [1]


def test_each_model_is_asked_for_by_its_own_name(store: Store, content: dict[str, object]) -> None:
    put(store, content, 1, "diamond-price")
    put(store, content, 2, "flight-delay")
    asked: list[str] = []
    prune(store, lambda model: asked.append(model) or state(3, None), (RECIPE,))  # type: ignore[func-returns-value]
    assert asked == ["diamond-price", "flight-delay"]


def test_nothing_is_removed_when_it_is_not_known_what_is_live(store: Store, content: dict[str, object]) -> None:
    put(store, content, 1)

    def unknown(_: str) -> ModelState:
        raise Unavailable("expected the rollout service")

    with pytest.raises(Unavailable):
        prune(store, unknown, ())
    assert left(store) == [1]


def test_a_damaged_image_and_bases_of_older_recipes_go(store: Store, content: dict[str, object]) -> None:
    put(store, content, 4)
    damaged = store.machine_image("b" * 64)
    damaged.mkdir()
    (damaged / "image.json").write_text("{}")
    older, todays = base(store, "d" * 64), base(store, RECIPE)
    done = prune(store, lambda _: state(live=4, previous=None), (RECIPE,))
    assert [one.what for one in done.removed] == ["a damaged image", "a base of an older recipe"]
    assert (older.exists(), todays.exists(), left(store)) == (False, True, [4])


def test_bytes_that_another_name_still_holds_are_not_counted(store: Store) -> None:
    folder = base(store, "d" * 64)
    (folder / "layer.tar").chmod(0o644)
    (store.machine_image("0").parent).mkdir(parents=True)
    (store.machine_image("0").parent / "blob").hardlink_to(folder / "layer.tar")
    done = prune(store, lambda _: state(None, None), (RECIPE,))
    assert done.bytes < len(DISK)


def test_an_image_is_known_again_until_its_disk_is_changed_or_gone(store: Store, content: dict[str, object]) -> None:
    release = put(store, content, 1)
    disk = store.machine_image(release) / "d.raw"
    assert known_image(store, release)
    assert disk.stat().st_mode & 0o777 == 0o444
    disk.chmod(0o644)
    disk.write_bytes(DISK[:-1])
    assert known_image(store, release) is None
    disk.unlink()
    assert known_image(store, release) is None
    assert known_image(store, "e" * 64) is None


def test_an_image_takes_the_place_of_a_damaged_one_and_no_staging_stays(
    store: Store, content: dict[str, object], tmp_path: Path
) -> None:
    release = put(store, content, 1)
    (store.machine_image(release) / "d.raw").unlink()
    put(store, content, 1)
    assert known_image(store, release)
    assert list((tmp_path / "store" / "staging").iterdir()) == []


class FullStore(Store):
    free_bytes = 120_000_000


def test_a_disk_without_enough_space_is_told_before_anything_is_written(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    with pytest.raises(Refused, match=r"expected 2,000 MB free for a machine image, found 120 MB .*: free some, for"):
        build_machine_image(FullStore(tmp_path), release, BuiltHere())
    assert not (tmp_path / "machine-bases").exists()


@pytest.mark.parametrize(("options", "found"), [((None, False), "neither"), ((Path("release.json"), True), "both")])
def test_the_verb_builds_or_prunes_and_not_both(options: tuple[Path | None, bool], found: str) -> None:
    release, pruning = options
    with pytest.raises(Refused, match=f"expected --release or --prune, found {found}"):
        image(release, prune=pruning)


def test_missing_tools_are_named_by_their_packages_in_one_line(tmp_path: Path) -> None:
    wanted = {**BUILDING, "/nowhere/boot.img": "grub-pc-bin"}
    (tmp_path / "sfdisk").write_text("#!/bin/sh\n")
    (tmp_path / "sfdisk").chmod(0o755)
    assert "fdisk" not in missing_packages(wanted, str(tmp_path))
    expected = re.escape(
        "apt-get install dosfstools grub-common grub-pc-bin mmdebstrap mtools squashfs-tools, or, where"
    )
    with pytest.raises(Refused, match=expected):
        require_tools({name: package for name, package in wanted.items() if "efi" not in package}, str(tmp_path))


def test_nothing_is_said_of_tools_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "mcopy").write_text("")
    (tmp_path / "mcopy").chmod(0o755)
    require_tools({"mcopy": "mtools"}, str(tmp_path))
