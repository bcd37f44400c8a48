"""Serving processes on this machine: with an environment of their own and limits, and found again after a crash."""

import contextlib
import resource
import secrets
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from threading import Lock, Thread

from services.contract import names
from services.contract.checkout import ROOT
from services.contract.engine_images import EngineImage
from services.contract.environments import python_for
from services.contract.errors import Refused
from services.contract.process_identity import identity
from services.contract.serving_settings import FIGURES, FIGURES_ENDING
from services.rollout.checks import confirm
from services.rollout.fail_points import FailPoint, reached
from services.rollout.processes.listeners import Listeners
from services.rollout.processes.serving_process import CLOSE_SECONDS, ProcessRecord, ServingProcess, beside, remove
from services.rollout.processes.shown import Shown
from services.rollout.release_store import StoredRelease
from services.rollout.serving import SCRAPE_SECONDS, Scraped, Serving
from services.rollout.settings import Settings

# Nothing of our own environment reaches a model.
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}


class ProcessBackend:
    """A Backend. `folder` holds the files of every process and nothing else; `shown` is where what they show stands."""

    def __init__(self, settings: Settings, folder: Path, listeners: Listeners, shown: Shown) -> None:
        self._settings = settings
        self._folder = folder
        self._listeners = listeners
        self._shown = shown
        self._lock = Lock()
        self._closed = False
        self._all: list[ServingProcess] = []
        self._on_change: Callable[[], None] | None = None

    def start(self, release: StoredRelease) -> Serving:
        # Before others have to wait: a release's own environment may have to be set up.
        python = self._python(release)
        with self._lock:
            if self._closed:
                raise Refused("the rollout service is stopping: ask again when it is back")
            serving = self._spawn(python, release, self._folder / secrets.token_hex(4))
            self._all = [*(other for other in self._all if other.alive()), serving]
            self._watch_end(serving)
        return serving

    def adopt(self) -> list[Serving]:
        self._folder.mkdir(parents=True, exist_ok=True)
        records = [(path, ProcessRecord.read(path)) for path in self._folder.glob("[!.]*.json")]
        found = [self._serving(record, path.with_suffix("")) for path, record in records]
        self._all = [serving for serving in found if serving.alive()]
        for serving in self._all:
            with contextlib.suppress(Refused):
                serving.give_listener()
        for serving in found:
            if serving not in self._all:
                serving.kill()
        self._remove_leftovers({path.stem for path, _ in records})
        return list(self._all)

    def url(self, model: str) -> str | None:
        return self._listeners.url(model)

    def open_address(self, model: str) -> None:
        self._listeners.listen(model)

    def publish(self, models: Collection[str]) -> None:
        """Nothing to do: there is no gateway, clients reach the socket itself."""

    def watch(self, on_change: Callable[[], None]) -> None:
        with self._lock:
            self._on_change = on_change
            for serving in self._all:
                self._watch_end(serving)

    def close_address(self, model: str) -> None:
        self._listeners.drop(model)

    def confirm(self, model: str, release: str) -> None:
        confirm(self.url(model) or "", release)

    def scraped(self) -> list[Scraped]:
        return [
            Scraped(one.model, one.name, one.release, partial(one.private, SCRAPE_SECONDS))
            for one in self._all
            if one.alive()
        ]

    def logged(self, model: str) -> Iterator[bytes]:
        return self._shown.logged(model)

    def prune_images(self, kept: Collection[str], dry_run: bool) -> list[EngineImage]:  # noqa: ARG002  no images here
        return []

    def close(self) -> None:
        with self._lock:
            self._closed = True
        deadline = time.monotonic() + CLOSE_SECONDS
        for serving in self._all:
            serving.terminate()
        for serving in self._all:
            serving.stop_and_clean_up(deadline - time.monotonic())
        self._listeners.close()

    def _watch_end(self, serving: ServingProcess) -> None:
        if self._on_change:
            Thread(target=self._wait_for_end, args=(serving, self._on_change), daemon=True).start()

    def _wait_for_end(self, serving: ServingProcess, on_change: Callable[[], None]) -> None:
        serving.wait_end()
        on_change()

    def _remove_leftovers(self, recorded: set[str]) -> None:
        """Removes what a crash left of a process without a record, which never loaded."""
        for path in self._folder.iterdir():
            if path.name.partition(".")[0] not in recorded:
                remove(path)

    def _spawn(self, python: Path, release: StoredRelease, control: Path) -> ServingProcess:
        command = [str(python), "-m", "services.prediction", str(release.folder)]
        command += ["--digest", release.digest, "--control", control.name, "--names", ",".join(self._settings.names)]
        environment = {**ENVIRONMENT, **self._shown.variables(release.manifest.model)}
        # Not those of the release before, with which it is compared.
        environment[FIGURES] = str(beside(control, FIGURES_ENDING))
        with beside(control, "log").open("wb") as output:
            child = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output
            )
        reached(FailPoint.PROCESS_STARTED)
        # A child that was not waited for yet has one, even when it has ended.
        started = identity(child.pid) or ""
        record = ProcessRecord(model=release.manifest.model, release=release.digest, pid=child.pid, started=started)
        record.write(beside(control, "json"))
        reached(FailPoint.PROCESS_RECORDED)
        self._allow_loading(child)
        return self._serving(record, control, child)

    def _serving(
        self, record: ProcessRecord, control: Path, child: subprocess.Popen[bytes] | None = None
    ) -> ServingProcess:
        return ServingProcess(record, control, self._listeners, self._settings.load_seconds, child)

    def _python(self, release: StoredRelease) -> Path:
        servable, environments = release.manifest.servable, self._settings.environments
        if servable.form is None:
            raise Refused(f"expected a release that can answer, found one for batch only: {servable.notes[-1]}")
        name = f"prediction-{servable.form.runtime}"
        python = python_for(name, release.folder / names.MODEL_FOLDER, environments)
        if python is None:
            raise Refused(f"expected an environment {name} in {environments}, found none: scripts/setup {name}")
        return python

    def _allow_loading(self, child: subprocess.Popen[bytes]) -> None:
        """The child waits for a line on stdin; when this process ends before, it ends by itself."""
        memory = self._settings.memory_bytes
        # A child that has ended already says why in its log.
        with contextlib.suppress(ProcessLookupError, BrokenPipeError):
            resource.prlimit(child.pid, resource.RLIMIT_AS, (memory, memory))
            resource.prlimit(child.pid, resource.RLIMIT_CORE, (0, 0))
            if child.stdin:
                with child.stdin:
                    child.stdin.write(b"load\n")
