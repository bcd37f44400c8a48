"""What may answer when: each stale answer is told, and nothing that a client may meet."""

import pytest

from benchmarks.switch_timeline import Timeline

CONFIRMED = 100.0


def told(release: str, opened: float, asked: float, last: bool = True, window: float = 20.0) -> list[str]:
    """Of a switch from `old` to `live` that was confirmed at 100."""
    timeline = Timeline(window, clock=lambda: CONFIRMED)
    timeline.live = "old"
    timeline.begin("live")
    timeline.confirm()
    timeline.judge(release, opened, asked, last)
    return timeline.stale


@pytest.mark.parametrize(
    ("release", "opened", "asked", "last"),
    [("live", 101.0, 101.0, False), ("old", 90.0, 99.0, False), ("old", 90.0, 119.0, True)],
)
def test_an_answer_that_clients_may_meet_is_none(release: str, opened: float, asked: float, last: bool) -> None:
    assert told(release, opened, asked, last) == []


@pytest.mark.parametrize(
    ("opened", "asked", "last", "why"),
    [
        (101.0, 101.0, True, "on a connection opened 1.000 s after the switch was confirmed"),
        (90.0, 101.0, False, "asked after the switch was confirmed, and the connection goes on"),
        (90.0, 121.0, True, "asked 21.000 s after the switch was confirmed"),
    ],
)
def test_an_answer_of_the_release_before_is_stale_when_nobody_may_have_it(
    opened: float, asked: float, last: bool, why: str
) -> None:
    assert told("old", opened, asked, last) == [f"old answered while live was live: {why}"]


def test_a_release_that_never_was_to_answer_is_stale() -> None:
    assert told("other", 90.0, 99.0) == ["other answered while live was live: it never was to answer"]


def test_a_candidate_may_answer_until_it_is_taken_back() -> None:
    timeline = Timeline(clock=lambda: CONFIRMED)
    timeline.live = "live"
    timeline.begin("candidate")
    timeline.judge("candidate", 90.0, 99.0, last=False)
    timeline.judge("live", 90.0, 99.0, last=False)
    timeline.withdraw()
    timeline.judge("candidate", 90.0, 99.5, last=False)
    assert timeline.stale == []
    timeline.judge("candidate", 90.0, 100.5, last=True)
    assert timeline.stale == ["candidate answered while live was live: asked 0.500 s after it was taken back"]


def test_a_release_that_is_live_again_answers_everybody() -> None:
    timeline = Timeline(clock=lambda: CONFIRMED)
    timeline.live = "first"
    for release in ("second", "first"):
        timeline.begin(release)
        timeline.confirm()
    timeline.judge("first", 101.0, 101.0, last=False)
    assert timeline.stale == []
