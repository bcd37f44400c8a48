"""Commands to a serving process: a line of JSON each way over its control socket, a socket as a descriptor."""

import socket
from pathlib import Path

from services.contract.control_protocol import Command, Reply, Status
from services.contract.errors import Refused
from services.rollout.processes.unix_socket import short_path

MAX_REPLY_BYTES = 4096
# Whoever does not answer is ended, so a process that waits for a processor must have time.
ANSWER_SECONDS = 30.0


def send_command(
    path: Path, command: Command, sent: socket.socket | None = None
) -> tuple[Status, socket.socket | None]:
    """Returns the status of the process and the socket that it sends back, if any. Raises Refused for none."""
    try:
        with short_path(path) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(short)
            message = command.model_dump_json().encode()
            socket.send_fds(connection, [message], [sent.fileno()] if sent else [])
            answer, descriptors, _, _ = socket.recv_fds(connection, MAX_REPLY_BYTES, 1)
        received = socket.socket(fileno=descriptors[0]) if descriptors else None
        reply = Reply.model_validate_json(answer)
    except (OSError, ValueError) as error:
        raise Refused(
            f"expected an answer to '{command.verb}' from the serving process, found none: {error}"
        ) from error
    if reply.status is None:
        raise Refused(f"the serving process refused '{command.verb}': {reply.error}")
    return reply.status, received
