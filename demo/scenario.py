"""The demo scenario: two variants go live, a bad one is stopped by a gate, and an answer is traced to its run."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from demo.batch import refuse_without_tools, score_by_spark, summary
from demo.delivery import DELIVERY_SECONDS, Delivery, DeliveryFollower
from demo.steps import load_steps
from services.contract import names
from services.contract.comparison import Comparison
from services.contract.errors import Refused
from services.contract.receipt import Receipt
from services.contract.validation import Validation
from services.contract.watched import Watched
from services.gocd.client import Json
from services.gocd.instances import has_passed, results
from services.platform.settings import Urls


class DemoScenario:
    """Uses a running platform as a person would: by the command line, GoCD's API and the model's URL."""

    def __init__(
        self,
        urls: Urls,
        environment: dict[str, str],
        models: Path,
        model: str,
        say: Callable[[str], None],
        batch: bool = False,
    ) -> None:
        """`models` is the folder of all models; with `batch` the demo waits for a machine image and for Spark.

        Raises Refused for a model without a demo, and where the tools of machine images are missing.
        """
        if batch:
            refuse_without_tools(environment["PATH"])
        self._batch = batch
        self._urls, self._environment, self._say = urls, environment, say
        self._model = model
        self._steps, example = load_steps(models, model)
        self._request = {"dataframe_records": [example]}
        self._follower = DeliveryFollower(urls.gocd, say)

    def run(self) -> None:
        """All steps; on a state on which the model is live already only what answers, and its trace."""
        if self._state()["live"]:
            self._show_what_is_live()
            return
        baseline, better = self._steps.baseline, self._steps.better
        self._deliver(self._train(baseline.description, "--variant", baseline.variant), baseline.reason)
        delivery = self._deliver(self._train(better.description, "--variant", better.variant), better.reason)
        self._show_comparison(delivery)
        self._trace()
        self._show_watch(delivery.build)
        if self._batch:
            self._show_batch(delivery.build)
        bad = self._train("a bad model on purpose: labels shuffled", "--variant", baseline.variant, "--shuffle-labels")
        self._expect_a_gate_to_stop(bad, "looks fine to me")
        self._links()

    def _show_watch(self, build: Json) -> None:
        """Only now, since nothing that is shown before waits for it. The first model had nothing to go back to."""
        self._heading("Is it as good in production? The stage that watches what went live")
        online = self._follower.follow_watch(self._model, build)
        watched = Watched.from_json(self._artifact(online, names.WATCH_STAGE, names.WATCH_FILE))
        if not watched.released:
            raise Refused(f"expected {watched.revision} to be released, found: {watched.words}")
        self._say(watched.words)

    def _show_batch(self, build: Json) -> None:
        """The newest image is the one that counts: those of promotions before it may never have been built."""
        self._heading("The same release offline: a machine image that boots, verifies and scores by itself")
        batch = self._follower.follow_batch(self._model, build)
        if not has_passed(batch):
            raise Refused(f"expected {batch['name']} {batch['counter']} to pass, found {results(batch)}: see its page")
        self._say(summary(Receipt.from_json(self._artifact(batch, "score", names.RECEIPT_FILE))))
        self._heading("The same release on Spark, over its whole hold-out")
        store = Path(self._environment["TRACKBACK_STORE"])
        receipt, seconds = score_by_spark(self._trackback, store, self._model, store.parent / "scored")
        self._say(f"{summary(receipt)}, after {seconds:.1f} s")

    def _show_what_is_live(self) -> None:
        self._heading("The demo has run on this state before (--fresh runs it anew); this is what answers")
        self._ask(None)
        self._trace()
        self._links()

    def _state(self) -> Json:
        return dict(httpx.get(f"{self._urls.rollout}/models/{self._model}").raise_for_status().json())

    def _train(self, what: str, *options: str) -> str:
        self._heading(f"Train {what}")
        return str(json.loads(self._trackback("train", self._model, *options))["run_id"])

    def _deliver(self, run_id: str, reason: str) -> Delivery:
        self._heading(f"Promote run {run_id[:8]}: {reason}")
        first_answer = FirstAnswer(self._answering_run, run_id)
        self._trackback("promote", self._model, "--run", run_id, "--reason", reason)
        delivery = self._follower.follow(self._model, run_id)
        if delivery.stopped_at:
            raise Refused(f"expected the delivery of {run_id[:8]} to pass, found it stopped at {delivery.stopped_at}")
        self._say(self._served(delivery.build))
        self._ask(run_id)
        self._say(f"from promote to the first answer of the new model: {first_answer.seconds():.1f} s")
        return delivery

    def _expect_a_gate_to_stop(self, run_id: str, reason: str) -> None:
        self._heading(f"Promote run {run_id[:8]}: {reason}")
        self._trackback("promote", self._model, "--run", run_id, "--reason", reason)
        delivery = self._follower.follow(self._model, run_id)
        if delivery.stopped_at is None:
            raise Refused(f"expected a gate to stop the bad run {run_id[:8]}, found that it went live")
        self._say(f"stopped at the gate '{delivery.stopped_at}':")
        content = self._artifact(delivery.build, "validate", names.VALIDATION_FILE)
        for check in Validation.from_json(content).checks:
            if check.stops:
                self._say(f"  {check.name}: expected {check.expected}, found {check.found}")
        self._say("and the live model goes on answering:")
        self._ask(None)

    def _answering_run(self) -> str | None:
        """The first 8 digits of the id of the run that answers, None when nothing does."""
        try:
            answer = httpx.post(f"{self._state()['url']}/invocations", json=self._request)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return str(answer.headers.get(names.REVISION_HEADER, "")).partition("-")[2]

    def _ask(self, run_id: str | None) -> None:
        """Prints request and answer."""
        url = f"{self._state()['url']}/invocations"
        answer = httpx.post(url, json=self._request).raise_for_status()
        revision = answer.headers[names.REVISION_HEADER]
        if run_id and not revision.endswith(run_id[:8]):
            raise Refused(f"expected an answer of run {run_id[:8]}, found one of revision {revision}")
        self._say(f"POST {url}")
        self._say(json.dumps(self._request, ensure_ascii=False))
        self._say(answer.text)

    def _show_comparison(self, delivery: Delivery) -> None:
        comparison = Comparison.from_json(self._artifact(delivery.build, "compare", names.COMPARISON_FILE))
        self._say(f"the gate 'compare' said: {comparison.summary}")

    def _trace(self) -> None:
        self._heading("Where did that answer come from?")
        sys.stdout.write(self._trackback("trace", self._model, "--text"))
        sys.stdout.flush()

    def _links(self) -> None:
        self._heading("Open in a browser")
        self._say(f"pipelines  {self._urls.gocd}")
        self._say(f"MLflow     {self._urls.mlflow}")
        self._say(f"the model  {self._state()['url']}/docs")

    def _served(self, build: Json) -> str:
        """The line of the console of `validate` that says how the model is served; empty when there is none."""
        console = self._artifact(build, "validate", "cruise-output/console.log").decode()
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

    def _heading(self, title: str) -> None:
        self._say(f"\n── {title}")


class FirstAnswer:
    """Asks from its creation on until a run answers, and takes the time."""

    def __init__(self, answering_run: Callable[[], str | None], run_id: str) -> None:
        self._started = self._answered = time.monotonic()
        self._thread = threading.Thread(target=self._keep_asking, args=(answering_run, run_id[:8]), daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        """Waits for the answer. Returns the seconds from the creation of this object to it."""
        self._thread.join(DELIVERY_SECONDS)
        return self._answered - self._started

    def _keep_asking(self, answering_run: Callable[[], str | None], wanted: str) -> None:
        while answering_run() != wanted:
            time.sleep(0.1)
        self._answered = time.monotonic()
