"""Hands a command to the service beside it: `python -m services.prediction.tell SOCKET JSON`, the reply on stdout.

For the rollout service, which starts it in the container of a release: what it passes on and prints is that of
services/contract/control_protocol.py. It imports little, because it costs the live release's processor.
"""

import socket
import sys
from collections.abc import Sequence

SECONDS = 30.0
_REPLY_BYTES = 4096


def main(arguments: Sequence[str]) -> int:
    path, command = arguments
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            connection.connect(path)
            connection.sendall(command.encode())
            reply = connection.recv(_REPLY_BYTES)
    except OSError as error:
        sys.stderr.write(f"expected a service that takes commands at {path}, found none: {error}\n")
        return 1
    sys.stdout.write(reply.decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
