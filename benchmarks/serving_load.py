"""usage: python -m benchmarks.serving_load: a process of its own that asks as it is told, a line of JSON each time.

Each line on stdin is a `Task`; it is answered by one on stdout, a `Told`.
"""

import asyncio
import base64
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvloop

from benchmarks.load_client import Load, Question, Way
from benchmarks.serving_figures import quantile
from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.contract.record import Record


class Task(Record):
    """`request` is in base64."""

    host: str
    port: int
    request: str
    connections: int
    seconds: float


class Told(Record):
    """`seconds` until the last answer, `p50` and `p99` those of one answer, `cpu` of this process."""

    answers: int
    failures: int
    failure: str
    seconds: float
    p50: float
    p99: float
    cpu: float


@dataclass(frozen=True)
class Generator:
    """Asks in another process, so that its work is not this one's."""

    process: "subprocess.Popen[str]"

    def ask(self, question: Question, connections: int, seconds: float) -> Told:
        """Raises Refused when the process has ended."""
        assert self.process.stdin and self.process.stdout  # noqa: S101  for their types
        request = base64.b64encode(question.request).decode()
        task = Task(host=question.host, port=question.port, request=request, connections=connections, seconds=seconds)
        self.process.stdin.write(task.model_dump_json() + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Refused("expected what the load generator has met, found its end")
        return Told.from_json(line, "the load generator's answer")


@contextmanager
def generating() -> Iterator[Generator]:
    command = [sys.executable, "-P", "-m", "benchmarks.serving_load"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield Generator(process)
        finally:
            process.stdin.close()


async def _told(task: Task) -> Told:
    load = Load(Question(task.host, task.port, base64.b64decode(task.request)))
    asyncio.get_running_loop().call_later(task.seconds, load.stop)
    began, cpu = time.perf_counter(), time.process_time()
    await load.run([Way()] * task.connections)
    heard = load.heard
    return Told(
        answers=heard.answers.total(),
        failures=len(heard.failures),
        failure=heard.failures[0] if heard.failures else "",
        seconds=time.perf_counter() - began,
        p50=quantile(heard.seconds, 0.5),
        p99=quantile(heard.seconds, 0.99),
        cpu=time.process_time() - cpu,
    )


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            sys.stdout.write(runner.run(_told(Task.from_json(line, "the task"))).model_dump_json() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
