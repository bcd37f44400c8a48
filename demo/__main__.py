"""`scripts/demo`: starts the platform and runs the demo scenario on it."""

import signal
import sys
import time
from typing import Annotated

import httpx
import typer

from demo.scenario import DemoScenario
from services.contract.checkout import ROOT
from services.contract.errors import Refused
from services.platform.supervisor import Platform, settings_or_exit, unwind_on_signals


def main(
    once: Annotated[bool, typer.Option("--once", help="Stop everything at the end.")] = False,
    model: Annotated[str, typer.Option(help="A folder of training/models with a demo.yaml.")] = "diamond-price",
    batch: Annotated[
        bool, typer.Option("--batch", help="Wait for the machine image of what answers, and score on Spark, too.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the state of earlier starts first.")] = False,
) -> None:
    """Start the platform on 127.0.0.1 and take three runs of a model through it; stays up until Ctrl-C.

    Ports: TRACKBACK_MLFLOW_PORT (5000), TRACKBACK_GOCD_PORT (8153), TRACKBACK_ROLLOUT_PORT (8154),
    TRACKBACK_SERVING_PORT (8200). State: TRACKBACK_STATE (.trackback). --batch takes two to four minutes longer.
    Example: scripts/demo --once
    """
    unwind_on_signals()
    settings = settings_or_exit()
    if batch:
        # Somebody waits for them now.
        settings = settings.model_copy(update={"images": True, "image_niceness": 0})
    platform = Platform(settings, _say)
    began = time.monotonic()
    try:
        scenario = DemoScenario(settings.urls, platform.environment, ROOT / "training" / "models", model, _say, batch)
        platform.start(fresh)
        _say(f"the platform is up after {time.monotonic() - began:.1f} s")
        scenario.run()
        if not once:
            _say("\nThe platform stays up; Ctrl-C stops it.")
            signal.pause()
    except KeyboardInterrupt:
        _say("\nstopping")
        raise typer.Exit(130) from None
    except (Refused, OSError, httpx.HTTPError) as problem:
        sys.stderr.write(f"{problem}\n")
        raise typer.Exit(1) from None
    finally:
        platform.stop()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
