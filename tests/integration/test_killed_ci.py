"""A CI server is killed at any time: each promotion that it saw is in one build, each build is delivered once."""

from pathlib import Path

from benchmarks.killed_ci import run

KILLS, SEED = 12, 1


def test_a_ci_server_that_is_killed_loses_nothing_and_delivers_nothing_twice(
    tmp_path: Path,
) -> None:
    told = run(KILLS, SEED, tmp_path)
    assert (told.wrong, told.kills) == ([], KILLS)
    assert told.promotions >= KILLS
