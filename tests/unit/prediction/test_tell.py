"""A command is handed to the service beside it and its reply printed, or nobody is there and it says so."""

import ast
import socket
import sys
from pathlib import Path
from threading import Thread

import pytest

from services.prediction import tell


def test_a_command_is_handed_over_and_the_reply_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "control"))
        listening.listen()

        def reply() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(100))
                connection.sendall(b'{"error":"not now"}')

        thread = Thread(target=reply)
        thread.start()
        assert tell.main([str(tmp_path / "control"), '{"verb":"split"}']) == 0
        thread.join()
    assert (heard, capsys.readouterr().out) == ([b'{"verb":"split"}'], '{"error":"not now"}')


def test_where_nobody_takes_commands_it_says_so_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tell.main([str(tmp_path / "control"), "{}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"expected a service that takes commands at {tmp_path}/control, found none: ")


def test_it_needs_no_library() -> None:
    """It is started beside requests that are answered, without what is installed."""
    imported = [node for node in ast.walk(ast.parse(Path(tell.__file__).read_text())) if isinstance(node, ast.Import)]
    assert {name.name for node in imported for name in node.names} <= sys.stdlib_module_names
