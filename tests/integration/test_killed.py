"""A rollout service is killed at each of its fail points and at any time: nothing is left behind, no client notices."""

from pathlib import Path

from benchmarks.killed import POINTS, run
from services.rollout.fail_points import FailPoint

SEED = 1


def test_a_rollout_service_that_is_killed_leaves_nothing_behind_and_no_client_notices(tmp_path: Path) -> None:
    told = run(len(POINTS), SEED, tmp_path, POINTS)
    assert (told.wrong, told.failures, told.kills) == ([], [], len(POINTS))
    assert {FailPoint.PROCESS_STARTED, FailPoint.PROCESS_RECORDED} <= set(told.points), told.points
    assert told.answers > 0
