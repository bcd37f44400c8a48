"""What a long run says while it runs."""

from tests.support.progress import Progress

NODES = ["tests/a.py::one", "tests/a.py::two[x::y]", "tests/b.py::three@stack"]


def test_each_file_says_when_it_begins_and_ends_and_how_far_the_run_is() -> None:
    said: list[str] = []
    times = iter([0.0, 1.0, 5.0, 9.0])
    progress = Progress(said.append, lambda: next(times))
    progress.expect(NODES)
    progress.begin(NODES[0])
    progress.begin(NODES[2])
    progress.end(NODES[0])
    progress.fail(NODES[2])
    progress.end(NODES[2])
    progress.begin(NODES[1])
    progress.end(NODES[1])
    assert said == [
        "[0/2 files, 0/3 tests] tests/a.py begins",
        "[0/2 files, 0/3 tests] tests/b.py begins",
        "[1/2 files, 2/3 tests] tests/b.py 1 FAILED in 4 s",
        "[2/2 files, 3/3 tests] tests/a.py passed in 9 s",
    ]
