"""A CI server is killed at any time: each promotion is delivered once or superseded, and nothing is left behind."""

from pathlib import Path

from benchmarks.killed_ci import run

KILLS, SEED = 12, 1


def test_a_ci_server_that_is_killed_delivers_each_promotion_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    told = run(KILLS, SEED, tmp_path)
    assert (told.wrong, told.kills) == ([], KILLS)
    assert told.promotions >= KILLS
