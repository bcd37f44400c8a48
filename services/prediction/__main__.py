"""Answers for one release: on a port by hand, under the rollout service's control, or for a file of rows."""

import argparse
import gc
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from services.contract.errors import Refused
from services.contract.http_guard import ANY_NAME, EVERYWHERE, names_of, split_names
from services.contract.open_release import open_release
from services.contract.release import Manifest
from services.contract.signals import exit_on
from services.prediction.ask import answer_file, nothing_printed
from services.prediction.control_server import ControlServer
from services.prediction.listener import BACKLOG
from services.prediction.observed.settings import ObservedSettings
from services.prediction.predictor import load_opened, load_predictor
from services.prediction.service import SIGNAL_GRACE_SECONDS
from services.prediction.without_arrow import leave_arrow_out
from services.prediction.workers.group import Group, stop_on_signals
from services.prediction.workers.loading import can_be_shared, load_each_again, threads_lost, worker_count
from services.prediction.workers.pulse import Page
from services.prediction.workers.worker_process import Loaded, work

HOST = "127.0.0.1"
EXAMPLE = "example: python -m services.prediction store/releases/<digest> --digest <digest> --port 8200"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # One process is one core; libgomp reads this once, when the ML library is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        if options.control and not options.each_loads and not sys.stdin.readline():
            raise Refused("expected a line on stdin before loading, found its end: whoever started this has gone")
        if options.ask:
            with nothing_printed():
                answers = answer_file(load_predictor(options.release, options.digest), options.ask, options.limit_ms)
            sys.stdout.write(answers.to_json())
            return 0
        _serve(options)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.prediction", description="Answers for one release.", epilog=EXAMPLE
    )
    parser.add_argument("release", type=Path, help="the release's folder")
    parser.add_argument("--digest", required=True, help="the SHA-256 that the folder must have")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--port", type=int, help="accept on this port at once")
    way.add_argument(
        "--control",
        type=Path,
        metavar="SOCKET",
        help="wait for a line on stdin, load, answer checks on SOCKET.http and take commands on SOCKET",
    )
    way.add_argument("--ask", type=Path, metavar="FILE", help="answer FILE, a JSON list of rows, on stdout and end")
    parser.add_argument(
        "--limit-ms",
        type=float,
        default=math.inf,
        metavar="MS",
        help="with --ask: time rows again, a few times, until 99 %% of them take no longer",
    )
    parser.add_argument(
        "--host", default=HOST, help=f"the address of --port; {HOST} if not given, 0.0.0.0 in a container only"
    )
    parser.add_argument(
        "--names",
        metavar="NAME,…",
        help="the names under which to answer; those of --host if not given, any for 0.0.0.0",
    )
    parser.add_argument(
        "--each-loads",
        action="store_true",
        help="let each worker load for itself, as a model does whose process cannot be forked; do not wait on stdin",
    )
    return parser


def _serve(options: argparse.Namespace) -> None:
    """Returns when a stop is over. Raises Refused."""
    settings = ObservedSettings.from_variables(os.environ)
    # Before anything is loaded; nobody can connect before it listens.
    with nullcontext() if options.control else _bind(options.host, options.port) as bound:
        _answer(options, settings, bound)


def _answer(options: argparse.Namespace, settings: ObservedSettings, bound: socket.socket | None) -> None:
    manifest, load = _loader(options)
    page = Page(worker_count(manifest.limits))
    control = options.control or settings.control
    group = Group(options.digest, partial(work, load, _names(options), settings, page), page, control)
    group.start()
    stop_on_signals(group, SIGNAL_GRACE_SECONDS)
    if control:
        ControlServer(group).open(control)
    if bound:
        bound.listen(BACKLOG)
        group.go(bound)
        sys.stderr.write(f"{manifest.model} {manifest.revision} answers at http://{options.host}:{options.port}\n")
    group.run()


def _loader(options: argparse.Namespace) -> tuple[Manifest, Callable[[], Loaded]]:
    """How a worker comes by its model: it has it from here already, where a fork of what has loaded answers."""
    release, golden = open_release(options.release, options.digest)
    manifest = release.manifest
    form = manifest.servable.form
    if options.each_loads or (form and not can_be_shared(form.runtime)):
        return manifest, lambda: (load_predictor(options.release, options.digest), golden)
    predictor = load_opened(options.release, release, golden)
    if threads_lost(predictor.form.runtime):
        load_each_again([sys.executable, *sys.orig_argv[1:], "--each-loads"])
    # What is loaded stays: the collector need never look at it again, and so leaves the pages shared that it is in.
    gc.collect()
    gc.freeze()
    return manifest, lambda: (predictor, golden)


def _names(options: argparse.Namespace) -> Sequence[str]:
    """Any in a container: the gateway passes on the name that its clients use."""
    if options.names:
        return list(split_names(options.names))
    return (ANY_NAME,) if options.host in EVERYWHERE else names_of(options.host)


def _bind(host: str, port: int) -> socket.socket:
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        return bound
    except OSError as error:
        bound.close()
        raise Refused(
            f"expected to listen at {host}:{port}: {error.strerror}: choose another --port or --host"
        ) from error


if __name__ == "__main__":
    leave_arrow_out()
    # The first process of a container is not ended by a signal that it does not handle, not even while it loads.
    with exit_on(signal.SIGTERM, status=128 + signal.SIGTERM):
        sys.exit(main())
