"""Three promotions, told as they happen: two models go live, a bad one is stopped, every answer traces back."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from demo.watch import DELIVERY_SECONDS, Delivery, Watch
from services.contract import names
from services.contract.errors import Refused
from services.contract.verdict import Comparison, Validation, Verdict
from services.gocd.client import Json
from services.platform.settings import Urls


@dataclass(frozen=True)
class Chapter:
    """A variant to train, what it is in words, and why it is promoted."""

    variant: str
    what: str
    reason: str


@dataclass(frozen=True)
class Tale:
    """A model, a question to ask it, and the two variants that go live one after the other."""

    row: dict[str, Any]
    first: Chapter
    better: Chapter


TALES = {
    "diamond-price": Tale(
        # From the hold-out, so no model has seen it; it was sold for 4,357 US dollars.
        row={
            "carat": 1.01, "cut": "Ideal", "color": "H", "clarity": "SI2", "depth": 61.7, "table": 56.0,
            "x": 6.41, "y": 6.46, "z": 3.97,
        },
        first=Chapter("linear", "a plain linear model", "the first model, to have a baseline"),
        better=Chapter("boosted", "boosted trees", "boosted trees err by less than half"),
    ),
    "language-id": Tale(
        row={"text": "Bitte geben Sie eine gültige Adresse ein."},
        first=Chapter("quick", "a small model for a few epochs", "the first model, to have a baseline"),
        better=Chapter("thorough", "a larger one for longer", "it knows languages that the small one mixes up"),
    ),
    "flight-delay": Tale(
        # From the hold-out: a Friday evening in December, in the rain; nobody wrote the pressure down. It was late.
        row={
            "carrier": "EV", "origin": "EWR", "destination": "BNA", "month": 12, "weekday": 4, "hour": 19,
            "distance": 748.0, "temp": 42.8, "humid": 93.24, "wind_speed": 10.35702, "precip": 0.22, "pressure": None,
            "visib": 4.0,
        },
        first=Chapter("logistic", "a logistic regression", "the first model, to have a baseline"),
        better=Chapter("boosted", "boosted trees", "it ranks late flights better"),
    ),
}  # fmt: skip


class Story:
    """Uses the platform as a person would: by the command line, GoCD's API and the model's URL."""

    def __init__(self, urls: Urls, environment: dict[str, str], model: str, say: Callable[[str], None]) -> None:
        if model not in TALES:
            raise Refused(f"expected a model of {', '.join(TALES)}, found '{model}'")
        self._urls, self._environment, self._say = urls, environment, say
        self._model, self._tale = model, TALES[model]
        self._question = {"dataframe_records": [self._tale.row]}
        self._watch = Watch(urls.gocd, say)

    def tell(self) -> None:
        if self._state()["live"]:
            self._go_on()
            return
        first, better = self._tale.first, self._tale.better
        self._deliver(self._train(first.what, "--variant", first.variant), first.reason)
        delivery = self._deliver(self._train(better.what, "--variant", better.variant), better.reason)
        self._show_comparison(delivery)
        self._trace()
        worse = self._train("a bad model on purpose: labels shuffled", "--variant", first.variant, "--shuffle-labels")
        self._refuse(worse, "looks fine to me")
        self._links()

    def _go_on(self) -> None:
        self._chapter("The story was told on this state before (--fresh tells it anew); this is what answers")
        self._ask(None)
        self._trace()
        self._links()

    def _state(self) -> Json:
        return dict(httpx.get(f"{self._urls.rollout}/models/{self._model}").raise_for_status().json())

    def _train(self, what: str, *options: str) -> str:
        self._chapter(f"Train {what}")
        return str(json.loads(self._trackback("train", self._model, *options))["run_id"])

    def _deliver(self, run_id: str, reason: str) -> Delivery:
        self._chapter(f"Promote run {run_id[:8]}: {reason}")
        first_answer = FirstAnswer(self._answering_run, run_id)
        self._trackback("promote", self._model, "--run", run_id, "--reason", reason)
        delivery = self._watch.delivery(self._model, run_id)
        if delivery.stopped_at:
            raise Refused(f"expected the delivery of {run_id[:8]} to pass, found it stopped at {delivery.stopped_at}")
        self._say(self._served(delivery.build))
        self._ask(run_id)
        self._say(f"from promote to the first answer of the new model: {first_answer.seconds():.1f} s")
        return delivery

    def _refuse(self, run_id: str, reason: str) -> None:
        self._chapter(f"Promote run {run_id[:8]}: {reason}")
        self._trackback("promote", self._model, "--run", run_id, "--reason", reason)
        delivery = self._watch.delivery(self._model, run_id)
        if delivery.stopped_at is None:
            raise Refused(f"expected a gate to stop the bad run {run_id[:8]}, found that it went live")
        self._say(f"stopped at the gate '{delivery.stopped_at}':")
        content = self._artifact(delivery.build, "validate", names.VALIDATION_FILE)
        for check in Validation.from_json(content).checks:
            if check.verdict is not Verdict.PASS:
                self._say(f"  {check.name}: expected {check.expected}, found {check.found}")
        self._say("and the live model goes on answering:")
        self._ask(None)

    def _answering_run(self) -> str | None:
        """The start of the id of the run that answers, None when nothing does."""
        try:
            answer = httpx.post(f"{self._state()['url']}/invocations", json=self._question)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return str(answer.headers.get(names.REVISION_HEADER, "")).partition("-")[2]

    def _ask(self, run_id: str | None) -> None:
        """Prints request and answer."""
        url = f"{self._state()['url']}/invocations"
        answer = httpx.post(url, json=self._question).raise_for_status()
        revision = answer.headers[names.REVISION_HEADER]
        if run_id and not revision.endswith(run_id[:8]):
            raise Refused(f"expected an answer of run {run_id[:8]}, found one of revision {revision}")
        self._say(f"POST {url}")
        self._say(json.dumps(self._question, ensure_ascii=False))
        self._say(answer.text)

    def _show_comparison(self, delivery: Delivery) -> None:
        comparison = Comparison.from_json(self._artifact(delivery.build, "compare", names.COMPARISON_FILE))
        self._say(f"the gate 'compare' said: {comparison.summary}")

    def _trace(self) -> None:
        self._chapter("Where did that answer come from?")
        sys.stdout.write(self._trackback("trace", self._model, "--text"))
        sys.stdout.flush()

    def _links(self) -> None:
        self._chapter("Open in a browser")
        self._say(f"pipelines  {self._urls.gocd}")
        self._say(f"MLflow     {self._urls.mlflow}")
        self._say(f"the model  {self._state()['url']}/docs")

    def _served(self, build: Json) -> str:
        """What the console of `package` says of the form that answers: how soon it is ready, and what it needs."""
        console = self._artifact(build, "package", "cruise-output/console.log").decode()
        return next((line[line.index("served by ") :] for line in console.splitlines() if "served by " in line), "")

    def _artifact(self, instance: Json, stage: str, name: str) -> bytes:
        counter = next(one["counter"] for one in instance["stages"] if one["name"] == stage)
        path = f"/files/{instance['name']}/{instance['counter']}/{stage}/{counter}/{stage}/{name}"
        return httpx.get(self._urls.gocd + path).raise_for_status().content

    def _trackback(self, *arguments: str) -> str:
        done = subprocess.run(
            ["trackback", *arguments], env=self._environment, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            raise Refused(f"expected 'trackback {arguments[0]}' to succeed, found exit {done.returncode}")
        return done.stdout

    def _chapter(self, title: str) -> None:
        self._say(f"\n── {title}")


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
