"""The parent of a release's workers: starts them, tells them all the same, and replaces the one that ends or hangs.

It has no event loop and no thread, so that it can be forked at any time, and answers no request, so that none can
hang it.
"""

import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.contract.control_protocol import Command, Reply, ServingState, Status, Verb, Workers, workers_file
from services.contract.errors import Refused
from services.prediction.workers.place import Place
from services.prediction.workers.pulse import Page
from services.prediction.workers.watchdog import LOOK_SECONDS
from services.prediction.workers.worker import Work, Worker, WorkerProcess

# Beyond what a stop gives to open connections: then whoever has not ended is killed.
STOP_SECONDS = 1.0

Answer = Callable[[Reply, socket.socket | None], None]


@dataclass(frozen=True)
class Asked:
    """A command whose answer waits for those of the workers: of each process the number of its answer."""

    answer: Answer
    owed: tuple[tuple[Worker, WorkerProcess, int], ...]

    def is_done(self) -> bool:
        return all(worker.process is not process or process.answered >= number for worker, process, number in self.owed)


class Group:
    """`work` is what each worker does, in its own process; `control` begins the names of its files, if it has any."""

    def __init__(self, release: str, work: Work, page: Page, control: Path | None = None) -> None:
        self._release, self._work, self._control = release, work, control
        places = [Place(number, page.workers, control) for number in range(page.workers)]
        self._workers = [Worker(place, page.pulse(place.number)) for place in places]
        self._accepting: socket.socket | None = None
        self._split: Command | None = None
        self._stop_at: float | None = None
        self._asked: list[Asked] = []
        self._looked = time.monotonic()
        self._shown: Workers | None = None
        self.selector = selectors.DefaultSelector()

    def start(self) -> None:
        """Returns when every worker has proved itself. Raises Refused when one cannot, which has said why."""
        for worker in self._workers:
            self._start(worker)
        while not all(worker.ready for worker in self._workers):
            self._turn()
            if ended := [worker for worker in self._workers if worker.ended]:
                self._kill_all()
                raise Refused(f"expected workers that repeat the golden predictions, {ended[0].reason}")
        self._show()

    def run(self) -> None:
        """Returns when a stop is over."""
        while not self._stop_at or any(worker.process for worker in self._workers):
            self._turn()

    def command(self, command: Command, passed: socket.socket | None, answer: Answer) -> None:
        """Calls `answer` when every worker has done as it was told. Raises Refused."""
        match command.verb:
            case Verb.GO:
                self.go(passed)
            case Verb.DRAIN:
                self._drain()
                self._tell(command)
            case Verb.STOP:
                self.stop(command.grace)
            case Verb.SPLIT:
                self._split = command if command.split else None
                self._tell(command)
            case Verb.LISTENER:
                answer(Reply(status=self.status()), self._accepting)
                return
        owed = [(one, one.process, one.process.told) for one in self._workers if one.process and one.process.ready]
        self._asked.append(Asked(answer, tuple(owed)))

    def go(self, accepting: socket.socket | None) -> None:
        """All accept on the socket, those that come later too; no change when they do already. Raises Refused.

        It is this group's own from here on.
        """
        refusal = self._refusal(accepting)
        if accepting and (refusal or self._accepting):
            accepting.close()
        if refusal:
            raise Refused(refusal)
        self._accepting = self._accepting or accepting
        self._tell(Command(verb=Verb.GO))

    def stop(self, grace: float) -> None:
        """No worker is started any more; each ends after its last connection or `grace` seconds."""
        if self._stop_at:
            return
        self._stop_at = time.monotonic() + grace + STOP_SECONDS
        self._drain()
        self._tell(Command(verb=Verb.STOP, grace=grace))
        for worker in self._workers:
            if worker.process and not worker.ready:
                worker.process.kill()

    def status(self) -> Status:
        connections = sum(worker.connections for worker in self._workers)
        return Status(pid=os.getpid(), release=self._release, state=self._state(), connections=connections)

    def workers(self) -> Workers:
        last = max(self._workers, key=lambda worker: worker.last_end)
        missing = [worker.next_try for worker in self._workers if not worker.process]
        return Workers(
            wanted=len(self._workers),
            ready=sum(worker.ready for worker in self._workers),
            ended=sum(worker.ended for worker in self._workers),
            reason=last.reason,
            next_try=min((at for at in missing if at), default=None),
        )

    def _refusal(self, accepting: socket.socket | None) -> str:
        if not accepting:
            return "expected a listening socket beside 'go', found none"
        if self._stop_at:
            return "expected a process that stays, this one is stopping"
        if not any(worker.ready for worker in self._workers):
            return f"expected a worker that answers, found none: {self.workers().reason}"
        return ""

    def _state(self) -> ServingState:
        if self._stop_at:
            return ServingState.STOPPING
        return ServingState.ACCEPTING if self._accepting else ServingState.READY

    def _turn(self) -> None:
        for key, _ in self.selector.select(self._seconds_to_wait()):
            key.data()
        now = time.monotonic()
        if (elapsed := now - self._looked) >= LOOK_SECONDS:
            self._looked = now
            for worker in self._workers:
                worker.kill_if_it_hangs(elapsed)
        if self._stop_at and now > self._stop_at:
            self._kill_all()
        self._start_missing()
        self._answer_asked()

    def _seconds_to_wait(self) -> float:
        missing = [worker.missing_seconds for worker in self._workers] if not self._stop_at else []
        return min([LOOK_SECONDS, *(seconds for seconds in missing if seconds is not None)])

    def _start_missing(self) -> None:
        if self._stop_at:
            return
        for worker in self._workers:
            if worker.missing_seconds == 0.0:
                self._start(worker)

    def _start(self, worker: Worker) -> None:
        process = worker.start(self._fork, self._work)
        self.selector.register(process.channel, selectors.EVENT_READ, lambda: self._heard(worker, process))
        self.selector.register(process.end, selectors.EVENT_READ, lambda: self._ended(worker, process))

    def _fork(self, run: Callable[[], int]) -> int:
        """The process leaves through here, so nothing of the parent's own is done twice."""
        sys.stderr.flush()
        if pid := os.fork():
            return pid
        status = 1
        try:
            self._let_go()
            status = run()
        except Refused as refusal:
            sys.stderr.write(f"{refusal}\n")
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _let_go(self) -> None:
        """In a worker: of what is its parent's, and would be kept open by both."""
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self.selector.close()
        if self._accepting:
            self._accepting.close()

    def _heard(self, worker: Worker, process: WorkerProcess) -> None:
        # Its end may have been seen in the same turn.
        if worker.process is not process:
            return
        message, _ = process.channel.receive()
        if not message:
            # Its end follows.
            self.selector.unregister(process.channel)
        elif process.ready:
            process.answered += 1
        else:
            self._became_ready(worker, process)

    def _became_ready(self, worker: Worker, process: WorkerProcess) -> None:
        worker.watch(process)
        if self._accepting:
            process.tell(Command(verb=Verb.GO), self._accepting)
        if self._split:
            process.tell(self._split)
        if self._shown:
            self._show()

    def _ended(self, worker: Worker, process: WorkerProcess) -> None:
        if process.channel in self.selector.get_map():
            self.selector.unregister(process.channel)
        self.selector.unregister(process.end)
        worker.bury(process)
        if self._shown and not self._stop_at:
            sys.stderr.write(f"{worker.reason}: another one is started\n")
            sys.stderr.flush()
            self._show()

    def _tell(self, command: Command) -> None:
        for worker in self._workers:
            if worker.process and worker.process.ready:
                worker.process.tell(command, self._accepting if command.verb is Verb.GO else None)

    def _drain(self) -> None:
        if self._accepting:
            self._accepting.close()
        self._accepting = None

    def _kill_all(self) -> None:
        for worker in self._workers:
            if worker.process:
                worker.process.kill()

    def _answer_asked(self) -> None:
        done = [asked for asked in self._asked if asked.is_done()]
        self._asked = [asked for asked in self._asked if asked not in done]
        for asked in done:
            asked.answer(Reply(status=self.status()), None)

    def _show(self) -> None:
        self._shown = self.workers()
        if self._control:
            self._shown.write(workers_file(self._control))


def stop_on_signals(group: Group, grace: float) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: group.stop(grace))
