"""What differs between two runs: parameters, data, columns, libraries and code, as far as both recorded it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.contract.candidate import ColumnSummary, DataDigest, RunFacts, SourcesDigest
from services.contract.comparison import Change
from services.delivery.deltas.changes import changes
from services.delivery.deltas.column_changes import has_moved
from tests.support.release_factory import ReleasePlan, build_release

CARAT = ColumnSummary(missing=0, distinct=200, quantiles=(0.2, 0.3, 0.4, 0.7, 1.0, 1.7, 5.0))
CUT = ColumnSummary(missing=0, distinct=3, quantiles=(4,) * 7, shares={"Ideal": 0.5, "Good": 0.3, "Fair": 0.2})
OTHER_DATA = DataDigest(sha256="9" * 64, rows=300, source="made up")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFacts:
    found = build_release(tmp_path_factory.mktemp("store"), ReleasePlan()).manifest.candidate.run
    return found.model_copy(update={"columns": {"carat": CARAT, "cut": CUT, "price": CARAT}})


def told(candidate: RunFacts, live: RunFacts, checkout: Path | None = None) -> list[tuple[Any, ...]]:
    return [(one.kind, one.name, one.candidate, one.live) for one in changes(candidate, live, checkout)]


def test_two_runs_of_one_code_and_data_differ_in_nothing(run: RunFacts) -> None:
    assert changes(run, run, None) == ()


def test_a_parameter_and_a_library_that_only_one_run_has_are_told_as_none(run: RunFacts) -> None:
    before = {"alpha": "1.0", "old": "yes"}, {"numpy": "2.4.6"}
    after = {"alpha": "2.0", "new": "no"}, {"numpy": "2.5.0"}
    candidate, live = (
        run.model_copy(update={"parameters": parameters, "libraries": libraries})
        for parameters, libraries in (after, before)
    )
    assert told(candidate, live) == [
        ("parameter", "alpha", "2.0", "1.0"),
        ("parameter", "new", "no", None),
        ("parameter", "old", None, "yes"),
        ("library", "numpy", "2.5.0", "2.4.6"),
    ]


def test_data_is_told_by_rows_digests_split_and_the_packages_that_it_came_from(run: RunFacts) -> None:
    assert run.sources
    sources = SourcesDigest(packages={"plotnine": "0.15.0"}, files=1, sha256=run.sources.sha256)
    schema = run.data_schema.model_copy(update={"holdout_percent": 10, "split_by_time": "day"})
    candidate = run.model_copy(
        update={"training": OTHER_DATA, "columns": run.columns, "sources": sources, "data_schema": schema}
    )
    assert told(candidate, run) == [
        ("data", "training set", "300 rows of made up, 999999999999", "200 rows of made up, 111111111111"),
        ("data", "split", "10% by day in time", "20% by whole rows"),
        ("data", "package plotnine", "0.15.0", None),
    ]


def test_a_column_that_is_new_or_of_another_type_is_told(run: RunFacts) -> None:
    schema = run.data_schema.model_copy(
        update={"columns": {"carat": "long", "cut": "string", "depth": "double"}, "optional": ("depth",)}
    )
    assert told(run.model_copy(update={"data_schema": schema}), run) == [
        ("column", "carat", "long", "double"),
        ("column", "depth", "double?", None),
        ("column", "grade", None, "long"),
    ]


def test_columns_and_labels_that_are_distributed_otherwise_are_told_and_others_are_not(run: RunFacts) -> None:
    heavier = CARAT.model_copy(update={"quantiles": (0.2, 0.4, 0.6, 0.9, 1.2, 2.0, 5.0), "missing": 0.25})
    fewer = CUT.model_copy(update={"shares": {"Ideal": 0.49, "Good": 0.41, "Fair": 0.1}})
    columns = {"carat": CARAT, "cut": fewer, "price": heavier}
    found = told(run.model_copy(update={"training": OTHER_DATA, "columns": columns}), run)
    assert [one for one in found if one[0] == "distribution"] == [
        ("distribution", "cut", "Good 41.0%, Fair 10.0%, Ideal 49.0%", "Good 30.0%, Fair 20.0%, Ideal 50.0%"),
        (
            "distribution",
            "price, the target",
            "median 0.9, 90% from 0.4 to 2, 25.0% missing",
            "median 0.7, 90% from 0.3 to 1.7, 0.0% missing",
        ),
    ]


def test_moments_are_told_as_days_and_texts_by_their_length(run: RunFacts) -> None:
    day = 86_400.0
    schema = run.data_schema.model_copy(update={"columns": {"sold": "date", "text": "string"}})
    sides = []
    for shift in (0, 100):
        sold = ColumnSummary(missing=0, distinct=9, quantiles=tuple(day * (n + shift) for n in range(7)))
        text = ColumnSummary(missing=0, distinct=900, quantiles=tuple(float(n + shift) for n in range(7)))
        sides.append(run.model_copy(update={"data_schema": schema, "columns": {"sold": sold, "text": text}}))
    found = told(sides[0].model_copy(update={"training": OTHER_DATA}), sides[1])
    assert found[1:] == [
        (
            "distribution", "sold", "median 1970-01-04, 90% from 1970-01-02 to 1970-01-06",
            "median 1970-04-14, 90% from 1970-04-12 to 1970-04-16",
        ),
        ("distribution", "text", "length median 3, 90% from 1 to 5", "length median 103, 90% from 101 to 105"),
    ]  # fmt: skip


def test_a_run_from_before_columns_were_summed_up_says_that_nothing_is_known(run: RunFacts) -> None:
    old = run.model_copy(update={"columns": None, "training": OTHER_DATA})
    assert told(run, old)[-1] == ("distribution", "recorded", "of 3 columns", None)
    assert [one for one in told(old, old.model_copy(update={"training": run.training})) if one[0] != "data"] == []
    assert told(run, run.model_copy(update={"columns": None})) == []


@pytest.mark.parametrize(
    ("shares", "moved"),
    [
        ({"Ideal": 0.505, "Good": 0.298, "Fair": 0.197}, False),
        ({"Ideal": 0.52, "Good": 0.29, "Fair": 0.19}, True),
        ({"Ideal": 0.5, "Good": 0.3, "Fair": 0.194, "Poor": 0.006}, True),
        # Cut off at the most frequent ones: the third has a fifth at most, as it had.
        ({"Ideal": 0.5, "Good": 0.3}, False),
    ],
)
def test_a_word_has_moved_that_a_person_would_want_to_see(shares: dict[str, float], moved: bool) -> None:
    assert has_moved(CUT.model_copy(update={"shares": shares}), CUT) is moved


def test_a_single_row_at_the_edge_moves_no_column() -> None:
    assert not has_moved(CARAT.model_copy(update={"quantiles": (-9.0, 0.3, 0.4, 0.7, 1.0, 1.7, 99.0)}), CARAT)
    assert has_moved(CARAT.model_copy(update={"quantiles": ()}), CARAT)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, bytes]) -> str:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "work")
    return git(folder, "rev-parse", "HEAD")


@pytest.mark.process
def test_the_lines_that_were_changed_between_both_commits_are_told_the_most_changed_file_first(
    run: RunFacts, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    before = commit(tmp_path, {"train.py": b"1\n2\n3\n", "ä b.py": b"1\n", "data.bin": b"\0"})
    after = commit(tmp_path, {"train.py": b"1\n4\n5\n6\n", "ä b.py": b"2\n", "data.bin": b"\0\1"})
    live = run.model_copy(update={"git_commit": before, "git_dirty": False})
    candidate = run.model_copy(update={"git_commit": after, "git_dirty": True})
    assert told(candidate, live, tmp_path) == [
        ("code", "commit", f"{after[:12]} with uncommitted changes", before[:12]),
        ("code", "diff", "3 files: +4 -3 lines", None),
        ("code", "train.py", "+3 -2 lines", None),
        ("code", "ä b.py", "+1 -1 lines", None),
        ("code", "data.bin", "+0 -0 lines", None),
    ]
    unknown = live.model_copy(update={"git_commit": "f" * 40})
    assert [one[1] for one in told(candidate, unknown, tmp_path)] == ["commit"]


@pytest.mark.process
@pytest.mark.parametrize("said", ["--output=canary", "HEAD", "f" * 39])
def test_what_a_run_says_of_its_commit_is_no_option_of_git(said: str, run: RunFacts, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    known = commit(tmp_path, {"train.py": b"1\n"})
    live, candidate = (run.model_copy(update={"git_commit": one}) for one in (known, said))
    assert changes(candidate, live, tmp_path) == (
        Change(kind="code", name="commit", candidate=said[:12], live=known[:12]),
    )
    assert not list(tmp_path.glob("canary"))
