"""The split, the digests and the complaints about a wrong file."""

import hashlib
from pathlib import Path

import pandas
import pytest

from services.contract.errors import Refused
from services.contract.model_config import Data, load_model_config
from training.dataset import read_csv, split
from training.job import Order, train

MODELS = Path(__file__).parents[2] / "training" / "models"
DATA = Data(source="made up", target="price", columns={"carat": "double", "cut": "string"}, holdout_sha256=None)


def rows(count: int) -> pandas.DataFrame:
    return pandas.DataFrame(
        {"carat": [n / 10 for n in range(count)], "cut": [f"c{n % 3}" for n in range(count)], "price": range(count)}
    )


def refused_csv(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.csv"
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        read_csv(file, DATA)
    return str(refused.value).replace(str(tmp_path), "")


def test_every_row_is_on_one_side_of_the_split() -> None:
    dataset = split(rows(1000), DATA, "made up")
    training, holdout = dataset.training.csv.splitlines()[1:], dataset.holdout.csv.splitlines()[1:]
    assert len(training) + len(holdout) == 1000
    assert not set(training) & set(holdout)
    assert 150 < len(holdout) < 250


def test_the_split_does_not_depend_on_the_order_of_rows() -> None:
    frame = rows(500)
    shuffled = frame.sample(frac=1, random_state=1)
    first, second = (set(split(one, DATA, "").holdout.csv.splitlines()) for one in (frame, shuffled))
    assert first == second


def test_equal_rows_fall_on_the_same_side() -> None:
    doubled = pandas.concat([rows(300), rows(300)])
    dataset = split(doubled, DATA, "made up")
    assert not set(dataset.training.csv.splitlines()[1:]) & set(dataset.holdout.csv.splitlines()[1:])


def test_the_digest_is_that_of_the_canonical_csv() -> None:
    holdout = split(rows(300), DATA, "made up").holdout
    assert holdout.digest.sha256 == hashlib.sha256(holdout.csv).hexdigest()
    assert holdout.csv.startswith(b"carat,cut,price\n")
    assert holdout.digest.rows == len(holdout.csv.splitlines()) - 1


def test_the_pinned_exam_of_diamond_price_is_what_the_package_gives() -> None:
    from plotnine.data import diamonds

    config = load_model_config(MODELS, "diamond-price")
    frame = diamonds.astype({"cut": str, "color": str, "clarity": str, "price": float})
    assert split(frame, config.data, "").holdout.digest.sha256 == config.data.holdout_sha256


def test_a_file_that_lacks_a_column_is_refused_by_its_name(tmp_path: Path) -> None:
    assert refused_csv(tmp_path, "carat,price\n1,2\n") == (
        "/mine.csv: expected columns carat, cut, price; missing: cut"
    )


def test_a_cell_that_is_no_number_is_refused_by_line_and_column(tmp_path: Path) -> None:
    text = "carat,cut,price\n1,a,2\nheavy,b,3\n"
    assert refused_csv(tmp_path, text) == "/mine.csv:3: column 'carat': expected a number, found 'heavy'"


def test_an_empty_cell_of_a_number_is_refused(tmp_path: Path) -> None:
    assert "/mine.csv:2: column 'price': expected a number, found ''" in refused_csv(
        tmp_path, "carat,cut,price\n1,a,\n"
    )


def test_a_file_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    assert "expected a CSV file with a header" in refused_csv(tmp_path, "")


def test_too_few_rows_for_two_sides_are_refused() -> None:
    with pytest.raises(Refused, match="made up: expected enough rows for a training set and a hold-out, found 1"):
        split(rows(1), DATA, "made up")


def test_an_unknown_variant_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Refused, match=r"expected a variant of diamond-price \(linear, boosted.*\), found 'deep'"):
        train(Order(MODELS, "diamond-price", "deep", None, False), lambda _: None)
