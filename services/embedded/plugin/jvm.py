"""A JVM process that runs the plugin: sends messages to it and receives the answers, in any order."""

import json
import subprocess
import tempfile
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self, cast

from services.embedded.plugin.interface import PluginFailed, PluginInfo

START_SECONDS = 120.0
STOP_SECONDS = 5.0
# A reply that exhausts the memory ends the JVM, which would be unusable; the next call starts a new one.
_JVM_OPTIONS = (
    "-Xmx64m",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+DisplayVMOutputToStderr",
    "-XX:TieredStopAtLevel=1",
)
Message = dict[str, Any]


def words_of(log: Path | None) -> str:
    """Where a person finds what the JVM printed; without a file it went to our own stderr."""
    return f"see {log}" if log else "what it printed is on stderr"


class JvmEnded(Exception):
    """The JVM ended before it answered."""


class Jvm:
    """One JVM process, which is not restarted."""

    plugin: PluginInfo

    def __init__(self, java: Path, jars: tuple[Path, Path], folder: Path, log: Path | None) -> None:
        self._log = log
        # The JVM unpacks libraries there; a JVM that is killed cannot tidy up itself.
        self._folder = tempfile.TemporaryDirectory(prefix="jvm-", dir=folder)
        options = [*_JVM_OPTIONS, f"-Djava.io.tmpdir={self._folder.name}"]
        self.process = _spawn([str(java), *options, "-jar", *map(str, jars)], log)
        self._requests, self._answers = cast(IO[str], self.process.stdin), cast(IO[str], self.process.stdout)
        self._ready: Future[Message] = Future()
        self._lock = threading.Lock()
        self._last_id = 0
        self._waiting: dict[int, Future[Message]] = {}
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="plugin-host", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, java: Path, jars: tuple[Path, Path], folder: Path, log: Path | None) -> Self:
        """Raises PluginFailed when the plugin cannot be loaded."""
        jvm = cls(java, jars, folder, log)
        try:
            jvm.plugin = jvm._loaded()
        except BaseException:
            jvm.stop()
            raise
        return jvm

    def _loaded(self) -> PluginInfo:
        try:
            ready = self._ready.result(START_SECONDS)
        except TimeoutError:
            raise PluginFailed(f"the plugin's JVM was not ready within {START_SECONDS:g} s: {words_of(self._log)}") from None
        except JvmEnded:
            raise PluginFailed(f"the plugin's JVM ended before the plugin was loaded: {words_of(self._log)}") from None
        if not ready["ready"]:
            raise PluginFailed(f"the plugin is invalid: {ready['error']}")
        return PluginInfo.model_validate(ready["plugin"])

    @property
    def alive(self) -> bool:
        return not self._ended and self.process.poll() is None

    def ask(self, name: str, body: str | None, timeout: float) -> Message:
        """Raises TimeoutError, or JvmEnded when the JVM ends before it answers."""
        answer: Future[Message] = Future()
        with self._lock:
            if self._ended:
                raise JvmEnded
            self._last_id += 1
            number = self._last_id
            self._waiting[number] = answer
            self._write({"id": number, "name": name, "body": body})
        try:
            return answer.result(timeout)
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def _write(self, message: Message) -> None:
        with suppress(OSError, ValueError):  # The JVM has ended; the reader tells everyone who waits.
            self._requests.write(json.dumps(message) + "\n")

    def _read(self) -> None:
        try:
            for line in self._answers:
                self._deliver(json.loads(line))
        except json.JSONDecodeError:
            pass  # A JVM that is killed may leave half a line.
        finally:
            self._end()

    def _deliver(self, message: Message) -> None:
        if "ready" in message:
            self._ready.set_result(message)
            return
        with self._lock:
            answer = self._waiting.pop(message["id"], None)
        if answer:
            answer.set_result(message)

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            unanswered = [self._ready, *self._waiting.values()]
        for future in unanswered:
            if not future.done():
                future.set_exception(JvmEnded())

    def stop(self) -> None:
        with suppress(OSError):
            self._requests.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        self._answers.close()
        self._folder.cleanup()


def _spawn(command: list[str], log: Path | None) -> "subprocess.Popen[str]":
    """In a session of its own, so that Ctrl-C does not reach it. It ends when its stdin is closed, so not after us."""
    stderr = log.open("ab") if log else None
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            bufsize=1,
            start_new_session=True,
        )
    finally:
        if stderr:
            stderr.close()
