"""The prediction log is read as its writers left it, and sampled by the id of a request alone."""

from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.prediction_log import LoggedPrediction, is_sampled, read_log

ONE = LoggedPrediction(
    at="2026-11-28T00:00:00Z",
    request_id="a-1",
    model="diamond-price",
    revision="2-90bb4914",
    release="0" * 64,
    status=200,
    seconds=0.001,
    rows=1,
    columns=("carat", "cut"),
    inputs=[[1.0, None]],
    predictions=[4416.5],
)


def _line(number: int) -> str:
    at = ONE.at.replace(minute=number)
    return ONE.model_copy(update={"at": at, "request_id": f"a-{number}"}).model_dump_json() + "\n"


def _ids(folder: Path) -> list[str]:
    return [one.request_id for one in read_log(folder)]


def test_the_files_of_all_workers_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "predictions-b-1.jsonl").write_text(_line(1) + _line(4))
    (tmp_path / "predictions-a-1.jsonl").write_text(_line(2))
    (tmp_path / "predictions-a-2.jsonl").write_text(_line(3))
    assert _ids(tmp_path) == ["a-1", "a-2", "a-3", "a-4"]


def test_a_half_line_at_the_end_of_a_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "predictions-a-1.jsonl").write_text(_line(1) + _line(2)[:-20])
    assert _ids(tmp_path) == ["a-1"]


def test_a_folder_without_a_log_has_no_predictions(tmp_path: Path) -> None:
    (tmp_path / "access-a-1.jsonl").write_text("{}\n")
    assert _ids(tmp_path) == _ids(tmp_path / "missing") == []


def test_a_line_that_is_none_of_ours_is_refused_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "predictions-a-1.jsonl").write_text(_line(1) + "{}\n")
    with pytest.raises(Refused, match=r"predictions-a-1.jsonl:2 is not a LoggedPrediction: at: "):
        _ids(tmp_path)


def test_the_share_that_is_asked_for_is_kept_of_ids_that_count_up() -> None:
    kept = sum(is_sampled(f"9f3a2c1b04de-{number:x}", 0.1) for number in range(20_000))
    assert kept == pytest.approx(2000, rel=0.05)


@pytest.mark.parametrize(("share", "kept"), [(0.0, False), (1.0, True)])
def test_none_is_kept_of_a_share_of_0_and_all_of_1(share: float, kept: bool) -> None:
    assert {is_sampled(f"{number}", share) for number in range(100)} == {kept}


def test_what_a_smaller_share_keeps_a_larger_one_keeps_as_well() -> None:
    ids = [f"id-{number}" for number in range(1000)]
    few, many = ({one for one in ids if is_sampled(one, share)} for share in (0.05, 0.3))
    assert few < many
