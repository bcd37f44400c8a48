"""`benchmarks/worker-scaling`: one release with one worker and with several, asked in turns in one run."""

import argparse
import asyncio
import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import psutil

from services.contract import names
from services.contract.checkout import ROOT
from services.contract.digest import digest_directory
from services.contract.environments import python_for
from services.contract.errors import Refused
from services.contract.release import Golden, Manifest
from services.contract.waiting import wait_until

HOST = "127.0.0.1"
START_SECONDS = 120.0
ENVIRONMENTS = ROOT / ".venv"


@dataclass
class Measured:
    """Of one number of workers, over all rounds; `cpu` is processor seconds of the workers, `client` those of the
    client, `shares` those of each worker in the last round."""

    ready_seconds: float
    client: float = 0.0
    answers: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    failures: list[str] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


class Served:
    """A release that answers on a port, with its parent and its workers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, request: bytes) -> None:
        self._parent, self.port, self.request = psutil.Process(process.pid), port, request

    def workers(self) -> list[psutil.Process]:
        return self._parent.children()

    def memory_mb(self) -> list[float]:
        """The share of each process, of pages that several have (PSS); the parent's first."""
        return [float(one.memory_full_info().pss) / 1e6 for one in [self._parent, *self.workers()]]

    def cpu(self) -> list[float]:
        """Seconds of each worker; the parent has next to none."""
        times = [one.cpu_times() for one in self.workers()]
        return [one.user + one.system for one in times]

    def connections(self) -> list[int]:
        return [
            sum(one.status == psutil.CONN_ESTABLISHED for one in worker.net_connections("tcp"))
            for worker in self.workers()
        ]


class Client(asyncio.Protocol):
    """Asks the same again over one connection, as soon as it is answered."""

    def __init__(self, request: bytes, measured: Measured) -> None:
        self._request, self._measured = request, measured
        self._answer = b""
        self.stopping = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        if head.startswith(b"HTTP/1.1 200 "):
            self._measured.answers += 1
        else:
            self._measured.failures.append(self._answer[:200].decode(errors="replace"))
        self._answer = b""
        if self.stopping:
            self._transport.close()
        else:
            self._transport.write(self._request)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.stopping:
            self._measured.failures.append(f"the connection was lost: {error}")
        if not self.ended.done():
            self.ended.set_result(None)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            measured = _measure(options, Path(folder))
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    sys.stdout.write(f"{table(measured)}\n")
    return 1 if any(one.failures for one in measured.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/worker-scaling",
        description="Asks one release with one worker and with several, in turns, and prints what each did: requests a "
        "second, processor time a request, connections and processor time of each worker, and memory. The client and "
        "whatever else runs here share the cores with the workers, so a rate that was met says little where cores are "
        "few: beside it stands the one that the processor time allows where each worker has a core.",
        epilog="example: benchmarks/worker-scaling .trackback/store/releases/<digest> --workers 2",
    )
    parser.add_argument("release", type=Path, help="the folder of a release")
    parser.add_argument("--workers", type=int, default=2, help="how many beside one; 2 if not given")
    parser.add_argument("--connections", type=int, default=32, help="kept open, each asks again at once; 32")
    parser.add_argument("--rows", type=int, default=1, help="in a request, at most the golden ones; 1")
    parser.add_argument("--rounds", type=int, default=3, help="of each number of workers; 3")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a round; 3")
    parser.add_argument("--port", type=int, default=18_300, help="the first of two ports; 18300")
    return parser


def _measure(options: argparse.Namespace, folder: Path) -> dict[int, Measured]:
    counts = (1, options.workers)
    with contextlib.ExitStack() as stack:
        served, measured = {}, {}
        for place, count in enumerate(counts):
            copied = _copy(options.release, folder / str(place), count)
            began = time.monotonic()
            served[count] = stack.enter_context(_serving(copied, options.port + place, options.rows))
            measured[count] = Measured(time.monotonic() - began)
        for number, count in itertools.product(range(options.rounds), counts):
            sys.stderr.write(f"round {number + 1} of {options.rounds}: {count} worker{'s' if count > 1 else ''}\n")
            _round(served[count], measured[count], options)
    return measured


def _copy(release: Path, folder: Path, workers: int) -> Path:
    """The same release with another number of workers, which is another release."""
    shutil.copytree(release, folder)
    manifest = Manifest.read(folder / names.MANIFEST_FILE)
    limits = manifest.limits.model_copy(update={"workers": workers})
    manifest.model_copy(update={"limits": limits}).write(folder / names.MANIFEST_FILE)
    return folder


@contextlib.contextmanager
def _serving(release: Path, port: int, rows: int) -> Iterator[Served]:
    manifest, golden = Manifest.read(release / names.MANIFEST_FILE), Golden.read(release / names.GOLDEN_FILE)
    form = manifest.servable.form
    if form is None:
        raise Refused(f"expected a release that answers, found one for batch only: {release}")
    python = python_for(f"prediction-{form.runtime}", release / names.MODEL_FOLDER, ENVIRONMENTS)
    if python is None:
        raise Refused(f"expected the environment prediction-{form.runtime}, found none: scripts/setup makes it")
    command = [str(python), "-m", "services.prediction", str(release), "--digest", digest_directory(release)]
    environment = {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(process, port), f"the release to answer on port {port}", START_SECONDS)
        yield Served(process, port, _request(golden, port, rows))
    finally:
        process.terminate()
        process.wait()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        raise Refused(f"expected the release to answer on port {port}, it ended: choose another --port")
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://{HOST}:{port}/health/ready", trust_env=False).status_code == 200
    return False


def _request(golden: Golden, port: int, rows: int) -> bytes:
    # The first ones are rows at the edge.
    question = {"dataframe_split": {"columns": golden.columns, "data": golden.rows[-rows:]}}
    body = json.dumps(question).encode()
    head = f"POST /invocations HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _round(served: Served, measured: Measured, options: argparse.Namespace) -> None:
    before, answers, began, client = served.cpu(), measured.answers, time.monotonic(), time.process_time()
    asyncio.run(_ask(served, measured, options.connections, options.seconds))
    measured.seconds += time.monotonic() - began
    measured.client += time.process_time() - client
    spent = [after - one for after, one in zip(served.cpu(), before, strict=True)]
    measured.cpu += sum(spent)
    measured.shares = [one / max(sum(spent), 0.01) for one in spent]
    measured.memory = served.memory_mb()
    if measured.answers == answers:
        measured.failures.append("no request was answered in a whole round")


async def _ask(served: Served, measured: Measured, connections: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(served.request, measured), HOST, served.port)
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    measured.connections = served.connections()
    for _, client in made:
        client.stopping = True
    await asyncio.gather(*(client.ended for _, client in made))


def table(measured: dict[int, Measured]) -> str:
    """Markdown; ratios are to the first line."""
    lines = [
        "| workers | CPU µs a request | requests/s with a core a worker | ratio | met here | the client's CPU µs "
        "| connections a worker | CPU a worker | PSS MB: parent + workers | ready in s | failed |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    first = _by_cpu(*next(iter(measured.items())))
    for count, one in measured.items():
        answers = max(1, one.answers)
        cells = [
            f"{count}",
            f"{1e6 * one.cpu / answers:.0f}",
            f"{_by_cpu(count, one):,.0f}",
            f"{_by_cpu(count, one) / first:.2f}",
            f"{one.answers / one.seconds:,.0f}",
            f"{1e6 * one.client / answers:.0f}",
            " ".join(map(str, one.connections)),
            " ".join(f"{share:.0%}" for share in one.shares),
            f"{' + '.join(f'{mb:.0f}' for mb in one.memory)} = {sum(one.memory):.0f}",
            f"{one.ready_seconds:.2f}",
            f"{len(one.failures)}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_cpu(workers: int, measured: Measured) -> float:
    return workers * max(1, measured.answers) / max(measured.cpu, 0.01)


if __name__ == "__main__":
    sys.exit(main())
