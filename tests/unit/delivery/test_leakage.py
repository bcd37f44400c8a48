"""A model that was trained on rows of its hold-out is refused, and one whose data has twins by nature is not."""

import csv
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from services.contract.candidate import Candidate, DataDigest
from services.contract.digest import file_sha256
from services.contract.errors import Refused
from services.contract.model_config import Data, ModelConfig
from services.contract.row_hashes import read_row_hashes, row_hashes, written
from services.contract.verdict import Check, Verdict
from services.delivery.gates.leakage import leakage_checks
from services.delivery.scoring.canonical import canonical_holdout
from services.delivery.scoring.holdout import read_holdout
from services.delivery.statistics.overlap import equal_inputs, equal_rows
from services.delivery.store import Store
from tests.support.release_factory import ReleasePlan, build_release
from training.dataset import split

Lines = Sequence[str]
HEADER = "size,colour,price"


def config(**gates: Any) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "name": "toy",
            "description": "made up",
            "library": "sklearn",
            "task": "regression",
            "data": {
                "source": "made up",
                "target": "price",
                "columns": {"size": "double", "colour": "string"},
                "optional": ["colour"],
                "holdout_sha256": None,
            },
            "variants": {"only": {}},
            "gates": {
                "thresholds": {"r2_score": {"min": 0}},
                "latency_p99_ms": 1,
                "compare": {"metric": "mean_absolute_error"},
                **gates,
            },
        }
    )


def content(lines: Lines) -> bytes:
    return ("\n".join([HEADER, *lines]) + "\n").encode()


class Bench:
    """A run whose training rows and hold-out are these lines, in a store as fetch leaves them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(folder / "store")
        self.template = build_release(folder / "template", ReleasePlan(model="toy")).manifest.candidate

    def candidate(self, training: Lines, holdout: Lines, **schema: Any) -> Candidate:
        run = self.template.run
        rows, held = self.folder / "rows.npy", self.folder / "holdout.csv"
        rows.write_bytes(written(row_hashes(content(training))))
        held.write_bytes(content(holdout))
        hashes = file_sha256(rows)
        held_out = DataDigest(sha256=file_sha256(held), rows=len(holdout), source="made up")
        facts = {
            "training": DataDigest(sha256="1" * 64, rows=len(training), source="made up"),
            "holdout": held_out,
            "row_hashes": hashes,
            "data_schema": run.data_schema.model_copy(update=schema),
        }
        self.store.put_row_hashes(rows, hashes)
        self.store.put_holdout(held, held_out.sha256)
        return self.template.model_copy(update={"run": run.model_copy(update=facts)})

    def judged(self, candidate: Candidate, **gates: Any) -> dict[str, Check]:
        declared = config(**gates)
        holdout = read_holdout(self.store.holdout(candidate.run.holdout.sha256), declared)
        return {one.name: one for one in leakage_checks(self.store, candidate, holdout, declared)}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def apart(count: int, start: int = 0) -> list[str]:
    """Rows of which no two have equal inputs."""
    return [f"{start + n}.5,red,{n}.0" for n in range(count)]


def verdicts(checks: dict[str, Check]) -> list[str]:
    return [check.verdict.value for check in checks.values()]


def test_a_hold_out_that_shares_no_row_passes_both(bench: Bench) -> None:
    checks = bench.judged(bench.candidate(apart(800), apart(200, start=800)))
    assert list(checks) == ["leakage of rows", "leakage of inputs"]
    assert verdicts(checks) == ["pass", "pass"]
    assert {one.gate for one in checks.values()} == {"leakage"}
    expected = (
        "none of 200 hold-out rows with the inputs of a training row and its target (the split puts equal rows on"
    )
    assert checks["leakage of rows"].expected == f"{expected} one side)"


@pytest.mark.parametrize("leaked", [1, 10, 200])
def test_equal_rows_are_refused_counted_and_five_of_them_shown(bench: Bench, leaked: int) -> None:
    holdout = apart(200, start=800)
    checks = bench.judged(bench.candidate([*apart(800), *holdout[:leaked]], holdout))
    assert verdicts(checks) == ["fail", "pass"]
    rows = checks["leakage of rows"]
    assert rows.found.startswith(f"{leaked} ({leaked / 200:.2%}): train without them")
    assert len(rows.examples) == min(leaked, 5)
    assert rows.examples[0] == {"size": 800.5, "colour": "red", "price": 0.0}


def test_equal_inputs_with_another_target_are_refused_from_five_percent_on(bench: Bench) -> None:
    holdout = apart(200, start=800)
    disguised = [f"{line.rpartition(',')[0]},-1.0" for line in holdout[:10]]
    checks = bench.judged(bench.candidate([*apart(800), *disguised], holdout))
    assert verdicts(checks) == ["pass", "fail"]
    assert checks["leakage of inputs"].found.startswith("10 (5.00%)")


def twins(count: int) -> pandas.DataFrame:
    """Rows that are often alike: 60 inputs, and 30 targets for each."""
    random.seed(count)
    return pandas.DataFrame(
        {
            "size": [float(random.randrange(20)) for _ in range(count)],
            "colour": [random.choice(["red", "blue", None]) for _ in range(count)],
            "price": [float(random.randrange(30)) for _ in range(count)],
        }
    )


def lines_of(part: bytes) -> list[str]:
    return part.decode().splitlines()[1:]


@pytest.mark.parametrize("rows", [150, 1500, 6000])
def test_data_that_has_twins_by_nature_passes_undeclared(bench: Bench, rows: int) -> None:
    data = Data.model_validate(config().data.model_dump())
    dataset = split(twins(rows), data, "regression", "made up")
    training, holdout = (lines_of(part.csv) for part in (dataset.training, dataset.holdout))
    checks = bench.judged(bench.candidate(training, holdout))
    assert verdicts(checks) == ["pass", "pass"]
    assert not checks["leakage of inputs"].found.startswith("none")
    # The same data with a twentieth of its hold-out trained on.
    leaked = bench.judged(bench.candidate([*training, *holdout[: max(1, len(holdout) // 20)]], holdout))
    assert leaked["leakage of rows"].verdict is Verdict.FAIL


def test_where_the_split_does_not_keep_equal_rows_together_as_many_as_the_data_has_may_be_shared(bench: Bench) -> None:
    frame = twins(4000)
    lines = [f"{row.size},{row.colour or ''},{row.price}" for row in frame.itertuples(index=False)]
    # As a split by time does it.
    training, holdout = lines[:3200], lines[3200:]
    by_time = bench.judged(bench.candidate(training, holdout, split_by_time="day"))
    assert by_time["leakage of rows"].verdict is Verdict.PASS
    assert by_time["leakage of rows"].found.endswith("%)")
    assert bench.judged(bench.candidate(training, holdout))["leakage of rows"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"rows": 0.05}, ["pass", "pass"]),
        ({"rows": 0.04}, ["fail", "pass"]),
        ({"rows": 0, "inputs": 0}, ["fail", "pass"]),
    ],
)
def test_what_model_yaml_declares_decides(bench: Bench, declared: dict[str, float], expected: list[str]) -> None:
    holdout = apart(200, start=800)
    candidate = bench.candidate([*apart(800), *holdout[:10]], holdout)
    assert verdicts(bench.judged(candidate, overlap=declared)) == expected


def test_the_share_that_a_refusal_names_is_enough(bench: Bench) -> None:
    holdout = apart(150, start=800)
    candidate = bench.candidate([*apart(800), *holdout[:7]], holdout)
    words = bench.judged(candidate)["leakage of rows"].found
    assert words.endswith("if such rows are no leak, declare gates.overlap.rows, at least 0.047")
    assert verdicts(bench.judged(candidate, overlap={"rows": 0.047})) == ["pass", "pass"]
    assert verdicts(bench.judged(candidate, overlap={"rows": 0.046})) == ["fail", "pass"]


def test_a_missing_cell_of_a_leaked_row_is_shown_as_missing(bench: Bench) -> None:
    holdout = ["1.0,,2.0", *apart(150)]
    checks = bench.judged(bench.candidate([*apart(800, start=200), "1.0,,2.0"], holdout))
    assert checks["leakage of rows"].examples == ({"size": 1.0, "colour": None, "price": 2.0},)


def test_a_run_without_hashes_is_inconclusive_and_says_what_to_do(bench: Bench) -> None:
    candidate = bench.candidate(apart(100), apart(100, start=100))
    run = candidate.run.model_copy(update={"row_hashes": None})
    (check,) = bench.judged(candidate.model_copy(update={"run": run})).values()
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "train it again with `trackback train` or `import trackback`, or accept it" in check.found


def test_row_hashes_that_are_gone_from_the_store_are_named(bench: Bench) -> None:
    candidate = bench.candidate(apart(100), apart(100, start=100))
    assert candidate.run.row_hashes
    bench.store.row_hashes(candidate.run.row_hashes).unlink()
    with pytest.raises(Refused, match="expected the row hashes .*, found none or others: run fetch again"):
        bench.judged(candidate)


def test_row_hashes_that_were_changed_never_enter_the_store(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "changed.npy"
    file.write_bytes(written(row_hashes(content(apart(3)))))
    with pytest.raises(Refused, match=r"expected hashes of training rows with SHA-256 eeeeeeeeeeee…, found .*: it was"):
        bench.store.put_row_hashes(file, "e" * 64)


def test_a_file_that_training_wrote_and_one_of_a_persons_own_have_the_same_hashes(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {
            "size": [1e-7, 0.1 + 0.2, 3.0, 5e300],
            "colour": ['a "red", one', "two\nlines", None, "grün\0"],
            "price": [1.0, 2.5, 1e22, -0.0],
        }
    )
    half = config().data.model_copy(update={"holdout_percent": 50})
    training = split(frame, half, "regression", "made up").training
    theirs = training.inputs.join(training.target).to_csv(index=False, quoting=csv.QUOTE_ALL)
    (tmp_path / "mine.csv").write_text(theirs)
    mine = canonical_holdout(tmp_path / "mine.csv", config())
    assert (row_hashes(mine) == row_hashes(training.csv)).all()


def test_cells_that_differ_have_other_hashes() -> None:
    hashes = row_hashes(b"x,y,z\n1,23,4\n12,3,4\n1,23,5\n1,23,4\n")
    assert hashes.shape == (4, 2)
    assert len(set(hashes[:, 0].tolist())) == 2
    assert len(set(hashes[:, 1].tolist())) == 3
    assert (hashes[0] == hashes[3]).all()


def test_hashes_are_the_same_on_every_machine() -> None:
    # printf '1.0\0red' | b2sum --length 64, and the same with '\0002.0' behind it.
    assert row_hashes(b"x,y,z\n1.0,red,2.0\n").tobytes().hex() == "82cbf4edfea952819a3d6f04f912749c"


def test_a_file_that_is_not_hashes_of_so_many_rows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.npy"
    file.write_bytes(written(row_hashes(b"x,y\n1,2\n")))
    assert read_row_hashes(file, 1).shape == (1, 2)
    with pytest.raises(Refused, match=r"expected two hashes for each of 2 rows, found uint64 of shape \(1, 2\)"):
        read_row_hashes(file, 2)
    file.write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(Refused, match="expected hashes of rows, cannot read them"):
        read_row_hashes(file, 1)


def test_twins_are_counted_by_hand() -> None:
    training = row_hashes(b"x,y\n1,1\n1,2\n2,1\n2,1\n3,1\n")
    holdout = row_hashes(b"x,y\n1,1\n1,9\n2,9\n2,9\n4,1\n")
    rows, inputs = equal_rows(training, holdout), equal_inputs(training, holdout)
    assert (rows.places, rows.natural, rows.rows) == ((0,), 2 / 5, 5)
    # Of the four different training rows, those with x=1 are alike; of the four of the hold-out two are shared.
    assert (inputs.places, inputs.natural, inputs.rows) == ((1, 2), 2 / 4, 4)
    # 40 rows are expected of 100, and 3·√40 = 18.97 more may come, and three.
    assert replace(rows, rows=100).by_chance == 61


@pytest.mark.parametrize(("inputs", "targets"), [(30, 2), (500, 2), (500, 50)])
def test_honest_data_is_refused_once_in_a_hundred_splits_at_most(inputs: int, targets: int) -> None:
    """Some inputs are much more frequent than others, so that equal rows come in lumps."""
    generator, refused = numpy.random.default_rng(4), 0
    for _ in range(100):
        x = numpy.minimum(generator.zipf(1.5, 2000), inputs)
        y = generator.integers(0, targets, len(x))
        rows = numpy.stack([x, 100 * x + y], axis=1).astype("<u8")
        kinds, kind = numpy.unique(rows[:, 1], return_inverse=True)
        held = (generator.random(len(kinds)) < 0.2)[kind]
        found = equal_inputs(rows[~held], rows[held])
        refused += len(found.places) > found.by_chance
    assert refused <= 1
