"""`scripts/drill`: plants bad candidates, and shows at which gate each stops."""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.large_mlflow import running
from demo.drills.catalogue import DRILLED_MODEL, IN_PRODUCTION, LIVE, LIVE_BY_CODE, MODELS, PLANTED
from demo.drills.drill import Drill
from demo.drills.gates import Outcome
from demo.drills.planting import ROWS_FILE
from demo.drills.production import TakenBack, bodies_of, drill
from demo.drills.production import table as in_table
from demo.drills.serving import serving
from demo.drills.table import table
from services.contract.errors import Refused
from services.delivery.settings import Settings
from services.platform.supervisor import unwind_on_signals


def main(
    model: Annotated[list[str] | None, typer.Option(help="One of the shipped models; again for another.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this candidate; again for another.")] = None,
    production: Annotated[bool, typer.Option(help="Those that pass every gate, deployed under load instead.")] = False,
) -> None:
    """Plant bad candidates of the shipped models, and show at which gate each stops.

    Exit 1 when one slips through or stops elsewhere, or when a good one stops. It takes minutes.
    Example: scripts/drill --model diamond-price --only shuffled-labels --only leaked-target
    """
    unwind_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="drill-") as place:
            models = chosen(model or MODELS, only or ())
            good = in_production(Path(place)) if production else drilled(Path(place), models)
    except KeyboardInterrupt:
        say("stopped")
        raise typer.Exit(130) from None
    except Refused as refused:
        say(str(refused))
        raise typer.Exit(1) from None
    if not good:
        raise typer.Exit(1)


def chosen(models: Sequence[str], only: Sequence[str]) -> dict[str, list[str]]:
    """Of each model those of `only` that are planted for it. Raises Refused for a name that is planted for none."""
    if unknown := [model for model in models if model not in PLANTED]:
        raise Refused(f"expected one of {', '.join(MODELS)}; found '{unknown[0]}'")
    known = {name for model in models for name in PLANTED[model]}
    if unknown := [name for name in only if name not in known]:
        raise Refused(f"expected of {', '.join(models)} one of {', '.join(sorted(known))}; found '{unknown[0]}'")
    found = {model: [name for name in only if name in PLANTED[model]] for model in models}
    return {model: names for model, names in found.items() if names or not only}


def drilled(place: Path, models: dict[str, list[str]]) -> bool:
    """Whether everything was as expected."""
    good = True
    with running(place) as mlflow:
        for model, only in models.items():
            began, folder = time.monotonic(), place / model
            folder.mkdir()
            outcomes = Drill(folder, model, mlflow.url, Settings().environments, say).outcomes(only)
            sys.stdout.write(f"\n{model}\n\n{table(outcomes)}")
            sys.stdout.flush()
            say(f"{model}: {summary(outcomes)} ({time.monotonic() - began:.0f} s)")
            good = good and all(outcome.as_expected for outcome in outcomes)
    return good


def in_production(place: Path) -> bool:
    """Whether all of diamond-price that are bad only in production passed the gates and were taken back."""
    planted = [plant.name for plant in IN_PRODUCTION]
    with running(place) as mlflow:
        drill = Drill(place, DRILLED_MODEL, mlflow.url, Settings().environments, say)
        outcomes = drill.outcomes([LIVE_BY_CODE.name, *planted])
    if stopped := [outcome for outcome in outcomes if outcome.stops]:
        raise Refused(f"expected candidates that pass every gate, found {summary(stopped)}")
    found = in_service(place, outcomes)
    sys.stdout.write(f"\n{DRILLED_MODEL} in production\n\n{in_table(found)}")
    return all(one.as_expected for one in found)


def in_service(place: Path, outcomes: Sequence[Outcome]) -> list[TakenBack]:
    releases = {
        outcome.plant.name: outcome.release.digest
        for outcome in outcomes
        if outcome.release and outcome.plant.name != LIVE
    }
    found, live = [], releases.pop(LIVE_BY_CODE.name)
    with serving(place, Settings().environments) as service:
        for one in drill(service, live, releases, bodies_of(place / ROWS_FILE)):
            say(f"{one.kind}: taken back in its {one.step}: {one.why}")
            found.append(one)
    return found


def summary(outcomes: Sequence[Outcome]) -> str:
    """Names all that was not as expected."""
    wrong = [outcome for outcome in outcomes if not outcome.as_expected]
    if not wrong:
        return f"all {len(outcomes)} candidates as expected"
    told = (
        f"{one.plant.name} (expected: {one.plant.expected}; found: {', '.join(one.stopped_at) or 'passes'})"
        for one in wrong
    )
    return f"NOT as expected: {', '.join(told)}"


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    typer.run(main)
