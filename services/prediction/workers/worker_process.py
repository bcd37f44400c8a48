"""What a worker does in its own process: it proves itself, then answers and does what its parent tells it."""

import asyncio
import faulthandler
import os
import socket
import time
from collections.abc import Callable, Sequence

import uvloop
from pydantic import ValidationError

from services.contract.control_protocol import Command, Reply, Verb
from services.contract.errors import Refused
from services.contract.record import first_problem
from services.contract.release import Golden
from services.contract.stopwatch import queue_of_this_thread
from services.prediction.observed.settings import ObservedSettings
from services.prediction.predictor import Predictor, replay
from services.prediction.service import Service
from services.prediction.workers.channel import Channel
from services.prediction.workers.place import Place
from services.prediction.workers.pulse import Page, Pulse
from services.prediction.workers.watchdog import BEAT_SECONDS, BYTE_SECONDS

# Without a parent nobody would replace it, so it lets its clients go elsewhere.
ORPHAN_SECONDS = 3.0

Loaded = tuple[Predictor, Golden]


def work(
    load: Callable[[], Loaded],
    hosts: Sequence[str],
    settings: ObservedSettings,
    page: Page,
    place: Place,
    channel: Channel,
) -> int:
    """Returns the exit status. Raises Refused when it cannot prove itself."""
    os.environ.update(place.variables())
    faulthandler.enable()
    predictor, golden = load()
    pulse = page.pulse(place.number)
    pulse.show_row_seconds(prove(predictor, golden))
    pulse.show_body_seconds(BYTE_SECONDS * predictor.manifest.limits.max_bytes)
    predictor.on_rows = pulse.work_on
    service = Service(predictor, hosts, (pulse, page.others(place.number)), settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(service, place, channel, pulse))
    return 0


def prove(predictor: Predictor, golden: Golden) -> float:
    """The seconds that a golden row takes, without those in which others had the processor. Raises Refused."""
    with queue_of_this_thread() as queue:
        began, before = time.perf_counter(), queue() or 0
        replay(predictor, golden)
        taken = time.perf_counter() - began - ((queue() or 0) - before) / 1e9
    return taken / max(1, len(golden.rows))


async def _serve(service: Service, place: Place, channel: Channel, pulse: Pulse) -> None:
    service.stop_on_signals()
    if place.private_socket:
        await service.open_private(place.private_socket)
    tasks = [asyncio.create_task(_beat(pulse)), asyncio.create_task(_obey(service, channel))]
    channel.send(Reply(status=service.status()))
    await service.stopped.wait()
    for task in tasks:
        task.cancel()


async def _beat(pulse: Pulse) -> None:
    while True:
        pulse.beat()
        await asyncio.sleep(BEAT_SECONDS)


async def _obey(service: Service, channel: Channel) -> None:
    while True:
        message, passed = await _received(channel)
        if not message:
            service.stop(ORPHAN_SECONDS)
            return
        channel.send(await _reply(service, message, passed))


async def _received(channel: Channel) -> tuple[bytes, socket.socket | None]:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(channel.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(channel.fileno())
    return channel.receive()


async def _reply(service: Service, message: bytes, passed: socket.socket | None) -> Reply:
    try:
        command = Command.model_validate_json(message)
        match command.verb:
            case Verb.GO if passed:
                await service.go(passed)
            case Verb.DRAIN:
                service.drain()
            case Verb.STOP:
                service.stop(command.grace)
            case Verb.SPLIT:
                service.canary.split(command.split)
        return Reply(status=service.status())
    except ValidationError as error:
        return Reply(error=f"expected a command, found {first_problem(error)}")
    except Refused as error:
        return Reply(error=str(error))
