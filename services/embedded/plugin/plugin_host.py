"""Runs the plugin's jar in a JVM, and starts a new JVM when one has ended."""

import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from services.contract.errors import Refused
from services.embedded.plugin.jvm import Jvm, JvmEnded, Message, words_of
from services.embedded.plugin.interface import PluginFailed, PluginInfo, PluginReply


def find_java(environment: Mapping[str, str]) -> Path:
    """`java` of JAVA_HOME, else of PATH. Raises Refused when there is none."""
    home = environment.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java", path=environment.get("PATH"))
    if not found or not os.access(found, os.X_OK):
        raise Refused(f"expected java of a JDK 17 or newer, found {found or 'none'}: install one or set JAVA_HOME")
    return Path(found)


class PluginHost:
    """The JVM starts at the first call, and again at the next call after it ended."""

    def __init__(self, java: Path, host_jar: Path, plugin_jar: Path, folder: Path, log: Path | None = None) -> None:
        """`folder` is for the JVM alone and is emptied now, because one that was killed could not tidy up. `log` is the
        file for its stderr, None for our stderr. Raises Refused without jars."""
        for jar in (host_jar, plugin_jar):
            if not jar.is_file():
                raise Refused(f"{jar}: expected the built plugin, found none: run 'mvn -B -q package' in plugin/")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._java, self._jars, self._folder, self._log = java, (host_jar, plugin_jar), folder, log
        self._lock = threading.Lock()
        self._jvm: Jvm | None = None
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
            except JvmEnded:
                continue
            except TimeoutError:
                raise PluginFailed(f"the plugin did not answer '{name}' within {timeout:g} s") from None
        raise PluginFailed(f"the plugin's JVM ended twice before it answered '{name}': {words_of(self._log)}")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._jvm:
                self._jvm.stop()
            self._jvm = None

    def _running(self) -> Jvm:
        with self._lock:
            if self._closed:
                raise PluginFailed("the plugin host is closed")
            if self._jvm and not self._jvm.alive:
                self._jvm.stop()
                self._jvm = None
            if not self._jvm:
                self._jvm = Jvm.start(self._java, self._jars, self._folder, self._log)
            return self._jvm


def _reply(message: Message) -> PluginReply:
    if "error" in message:
        raise PluginFailed(message["error"])
    return PluginReply(code=message["code"], body=message.get("body"))
