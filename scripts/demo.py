"""The story that `scripts/demo` tells: three promotions, two go live, one is stopped, every answer traces back."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import typer

from services.contract import names
from services.contract.errors import Refused
from services.contract.verdict import Comparison, Validation, Verdict
from services.embedded.platform import Platform, unwind_on_signals
from services.embedded.platform_settings import PlatformSettings
from services.gocd.client import GoCD, Json

MODEL = "diamond-price"
DELIVERY_SECONDS = 180
# From the hold-out, so no model has seen it; it was sold for 4,357 US dollars.
DIAMOND = {
    "carat": 1.01, "cut": "Ideal", "color": "H", "clarity": "SI2", "depth": 61.7, "table": 56.0,
    "x": 6.41, "y": 6.46, "z": 3.97,
}  # fmt: skip


@dataclass(frozen=True)
class Delivery:
    """The pipeline instances that one promotion caused; `online` is None when a gate stopped it."""

    build: Json
    online: Json | None

    @property
    def stopped_at(self) -> str | None:
        return next((stage["name"] for stage in self.build["stages"] if stage.get("result") == "Failed"), None)


class Story:
    """Uses the platform as a person would: by the command line, GoCD's API and the model's URL."""

    def __init__(self, settings: PlatformSettings, platform: Platform) -> None:
        self._urls, self._platform = settings.urls, platform

    def tell(self) -> None:
        if self._state()["live"]:
            self._go_on()
            return
        first = self._train("a plain linear model", "--variant", "linear")
        self._deliver(first, "the first model, to have a baseline")
        better = self._train("boosted trees", "--variant", "boosted")
        delivery = self._deliver(better, "boosted trees halve the error")
        self._show_comparison(delivery)
        self._trace()
        worse = self._train("a bad model on purpose: labels shuffled", "--variant", "boosted", "--shuffle-labels")
        self._refuse(worse, "looks fine to me")
        self._links()

    def _go_on(self) -> None:
        _chapter("The story was told on this state before (--fresh tells it anew); this is what answers")
        self._ask(None)
        self._trace()
        self._links()

    def _state(self) -> Json:
        return dict(httpx.get(f"{self._urls.rollout}/models/{MODEL}").raise_for_status().json())

    def _train(self, what: str, *options: str) -> str:
        _chapter(f"Train {what}")
        return str(json.loads(self._trackback("train", MODEL, *options))["run_id"])

    def _deliver(self, run_id: str, reason: str) -> Delivery:
        _chapter(f"Promote run {run_id[:8]}: {reason}")
        first_answer = FirstAnswer(self._answering_run, run_id)
        self._trackback("promote", MODEL, "--run", run_id, "--reason", reason)
        delivery = self._watch(run_id)
        if delivery.stopped_at:
            raise Refused(f"expected the delivery of {run_id[:8]} to pass, found it stopped at {delivery.stopped_at}")
        self._ask(run_id)
        _say(f"from promote to the first answer of the new model: {first_answer.seconds():.1f} s")
        return delivery

    def _refuse(self, run_id: str, reason: str) -> None:
        _chapter(f"Promote run {run_id[:8]}: {reason}")
        self._trackback("promote", MODEL, "--run", run_id, "--reason", reason)
        delivery = self._watch(run_id)
        if delivery.stopped_at is None:
            raise Refused(f"expected a gate to stop the bad run {run_id[:8]}, found that it went live")
        _say(f"stopped at the gate '{delivery.stopped_at}':")
        content = self._artifact(delivery.build, "validate", names.VALIDATION_FILE)
        for check in Validation.from_json(content).checks:
            if check.verdict is not Verdict.PASS:
                _say(f"  {check.name}: expected {check.expected}, found {check.found}")
        _say("and the live model goes on answering:")
        self._ask(None)

    def _watch(self, run_id: str) -> Delivery:
        """Prints each stage as it ends, until the model is live or a gate said no."""
        build = self._follow(MODEL, _promotes(run_id))
        if any(stage.get("result") != "Passed" for stage in build["stages"]):
            return Delivery(build, None)
        return Delivery(build, self._follow(f"{MODEL}-online", _caused_by(build)))

    def _follow(self, pipeline: str, is_ours: Callable[[Json], bool]) -> Json:
        shown: set[str] = set()
        for instance in self._instances(pipeline, is_ours):
            for stage in instance["stages"]:
                result = stage.get("result", "Unknown")
                if stage["name"] not in shown and result in ("Passed", "Failed", "Cancelled"):
                    shown.add(stage["name"])
                    _say(f"  {pipeline} {instance['counter']}  {stage['name']:9} {result}")
            results = [stage.get("result", "Unknown") for stage in instance["stages"]]
            if "Failed" in results or "Cancelled" in results or set(results) == {"Passed"}:
                return instance
        raise Refused(f"expected pipeline {pipeline} to end within {DELIVERY_SECONDS} s: see {self._urls.gocd}")

    def _instances(self, pipeline: str, is_ours: Callable[[Json], bool]) -> Iterator[Json]:
        deadline = time.monotonic() + DELIVERY_SECONDS
        with GoCD(self._urls.gocd) as gocd:
            while time.monotonic() < deadline:
                yield from (instance for instance in gocd.history(pipeline)[:1] if is_ours(instance))
                time.sleep(0.1)

    def _answering_run(self) -> str | None:
        """The start of the id of the run that answers, None when nothing does."""
        try:
            answer = httpx.post(f"{self._state()['url']}/invocations", json={"dataframe_records": [DIAMOND]})
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return str(answer.headers.get(names.REVISION_HEADER, "")).partition("-")[2]

    def _ask(self, run_id: str | None) -> None:
        """Prints request and answer."""
        url = f"{self._state()['url']}/invocations"
        answer = httpx.post(url, json={"dataframe_records": [DIAMOND]}).raise_for_status()
        revision = answer.headers[names.REVISION_HEADER]
        if run_id and not revision.endswith(run_id[:8]):
            raise Refused(f"expected an answer of run {run_id[:8]}, found one of revision {revision}")
        _say(f"POST {url}")
        _say(json.dumps({"dataframe_records": [DIAMOND]}))
        _say(answer.text)

    def _show_comparison(self, delivery: Delivery) -> None:
        comparison = Comparison.from_json(self._artifact(delivery.build, "compare", names.COMPARISON_FILE))
        _say(f"the gate 'compare' said: {comparison.summary}")

    def _trace(self) -> None:
        _chapter("Where did that answer come from?")
        sys.stdout.write(self._trackback("trace", MODEL, "--text"))
        sys.stdout.flush()

    def _links(self) -> None:
        _chapter("Open in a browser")
        _say(f"pipelines  {self._urls.gocd}")
        _say(f"MLflow     {self._urls.mlflow}")
        _say(f"the model  {self._state()['url']}/docs")

    def _artifact(self, instance: Json, stage: str, name: str) -> bytes:
        counter = next(one["counter"] for one in instance["stages"] if one["name"] == stage)
        path = f"/files/{instance['name']}/{instance['counter']}/{stage}/{counter}/{stage}/{name}"
        return httpx.get(self._urls.gocd + path).raise_for_status().content

    def _trackback(self, *arguments: str) -> str:
        done = subprocess.run(
            ["trackback", *arguments], env=self._platform.environment, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            raise Refused(f"expected 'trackback {arguments[0]}' to succeed, found exit {done.returncode}")
        return done.stdout


class FirstAnswer:
    """Keeps asking from now on, until a run answers."""

    def __init__(self, answering_run: Callable[[], str | None], run_id: str) -> None:
        self._started = self._answered = time.monotonic()
        self._thread = threading.Thread(target=self._keep_asking, args=(answering_run, run_id[:8]), daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        self._thread.join(DELIVERY_SECONDS)
        return self._answered - self._started

    def _keep_asking(self, answering_run: Callable[[], str | None], wanted: str) -> None:
        while answering_run() != wanted:
            time.sleep(0.1)
        self._answered = time.monotonic()


def _promotes(run_id: str) -> Callable[[Json], bool]:
    def is_ours(instance: Json) -> bool:
        return bool(_revision(instance).endswith(f"-{run_id[:8]}"))

    return is_ours


def _caused_by(build: Json) -> Callable[[Json], bool]:
    def is_ours(instance: Json) -> bool:
        return _revision(instance).startswith(f"{build['name']}/{build['counter']}/")

    return is_ours


def _revision(instance: Json) -> str:
    revisions: list[Any] = instance["build_cause"]["material_revisions"]
    return str(revisions[0]["modifications"][0]["revision"]) if revisions else ""


def _chapter(title: str) -> None:
    _say(f"\n── {title}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(
    once: Annotated[bool, typer.Option("--once", help="Stop everything at the end of the story.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the state of earlier starts first.")] = False,
) -> None:
    """Start the platform on 127.0.0.1 and take three models through it; stays up until Ctrl-C.

    Ports: TRACKBACK_MLFLOW_PORT (5000), TRACKBACK_GOCD_PORT (8153), TRACKBACK_ROLLOUT_PORT (8154),
    TRACKBACK_SERVING_PORT (8200). State: TRACKBACK_STATE (.trackback). Example: scripts/demo --once
    """
    unwind_on_signals()
    settings = PlatformSettings()
    platform = Platform(settings, _say)
    began = time.monotonic()
    try:
        platform.start(fresh)
        _say(f"the platform is up after {time.monotonic() - began:.1f} s")
        Story(settings, platform).tell()
        if not once:
            _say("\nThe platform stays up; Ctrl-C stops it.")
            signal.pause()
    except KeyboardInterrupt:
        _say("\nstopping")
        raise typer.Exit(130) from None
    except (Refused, httpx.HTTPError) as problem:
        sys.stderr.write(f"{problem}\n")
        raise typer.Exit(1) from None
    finally:
        platform.stop()


if __name__ == "__main__":
    typer.run(main)
