"""The drill of one model: a process plants the candidates, and each goes to the gates as soon as it is logged."""

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil

from demo.drills.catalogue import AGAIN, LIVE, Plant, planted
from demo.drills.declaration import SHIPPED, declare, redeclare
from demo.drills.gates import Gates, Outcome
from demo.drills.planted_run import PlantedRun
from services.contract.checkout import ROOT
from services.contract.environments import python_of
from services.contract.errors import Refused
from services.contract.model_config import load_model_config

AT_ONCE = 2
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
        with ThreadPoolExecutor(AT_ONCE) as pool, ending_children():
            first, *others = self._judged(plants, pool)
            found = {outcome.plant.name: outcome for outcome in (first.result(), *(one.result() for one in others))}
        return [found[plant.name] for plant in plants]

    def _judged(self, plants: Collection[Plant], pool: ThreadPoolExecutor) -> list["Future[Outcome]"]:
        known = {plant.name: plant for plant in plants}
        found: list[Future[Outcome]] = []
        for number, run in enumerate(self._planted(list(known)), 1):
            found.append(pool.submit(self._outcome, known[run.plant], run, number))
            if run.plant == LIVE:
                self._go_live(run, found[0].result())
                if AGAIN in known:
                    found.append(pool.submit(self._outcome, known[AGAIN], run, len(known)))
        return found

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


@contextmanager
def ending_children() -> Iterator[None]:
    """What goes wrong, and Ctrl-C, ends what was started meanwhile and would be waited for."""
    try:
        yield
    except BaseException:
        for child in psutil.Process().children(recursive=True):
            child.terminate()
        raise
