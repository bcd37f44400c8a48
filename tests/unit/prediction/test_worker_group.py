"""The parent of workers that do next to nothing: it starts, tells, counts and replaces them."""

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from services.contract.control_protocol import Command, Reply, ServingState, Split, Status, Verb
from services.contract.errors import Refused
from services.prediction.workers import watchdog
from services.prediction.workers.channel import Channel
from services.prediction.workers.group import Group
from services.prediction.workers.place import Place
from services.prediction.workers.pulse import Page
from services.prediction.workers.watchdog import BEAT_SECONDS
from services.prediction.workers.worker import HUNG, Work

pytestmark = pytest.mark.process
RELEASE = "ab" * 32
DONE = Reply(status=Status(pid=1, release=RELEASE, state=ServingState.READY, connections=0))
GO, DRAIN, STOP = (Command(verb=verb) for verb in (Verb.GO, Verb.DRAIN, Verb.STOP))
SPLIT = Split(release="b" * 64, targets=("one.http",), share=0.5)


class Workers:
    """A group on `page`, and the commands that its workers were told, in the order in which these came."""

    def __init__(self, count: int, work: Callable[["Workers"], Work]) -> None:
        self.page = Page(count)
        self._heard, self._told = os.pipe()
        self.ends, self._end = os.pipe()
        self.group = Group(RELEASE, work(self), self.page)

    def turn_until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.group._turn()  # noqa: SLF001  what `run` does until a stop

    def turn_until_ended(self, times: int) -> None:
        self.turn_until(lambda: self.group.workers().ended == times)

    def ask(self, command: Command, passed: socket.socket | None = None) -> Reply:
        """As the control socket does."""
        replies: list[Reply] = []
        self.group.command(command, passed, lambda reply, _: replies.append(reply))
        self.turn_until(lambda: replies)
        return replies[0]

    def told(self) -> list[str]:
        if not select.select([self._heard], [], [], 0)[0]:
            return []
        return sorted(os.read(self._heard, 4096).decode().split())

    def note(self, place: Place, verb: str) -> None:
        os.write(self._told, f"{place.number}:{verb} ".encode())

    def let_end(self) -> None:
        """From here on what is `short_lived` ends."""
        os.write(self._end, b" ")

    def kill(self, number: int) -> None:
        process = self.group._workers[number].process  # noqa: SLF001
        assert process
        os.kill(process.pid, signal.SIGKILL)


def obedient(workers: Workers) -> Work:
    def work(place: Place, channel: Channel) -> int:
        channel.send(DONE)
        while True:
            workers.page.pulse(place.number).beat()
            if not select.select([channel], [], [], BEAT_SECONDS)[0]:
                continue
            message, passed = channel.receive()
            if not message:
                return 0
            verb = Command.model_validate_json(message).verb
            workers.note(place, f"{verb}{'+' if passed else ''}")
            if verb is Verb.STOP:
                return 0
            channel.send(DONE)

    return work


def short_lived(workers: Workers) -> Work:
    def work(place: Place, channel: Channel) -> int:
        channel.send(DONE)
        while not select.select([workers.ends], [], [], BEAT_SECONDS)[0]:
            workers.page.pulse(place.number).beat()
        return 7

    return work


@contextmanager
def started(count: int, work: Callable[[Workers], Work] = obedient) -> Iterator[Workers]:
    workers = Workers(count, work)
    try:
        workers.group.start()
        yield workers
    finally:
        workers.group.stop(0.0)
        workers.group.run()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_all_workers_are_told_and_the_answer_waits_for_each_of_them(listening: socket.socket) -> None:
    with started(3) as workers:
        reply = workers.ask(GO, listening.dup())
        assert reply.status
        assert (reply.status.pid, reply.status.state) == (os.getpid(), ServingState.ACCEPTING)
        assert workers.told() == ["0:go+", "1:go+", "2:go+"]
        lent: list[socket.socket | None] = []
        workers.group.command(Command(verb=Verb.LISTENER), None, lambda _, found: lent.append(found))
        assert lent[0]
        assert lent[0].getsockname() == listening.getsockname()
        workers.ask(DRAIN)
        assert workers.told() == ["0:drain", "1:drain", "2:drain"]
        assert workers.group.status().state is ServingState.READY


def test_one_that_ends_is_replaced_alone_and_accepts_when_it_has_proved_itself(listening: socket.socket) -> None:
    with started(2) as workers:
        workers.ask(GO, listening.dup())
        workers.told()
        before = [worker.process for worker in workers.group._workers]  # noqa: SLF001
        workers.kill(1)
        workers.turn_until(lambda: workers.group.workers().ready < 2)
        missing = workers.group.workers()
        assert (missing.ready, missing.ended, "SIGKILL" in missing.reason) == (1, 1, True)
        assert missing.next_try
        workers.turn_until(lambda: workers.group.workers().ready == 2)
        # Its answer to what it was told.
        workers.turn_until(lambda: workers.group._workers[1].process.answered)  # type: ignore[union-attr]  # noqa: SLF001
        assert workers.told() == ["1:go+"]
        assert workers.group._workers[0].process is before[0]  # noqa: SLF001


def test_one_that_is_replaced_hands_on_as_the_others_do_until_that_is_over(listening: socket.socket) -> None:
    split, over = (Command(verb=Verb.SPLIT, split=one) for one in (SPLIT, None))
    with started(2) as workers:
        workers.ask(GO, listening.dup())
        for command, told in ((split, ["1:go+", "1:split"]), (over, ["1:go+"])):
            workers.ask(command)
            workers.told()
            ended = workers.group.workers().ended
            workers.kill(1)
            workers.turn_until(lambda: workers.group.workers().ended > ended and workers.group.workers().ready == 2)  # noqa: B023
            workers.turn_until(lambda: workers.group._workers[1].process.answered == len(told))  # type: ignore[union-attr]  # noqa: SLF001, B023
            assert workers.told() == told


def test_one_that_is_replaced_after_a_drain_does_not_accept(listening: socket.socket) -> None:
    with started(1) as workers:
        workers.ask(GO, listening.dup())
        assert workers.told() == ["0:go+"]
        workers.kill(0)
        workers.ask(DRAIN)
        workers.turn_until(lambda: workers.group.workers().ended == 1 and workers.group.workers().ready == 1)
        workers.ask(DRAIN)
        assert set(workers.told()) == {"0:drain"}


def test_one_that_hangs_is_killed_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with started(1) as workers:
        monkeypatch.setattr(watchdog, "HANG_SECONDS", -1.0)
        workers.turn_until(lambda: workers.group.workers().ended)
        assert HUNG in workers.group.workers().reason
        monkeypatch.setattr(watchdog, "HANG_SECONDS", 3600.0)
        workers.turn_until(lambda: workers.group.workers().ready)


def test_what_ends_again_and_again_is_tried_after_longer_and_longer_pauses() -> None:
    with started(1, short_lived) as workers:
        workers.let_end()
        pauses, before = list[float](), datetime.now(UTC)
        for ended in (1, 2, 3):
            workers.turn_until_ended(ended)
            found = workers.group.workers()
            assert found.next_try
            assert found.next_try > before
            assert "ended with status 7" in found.reason
            pauses.append(workers.group._workers[0]._due - workers.group._workers[0].last_end)  # noqa: SLF001
        assert pauses == pytest.approx([0.5, 1.0, 2.0])


def test_a_command_to_accept_is_refused_with_the_reason_while_no_worker_can(listening: socket.socket) -> None:
    with started(1, short_lived) as workers:
        workers.let_end()
        workers.turn_until(lambda: workers.group.workers().ended)
        with pytest.raises(Refused, match=r"expected a worker that answers, found none: worker 0 .* with status 7"):
            workers.group.command(GO, listening.dup(), lambda *_: None)


def test_workers_that_cannot_prove_themselves_are_not_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    def unproved(_: Workers) -> Work:
        def work(place: Place, channel: Channel) -> int:  # noqa: ARG001  a Work
            raise Refused("golden row 0: expected 1, found 2")

        return work

    with pytest.raises(Refused, match="expected workers that repeat the golden predictions"), started(2, unproved):
        pass
    assert "golden row 0: expected 1, found 2" in capfd.readouterr().err


def test_workers_whose_parent_has_ended_know_it() -> None:
    with started(2) as workers:
        process = workers.group._workers[0].process  # noqa: SLF001
        assert process
        process.channel._end.shutdown(socket.SHUT_RDWR)  # noqa: SLF001
        workers.turn_until(lambda: "status 0" in workers.group.workers().reason)
