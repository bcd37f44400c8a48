"""Takes commands on the control socket: one a connection, a line of JSON each way, with a socket as a descriptor."""

import asyncio
import socket
from pathlib import Path

from pydantic import ValidationError

from services.contract.control_protocol import Command, Reply, Verb
from services.contract.errors import Refused
from services.contract.record import first_problem
from services.prediction.service import Service

MAX_COMMAND_BYTES = 1024
# Less than the rollout service waits for the answer.
COMMAND_SECONDS = 20.0


class ControlServer:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def serve(self, path: Path) -> None:
        """Takes commands until it is cancelled. The socket appears only after the release was loaded and tested."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(path))
            listening.listen()
            listening.setblocking(False)
            while True:
                connection, _ = await asyncio.get_running_loop().sock_accept(listening)
                with connection:
                    await self._answer(connection)

    async def _answer(self, connection: socket.socket) -> None:
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                await _readable(connection)
                message, descriptors, _, _ = socket.recv_fds(connection, MAX_COMMAND_BYTES, 1)
                reply, lent = await self._reply(message, [socket.socket(fileno=number) for number in descriptors])
            socket.send_fds(connection, [reply.model_dump_json().encode()], [lent.fileno()] if lent else [])
        # Whoever asked has gone, or never spoke: the next one is waiting.
        except (OSError, TimeoutError):
            return

    async def _reply(self, message: bytes, passed: list[socket.socket]) -> tuple[Reply, socket.socket | None]:
        try:
            command = Command.model_validate_json(message)
            lent = await self._run(command, passed)
            return Reply(status=self._service.status()), lent
        except ValidationError as error:
            return Reply(error=f"expected a command, found {first_problem(error)}"), None
        except Refused as error:
            return Reply(error=str(error)), None

    async def _run(self, command: Command, passed: list[socket.socket]) -> socket.socket | None:
        match command.verb:
            case Verb.GO:
                if not passed:
                    raise Refused("expected a listening socket beside 'go', found none")
                await self._service.go(passed[0])
            case Verb.DRAIN:
                self._service.drain()
            case Verb.STOP:
                self._service.stop(command.grace)
            case Verb.LISTENER:
                return self._service.public_socket
        return None


async def _readable(connection: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
