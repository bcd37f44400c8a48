"""A process of the prediction service and 20,000 hostile requests; `benchmarks/hostile` sends more, and others."""

from pathlib import Path

from benchmarks.hostile_requests import attacked, report, serving

SEED, REQUESTS = 17, 20_000


def test_no_request_of_many_hostile_ones_hurts_the_service_or_keeps_it_from_others(tmp_path: Path) -> None:
    with serving(tmp_path, seconds=5.0) as (port, process):
        outcome = attacked(port, process, SEED, REQUESTS)
    assert not outcome.failed, report(outcome)
    # Valid requests between them were answered, and what was wrong was refused by name.
    assert {200, 400, 408, 413, 415, 422, 431} <= outcome.tally.statuses.keys()
