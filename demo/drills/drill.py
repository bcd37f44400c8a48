"""The drill of one model: a process plants the candidates, and each goes to the gates as soon as it is logged."""

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import psutil

from demo.drills.catalogue import AGAIN, LIVE, Plant, planted
from demo.drills.declaration import SHIPPED, declare, redeclare
from demo.drills.gates import Gates, Outcome
from demo.drills.planted_run import PlantedRun
from services.contract.checkout import ROOT
from services.contract.environments import python_of
from services.contract.errors import Refused
from services.contract.model_config import load_model_config

AT_ONCE, PAUSE_SECONDS = 2, 0.2
Say = Callable[[str], None]


class Drill:
    """`place` is a folder of its own, `mlflow` the address of a server that takes runs."""

    def __init__(self, place: Path, model: str, mlflow: str, environments: Path, say: Say) -> None:
        self._place, self._model, self._environments = place, model, environments
        self._mlflow, self._say = mlflow, say
        self._gates = Gates(place, model, mlflow, environments)

    def outcomes(self, only: Collection[str] = ()) -> list[Outcome]:
        """In the order of the catalogue. Raises Refused when a candidate cannot be planted, or nothing goes live."""
        plants = planted(self._model, only)
        declare(self._place, self._model)
        if any(plant.redeclared for plant in plants):
            redeclare(self._place, self._model)
        with Workers() as workers:
            self._judge({plant.name: plant for plant in plants}, workers)
            found = {outcome.plant.name: outcome for outcome in workers.results()}
        return [found[plant.name] for plant in plants]

    def _judge(self, plants: Mapping[str, Plant], workers: "Workers") -> None:
        for number, run in enumerate(self._planted(list(plants)), 1):
            judged = workers.start(partial(self._outcome, plants[run.plant], run, number))
            if run.plant == LIVE:
                self._go_live(run, judged.result())
                if AGAIN in plants:
                    workers.start(partial(self._outcome, plants[AGAIN], run, len(plants)))

    def _outcome(self, plant: Plant, run: PlantedRun, number: int) -> Outcome:
        began = time.monotonic()
        outcome = self._gates.outcome(plant, run, number)
        where = f"stopped at {', '.join(outcome.stopped_at)}" if outcome.stops else "passed"
        self._say(f"{self._model}: {plant.name}: {where} ({time.monotonic() - began:.1f} s)")
        return outcome

    def _go_live(self, run: PlantedRun, outcome: Outcome) -> None:
        if outcome.release is None:
            raise Refused(f"expected the live {self._model} to pass every gate, found {outcome.words}")
        self._gates.go_live(run, outcome.release)

    def _planted(self, names: Collection[str]) -> Iterator[PlantedRun]:
        """As they are logged."""
        log = self._place / "planting.log"
        command = [str(self._python()), "-P", "-m", "demo.drills.planting", self._model, str(self._place), *names]
        variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MLFLOW_TRACKING_URI": self._mlflow,
            "TRACKBACK_STATE": str(self._place),
        }
        with (
            log.open("wb") as said,
            subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=said, text=True) as planting,
        ):
            for line in planting.stdout or ():
                yield PlantedRun.from_json(line, "what was planted")
        if planting.returncode != 0:
            last = (log.read_text(errors="replace").splitlines() or ["nothing"])[-1]
            raise Refused(f"expected to plant candidates of {self._model}, found exit {planting.returncode}: {last}")

    def _python(self) -> Path:
        """Of the library's own environment, where it has one."""
        library = load_model_config(SHIPPED, self._model).library
        for name in (library, "training"):
            if python := python_of(name, self._environments):
                return python
        raise Refused(
            f"expected the environment 'training' in {self._environments}, found none: scripts/setup training"
        )


class Workers:
    """Threads that wait for candidates. What goes wrong inside of the block, and Ctrl-C, ends the processes that they
    wait for, and starts no further."""

    def __init__(self) -> None:
        self._pool, self._started = ThreadPoolExecutor(AT_ONCE), list[Future[Outcome]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        while kind and (waiting := [one for one in self._started if not one.done()]):
            for child in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.terminate()
            wait(waiting, PAUSE_SECONDS)

    def start(self, judge: Callable[[], Outcome]) -> "Future[Outcome]":
        self._started.append(self._pool.submit(judge))
        return self._started[-1]

    def results(self) -> list[Outcome]:
        return [one.result() for one in self._started]
