"""The limit of a service in Python: uvicorn with httptools and uvloop, which answers bytes that it was given."""

import argparse
import gc
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


def echo(body: bytes) -> ASGIApp:
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  an ASGI application
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return answer


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_echo", description=__doc__)
    parser.add_argument("--descriptor", type=int, required=True, help="of a socket that listens")
    parser.add_argument("--answer", type=Path, required=True, help="a file with the body of every answer")
    options = parser.parse_args(arguments)
    config = uvicorn.Config(
        echo(options.answer.read_bytes()),
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=options.descriptor)])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
