"""prune: what answers, did before, came last or is referred to stays; nothing goes while nobody knows what answers."""

import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from benchmarks.disk_growth import growth
from services.contract.deployment import Action, Deployment, ModelState, Retirement
from services.contract.engine_images import EngineImage, PrunedImages, PruneImages
from services.contract.errors import Refused, Unavailable
from services.contract.release import Image
from services.delivery.packaging.image_registry import ImageRegistry
from services.delivery.retention.pruning import Housekeeping, Needs, prune
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.prune import lines, prune_after_switch
from tests.support.deleting_registry import DeletingRegistry
from tests.support.release_factory import WHEN, ReleasePlan, build_release

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MODEL = "diamond-price"
REPOSITORY = "trackback/release"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Promotions 1 to 6."""
    root = tmp_path_factory.mktemp("store")
    return root, [build_release(root, ReleasePlan(number=one)).digest for one in range(1, 7)]


@dataclass
class Bench:
    store: Store
    root: Path
    digests: list[str]
    newest: int = 1
    states: dict[str, ModelState] = field(default_factory=dict)
    registry: DeletingRegistry = field(default_factory=DeletingRegistry)
    asked: list[PruneImages] = field(default_factory=list)
    engine_is_away: bool = False
    has_image: bool = False

    def deployment(self, number: int) -> Deployment:
        said = {"revision": f"{number}-aaaaaaaa", "release": self.digests[number - 1], "run_id": "a" * 32, "by": "ada"}
        return Deployment.model_validate({**said, "model": MODEL, "action": Action.DEPLOY, "at": WHEN, "reason": ""})

    def live(self, number: int, previous: int | None = None) -> None:
        before = self.deployment(previous) if previous else None
        self.states[MODEL] = ModelState(
            model=MODEL, url="http://here", answering=True, live=self.deployment(number), previous=before
        )

    def prune(self, dry_run: bool = False) -> Housekeeping:
        registry = ImageRegistry("http://registry", httpx.MockTransport(self.registry.answer))
        needs = Needs(self.store, self.states.__getitem__, lambda _: self.newest, NOW, registry, self.engine)
        with registry:
            return prune(needs, dry_run)

    def engine(self, request: PruneImages) -> PrunedImages:
        """It has the image of promotion 1, if any."""
        if self.engine_is_away:
            raise Refused("no engine")
        self.asked.append(request)
        recorded = self.store.image_record(self.digests[0]).exists() and self.digests[0] not in request.gone
        said = {"model": MODEL, "revision": "1-aaaaaaaa", "names": (f"here/{REPOSITORY}",), "bytes": 1234}
        found = [EngineImage(release=self.digests[0], **said)] if self.has_image and not recorded else []
        return PrunedImages(removed=tuple(found))

    def left(self) -> list[int]:
        """The promotions whose releases are still whole."""
        names = {path.name for path in (self.root / "releases").iterdir()}
        return [number for number, digest in enumerate(self.digests, 1) if digest in names]

    def cache(self, kind: str, name: str, days: int) -> Path:
        path = self.root / kind / name
        path.mkdir(parents=True)
        (path / "model.bin").write_bytes(b"x" * 10_000)
        when = (NOW - timedelta(days=days)).timestamp()
        os.utime(path, (when, when))
        return path


@pytest.fixture
def bench(tmp_path: Path, built: tuple[Path, list[str]]) -> Bench:
    shutil.copytree(built[0] / "releases", tmp_path / "releases")
    return Bench(Store(tmp_path), tmp_path, built[1])


def test_live_and_previous_stay_and_the_last_ones_and_what_is_not_live_yet(bench: Bench) -> None:
    bench.live(4, previous=1)
    done = bench.prune()
    assert bench.left() == [1, 4, 5, 6]
    assert [one.what for one in done.removed] == [
        "release diamond-price 2-aaaaaaaa",
        "release diamond-price 3-aaaaaaaa",
    ]
    assert all(one.bytes > 0 for one in done.removed)
    assert bench.prune().removed == ()


@pytest.mark.parametrize(("newest", "left"), [(1, [5, 6]), (3, [4, 5, 6]), (99, [1, 2, 3, 4, 5, 6])])
def test_as_many_stay_as_the_model_says(newest: int, left: list[int], bench: Bench) -> None:
    bench.newest = newest
    bench.live(6, previous=5)
    bench.prune()
    assert bench.left() == left


def test_what_a_batch_or_a_machine_image_refers_to_stays(bench: Bench) -> None:
    bench.live(6, previous=5)
    receipts = bench.root / "receipts" / bench.digests[1]
    receipts.mkdir(parents=True)
    (receipts / "some.json").write_text("{}")
    (bench.root / "machine-images" / bench.digests[2]).mkdir(parents=True)
    bench.prune()
    assert bench.left() == [2, 3, 5, 6]


def test_a_retired_model_keeps_what_a_rollback_would_bring_back(bench: Bench) -> None:
    gone = Retirement(at=WHEN, by="ada", reason="", deployment=bench.deployment(2))
    state = ModelState(model=MODEL, url=None, answering=False, live=None, previous=bench.deployment(1), retired=gone)
    bench.states[MODEL] = state
    bench.prune()
    assert {1, 2, 6} <= set(bench.left())


def test_a_dry_run_says_the_same_and_removes_nothing(bench: Bench) -> None:
    bench.live(6, previous=5)
    old = bench.cache("models", "d" * 64, days=8)
    planned = bench.prune(dry_run=True)
    assert bench.left() == [1, 2, 3, 4, 5, 6]
    assert old.is_dir()
    done = bench.prune()
    assert [(one.what, one.bytes) for one in planned.removed] == [(one.what, one.bytes) for one in done.removed]
    assert lines(planned)[0].startswith("would remove release diamond-price 1-aaaaaaaa: ")
    assert lines(done)[-1] == f"kept {', '.join(done.kept)}; {done.bytes:,} bytes are free again"


def test_a_cached_model_goes_when_no_release_has_it_for_a_week(bench: Bench) -> None:
    bench.live(6, previous=5)
    used = dict(bench.store.releases())[bench.digests[5]].candidate.digest
    stays = [bench.cache("models", used, days=30), bench.cache("models", "e" * 64, days=6)]
    goes = [bench.cache("models", "d" * 64, days=8), bench.cache("staging", "half", days=8)]
    bench.prune()
    assert ([one.is_dir() for one in stays], [one.is_dir() for one in goes]) == ([True, True], [False, False])


def test_a_model_that_is_fetched_again_is_not_old_any_more(bench: Bench) -> None:
    def put() -> str:
        with bench.store.staging() as staging:
            (staging / "model").mkdir()
            (staging / "model" / "file").write_text("content")
            return bench.store.put_model(staging / "model")

    folder = bench.root / "models" / put()
    os.utime(folder, (0, 0))
    put()
    assert folder.stat().st_mtime > 0


def test_images_go_from_the_registry_and_one_that_keeps_them_is_a_note(bench: Bench) -> None:
    bench.live(6, previous=5)
    image = f"sha256:{'1' * 64}"
    for digest in (bench.digests[0], bench.digests[5]):
        bench.store.put_image(Image(release=digest, repository=REPOSITORY, digest=image, base=image))
    bench.registry.deletes = False
    [note] = bench.prune().notes
    assert "the image of diamond-price 1-aaaaaaaa stays in the registry" in note
    assert "405: The operation is unsupported." in note
    assert not bench.store.image_record(bench.digests[0]).exists()
    assert bench.store.image_record(bench.digests[5]).exists()


def test_an_image_is_deleted_by_its_digest_and_one_that_is_gone_already_is_nothing_to_tell(bench: Bench) -> None:
    bench.live(6, previous=5)
    here, gone = (f"sha256:{digit * 64}" for digit in "12")
    for digest, image in zip(bench.digests, (here, gone), strict=False):
        bench.store.put_image(Image(release=digest, repository=REPOSITORY, digest=image, base=image))
    bench.registry.manifests = {f"{REPOSITORY}@{here}", f"trackback/other@{here}"}
    assert bench.prune().notes == ()
    assert bench.registry.manifests == {f"trackback/other@{here}"}


def test_the_engine_is_asked_when_the_records_are_gone_and_an_engine_that_says_no_is_a_note(bench: Bench) -> None:
    bench.live(6, previous=5)
    image = f"sha256:{'1' * 64}"
    bench.store.put_image(Image(release=bench.digests[0], repository=REPOSITORY, digest=image, base=image))
    bench.has_image = True
    planned, done = bench.prune(dry_run=True), bench.prune()
    words = "remove the engine's image of diamond-price 1-aaaaaaaa: 1,234 bytes, here/trackback/release"
    assert (f"would {words}" in lines(planned), "removed" + words.removeprefix("remove") in lines(done)) == (True, True)
    gone = tuple(bench.digests[:4])
    assert [(one.dry_run, one.gone) for one in bench.asked] == [(True, gone), (False, gone)]
    bench.engine_is_away = True
    assert bench.prune().notes == ("images of releases stay on the engine: no engine",)


@pytest.mark.parametrize("error", [Unavailable("the rollout service is away"), Refused("no")])
def test_nothing_goes_while_nobody_knows_what_answers(error: Refused, bench: Bench) -> None:
    def away(_: str) -> ModelState:
        raise error

    needs = Needs(bench.store, away, lambda _: 1, NOW)
    for dry_run in (True, False):
        with pytest.raises(Refused):
            prune(needs, dry_run)
    assert bench.left() == [1, 2, 3, 4, 5, 6]


def test_after_a_switch_whatever_goes_wrong_is_a_note(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    prune_after_switch(Settings(store=bench.root, rollout_url="http://127.0.0.1:9"))
    assert capsys.readouterr().err.startswith("note: nothing old was removed (expected the rollout service at")
    assert bench.left() == [1, 2, 3, 4, 5, 6]


def test_what_is_half_removed_never_has_the_name_of_a_release(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.live(6, previous=5)

    def killed(_: Path) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("services.delivery.retention.pruning.remove", killed)
    with pytest.raises(KeyboardInterrupt):
        bench.prune()
    assert bench.left() == [2, 3, 4, 5, 6]


def test_disk_growth_counts_a_model_once_and_the_lines_that_name_a_revision(bench: Bench, tmp_path: Path) -> None:
    used = dict(bench.store.releases())[bench.digests[0]].candidate.digest
    bench.cache("models", used, days=0)
    state = tmp_path / "state"
    (state / MODEL).mkdir(parents=True)
    (state / MODEL / "journal.jsonl").write_text('{"revision":"1-aaaaaaaa"}\n{"revision":"2-aaaaaaaa"}\n')
    found = list(growth(bench.root, state))
    assert [row[1] for row in found] == [f"{number}-aaaaaaaa" for number in range(1, 7)]
    assert all(row[2] > 0 for row in found)
    assert [row[3] > 0 for row in found] == [True, *[False] * 5]
    assert [row[4] for row in found[:3]] == [26, 26, 0]
    with pytest.raises(Refused, match="expected releases in"):
        list(growth(tmp_path / "nowhere", state))
