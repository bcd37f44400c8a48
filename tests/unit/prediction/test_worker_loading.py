"""Where a release is loaded, and how many workers it has."""

from pathlib import Path
from threading import Event, Thread

import pytest
from pydantic import ValidationError

from services.contract.release import ServingLimits
from services.prediction.workers import loading
from services.prediction.workers.loading import can_be_shared, cores, threads_lost, worker_count
from services.prediction.workers.place import Place


@pytest.mark.parametrize(("quota", "found"), [("150000 100000", 1), ("200000 100000", 2), ("1000 100000", 1)])
def test_a_core_is_one_that_the_container_may_use(
    quota: str, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert cores(tmp_path / "cpu.max") == found


def test_without_a_quota_all_cores_of_the_process_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert (cores(tmp_path / "cpu.max"), cores(tmp_path / "none")) == (4, 4)


def test_auto_is_a_worker_a_core_and_a_number_is_that_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "cores", lambda: 3)
    counts = [worker_count(ServingLimits.model_validate({"workers": workers})) for workers in ("auto", 2)]
    assert (*counts, worker_count(ServingLimits())) == (3, 2, 1)


@pytest.mark.parametrize("workers", [0, -1, 65, 1.5, "all", None])
def test_another_number_of_workers_is_refused(workers: object) -> None:
    with pytest.raises(ValidationError, match="workers"):
        ServingLimits.model_validate({"workers": workers})


def test_a_thread_that_was_left_by_a_load_keeps_a_process_from_being_forked() -> None:
    before, done = threads_lost("sklearn"), Event()
    left = Thread(target=done.wait)
    left.start()
    try:
        assert threads_lost("sklearn") == before + 1
    finally:
        done.set()
        left.join()


def test_a_library_that_nobody_knows_is_not_forked() -> None:
    assert [form for form in ("onnx", "fasttext", "sklearn", "pyfunc") if not can_be_shared(form)] == ["pyfunc"]


def test_a_worker_finds_itself_and_its_siblings_by_its_variables() -> None:
    place = Place(1, 3, Path("run/ab12"))
    assert Place.of(place.variables()) == place
    assert [path.name for path in place.siblings] == ["ab12.0.http", "ab12.2.http"]
    assert place.private_socket == Path("run/ab12.1.http")
    assert Place.of({}) == Place(0, 1, None)
    assert Place().siblings == ()
