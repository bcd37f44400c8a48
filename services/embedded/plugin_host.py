"""Keeps a JVM with the GoCD plugin in it, and carries messages to it and answers back."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self, cast

from services.contract.errors import Refused
from services.embedded.plugin import PluginFailed, PluginInfo, PluginReply

START_SECONDS = 20.0
STOP_SECONDS = 5.0
# A reply that exhausts this memory ends the JVM instead of crippling it; the next call starts a new one.
_JVM_OPTIONS = (
    "-Xmx128m",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+DisplayVMOutputToStderr",
    "-XX:TieredStopAtLevel=1",
)
_Message = dict[str, Any]


class _JvmEnded(Exception):
    """The JVM went away before it answered."""


def find_java(environment: Mapping[str, str]) -> Path:
    """`java` of JAVA_HOME, else of PATH. Raises Refused when there is none."""
    home = environment.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java", path=environment.get("PATH"))
    if not found or not os.access(found, os.X_OK):
        raise Refused(f"expected java of a JDK 17 or newer, found {found or 'none'}: install one or set JAVA_HOME")
    return Path(found)


class PluginHost:
    """The real plugin jar in a JVM that starts at the first call, and again at the next call after its end."""

    def __init__(self, java: Path, host_jar: Path, plugin_jar: Path, folder: Path, log: Path | None = None) -> None:
        """`folder` is the JVM's own, emptied now: one that was killed could not tidy up. `log` receives what the JVM
        prints for people; None leaves it on our stderr. Raises Refused without jars."""
        for jar in (host_jar, plugin_jar):
            if not jar.is_file():
                raise Refused(f"{jar}: expected the built plugin, found none: run 'mvn -B -q package' in plugin/")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._java, self._jars, self._folder, self._log = java, (host_jar, plugin_jar), folder, log
        self._lock = threading.Lock()
        self._jvm: _Jvm | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def plugin(self) -> PluginInfo:
        return self._running().plugin

    @property
    def pid(self) -> int:
        """The process id of the JVM."""
        return self._running().process.pid

    def call(self, name: str, body: str | None, timeout: float = 30) -> PluginReply:
        """Sends the message `name`, waits `timeout` seconds at most. Raises PluginFailed with GoCD's words."""
        for _ in range(2):  # The plugin remembers nothing, so a question that a JVM's end left open is asked again.
            try:
                return _reply(self._running().ask(name, body, timeout))
            except _JvmEnded:
                continue
            except TimeoutError:
                raise PluginFailed(f"the plugin did not answer '{name}' within {timeout:g} s") from None
        raise PluginFailed(f"the plugin's JVM ended twice before it answered '{name}': see its log")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._jvm:
                self._jvm.stop()
            self._jvm = None

    def _running(self) -> "_Jvm":
        with self._lock:
            if self._closed:
                raise PluginFailed("the plugin host is closed")
            if self._jvm and not self._jvm.alive:
                self._jvm.stop()
                self._jvm = None
            if not self._jvm:
                self._jvm = _Jvm.start(self._java, self._jars, self._folder, self._log)
            return self._jvm


def _reply(message: _Message) -> PluginReply:
    if "error" in message:
        raise PluginFailed(message["error"])
    return PluginReply(code=message["code"], body=message.get("body"))


class _Jvm:
    """One JVM from its start to its end."""

    plugin: PluginInfo

    def __init__(self, java: Path, jars: tuple[Path, Path], folder: Path, log: Path | None) -> None:
        # The JVM unpacks libraries there; a JVM that is killed cannot tidy up itself.
        self._folder = tempfile.TemporaryDirectory(prefix="jvm-", dir=folder)
        options = [*_JVM_OPTIONS, f"-Djava.io.tmpdir={self._folder.name}"]
        self.process = _spawn([str(java), *options, "-jar", *map(str, jars)], log)
        self._requests, self._answers = cast(IO[str], self.process.stdin), cast(IO[str], self.process.stdout)
        self._ready: Future[_Message] = Future()
        self._lock = threading.Lock()
        self._last_id = 0
        self._waiting: dict[int, Future[_Message]] = {}
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
            raise PluginFailed(f"the plugin's JVM was not ready within {START_SECONDS:g} s: see its log") from None
        except _JvmEnded:
            raise PluginFailed("the plugin's JVM ended before the plugin was loaded: see its log") from None
        if not ready["ready"]:
            raise PluginFailed(f"the plugin is invalid: {ready['error']}")
        return PluginInfo.model_validate(ready["plugin"])

    @property
    def alive(self) -> bool:
        return not self._ended and self.process.poll() is None

    def ask(self, name: str, body: str | None, timeout: float) -> _Message:
        """Raises TimeoutError, or _JvmEnded when the JVM ends before it answers."""
        answer: Future[_Message] = Future()
        with self._lock:
            if self._ended:
                raise _JvmEnded
            self._last_id += 1
            number = self._last_id
            self._waiting[number] = answer
            self._write({"id": number, "name": name, "body": body})
        try:
            return answer.result(timeout)
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def _write(self, message: _Message) -> None:
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

    def _deliver(self, message: _Message) -> None:
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
                future.set_exception(_JvmEnded())

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
    """In a session of its own, so that Ctrl-C spares it; it ends when its stdin closes, at the latest with us."""
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
