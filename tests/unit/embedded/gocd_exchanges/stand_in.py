"""The stand-in in the state of the recorded server: users, packages, config repos, and twenty instances of a model."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from services.embedded.polling.config_repo import ConfigRepo, Rule
from services.embedded.records.catalog import Package, Property, Repository
from services.embedded.records.history import COMPLETED, Cause, Instance
from services.embedded.records.modifications import Modification
from tests.support.embedded_ci import CiWithFakePlugin, running
from tests.support.poll import poll_until
from tests.unit.embedded.gocd_exchanges.mlflow import RUN_A, RUN_B, URL, MlflowPlugin
from tests.unit.embedded.gocd_exchanges.recorded import exchanges

# Far more than any of it takes: a busy machine is no failure.
PATIENCE = 300
PASSWORDS = {"admin": "admin-password", "operator": "operator-password"}
BUILD = ["fetch", "validate", "compare", "package"]
AUTHOR = ["-c", "user.name=Recorder", "-c", "user.email=recorder@example.com"]
PACKAGES = {
    "diamond-price": {"EXPERIMENT": "diamond-price", "TAG": "promote"},
    "flight-delay": {"EXPERIMENT": "flight-delay", "TAG": "promote"},
    "gem-price": {"EXPERIMENT": "gem-price", "TAG": "promote"},
    "language-id": {"EXPERIMENT": "language-id", "TAG": "promote"},
    "alias-price": {"REGISTERED_MODEL": "alias-price", "ALIAS": "production"},
    "diamond-preview": {"EXPERIMENT": "diamond-price", "TAG": "preview"},
}
SCRATCH = Path(__file__).parent / "scratch.gocd.yaml"


class Source:
    """A git repository with one file of pipelines."""

    def __init__(self, folder: Path, file: str) -> None:
        self._folder, self._file = folder, file
        folder.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        return self._folder.as_uri()

    def commit(self, text: str, comment: str) -> None:
        file = self._folder / self._file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", comment)

    def remove(self) -> None:
        self._git("rm", "--quiet", self._file)
        self._git("commit", "--quiet", "--message", "no pipelines")

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *AUTHOR, *arguments], cwd=self._folder, capture_output=True, check=True)


class StandIn:
    """The CI server with what the scenario changes in it.

    Jobs of the scratch pipelines wait until the file `hold` is gone; with the file `fail` they fail.
    """

    def __init__(self, ci: CiWithFakePlugin, plugin: MlflowPlugin, folder: Path) -> None:
        self.ci, self.engine, self.plugin = ci, ci.engine, plugin
        self.hold, self.fail = folder / "hold", folder / "fail"
        self.models = Source(folder / "models", "services/gocd/pipelines.gocd.yaml")
        self.scratch = Source(folder / "scratch", "scratch.gocd.yaml")
        self.scratch.commit(self.scratch_pipelines(locked_stages=1), "Throw-away pipelines")

    def scratch_pipelines(self, locked_stages: int) -> str:
        """The recorded file, waiting for a file to go where the recording slept."""
        text = SCRATCH.read_text()
        wait = f"while [ -e {self.hold} ]; do sleep 0.02; done"
        text = text.replace('case "$GO_PACKAGE_MODEL_PROMOTION" in *slow*) sleep 20;; esac', wait)
        shown = f"exec: {{command: sh, arguments: [-c, '{wait}; cat in/one.txt']}}"
        text = text.replace("exec: {command: cat, arguments: [in/one.txt]}", shown)
        asked = "case $NOTE in slow) sleep 20;; fail) exit 3;; esac"
        text = text.replace(asked, f"{wait}; [ ! -e {self.fail} ]")
        content = yaml.safe_load(text)
        locked = content["pipelines"]["scratch-locked"]["stages"]
        content["pipelines"]["scratch-locked"]["stages"] = locked[:locked_stages]
        return yaml.safe_dump(content, sort_keys=False)

    def poll(self, package: str) -> None:
        next(it for it in self.engine.materials.pollers() if it.package.id == package).poll_and_wait()

    def poll_all(self) -> None:
        for poller in self.engine.materials.pollers():
            poller.poll_and_wait()

    def poll_config_repo(self, identity: str) -> None:
        poller = self.engine.config_repos.poller(identity)
        assert poller
        poller.poll_and_wait()

    def promote(self, number: int, value: str, run: str = RUN_A) -> None:
        self.plugin.promote("diamond-price", "scratch", number, run, value)
        self.poll("scratch")

    def result(self, locator: str, wanted: str = "Passed") -> None:
        """Waits until the stage `pipeline/counter/stage/counter` has that result."""
        pipeline, counter, stage, run = locator.split("/")

        def look() -> bool:
            instance = self.engine.history.instance(pipeline, int(counter))
            runs = self.engine.stages.runs(instance, stage) if instance else []
            return any(it.counter == int(run) and it.result == wanted for it in runs)

        poll_until(look, f"{locator} to be {wanted}", PATIENCE, pause=0.01)

    def building(self, locator: str, job: str) -> None:
        pipeline, counter, stage, run = locator.split("/")

        def look() -> bool:
            instance = self.engine.history.instance(pipeline, int(counter))
            runs = self.engine.stages.runs(instance, stage) if instance else []
            jobs = [one for it in runs if it.counter == int(run) for one in self.engine.stages.jobs(it)]
            return any(it.name == job and it.state == "Building" for it in jobs)

        poll_until(look, f"job {job} of {locator} to be built", PATIENCE, pause=0.01)

    def fill(self) -> None:
        """What the recorded server had before the first exchange."""
        engine = self.engine
        values = [("MLFLOW_URL", URL), ("MLFLOW_UI_URL", URL), ("MLFLOW_USERNAME", "reader"), ("MLFLOW_PASSWORD", "x")]
        fields = {field.key: field for field in engine.plugin.repository_fields()}
        configured = tuple(Property(key, value, fields[key].secure, fields[key].identity) for key, value in values)
        repository = Repository("mlflow", "mlflow", "trackback.mlflow", "1", configured)
        engine.catalog.add_repository(repository)
        for name, wanted in PACKAGES.items():
            properties = tuple(Property(key, value, False, True) for key, value in wanted.items())
            engine.catalog.add_package(Package(name, name, repository, True, properties))
        self._promote_models()
        self._run_twenty_times()
        self.models.commit(yaml.safe_dump(models(), sort_keys=False), "alias and preview")
        rule = Rule(True, "pipeline_group", "models")
        file = "services/gocd/pipelines.gocd.yaml"
        engine.config_repos.add(ConfigRepo("trackback", self.models.url, "main", True, file, (rule,)))
        self.poll_config_repo("trackback")
        self.poll_all()

    def _promote_models(self) -> None:
        promote = self.plugin.promote
        promote("diamond-price", "promote", 22, RUN_A, "m 1795753122.7995713: back to what we know")
        promote("diamond-price", "preview", 1, RUN_B, "PR-42")
        promote("alias-price", "production", 3, RUN_A, "")
        comment = f"alias-price: run boosted ({RUN_A[:8]}) is production (version 1 of 2026-11-27T03:00:00.123Z)"
        self.plugin.promoted[("alias-price", "production")]["revisionComment"] = comment

    def _run_twenty_times(self) -> None:
        """The instances of the recorded history, as they were."""
        package = self.engine.catalog.package("diamond-price")
        history = next(it.expected for it in exchanges() if it.name == "history: page_size=100")["pipelines"]
        assert package
        for recorded in reversed(history):
            cause = recorded["build_cause"]["material_revisions"][0]
            for modification in reversed(cause["modifications"]):
                self.engine.modifications.add(package.fingerprint, _modification(modification))
            found = tuple(self.engine.modifications.newest(package.fingerprint, len(cause["modifications"])))
            self._run_as(recorded, Cause("model", package.fingerprint, "Package", package.description, True, found))

    def _run_as(self, recorded: dict[str, Any], cause: Cause) -> None:
        engine, build = self.engine, recorded["build_cause"]
        label, message = filled(recorded["label"]), build["trigger_message"]
        forced = build["trigger_forced"]
        instance = engine.history.add_instance("diamond-price", recorded["counter"], label, message, forced)
        engine.history.add_cause(instance, 0, cause)
        for stage in recorded["stages"]:
            if stage["scheduled"]:
                self._run_stage_as(stage, instance)

    def _run_stage_as(self, stage: dict[str, Any], instance: Instance) -> None:
        stages, jobs = self.engine.stages, [job["name"] for job in stage["jobs"]]
        for _ in range(int(stage["counter"])):
            stages.add_stage(instance, stage["name"], stage["approval_type"], stage["approved_by"], True, jobs)
            run = stages.latest(instance, stage["name"])
            assert run
            for job in stages.jobs(run):
                stages.move_job(job, COMPLETED, stage["result"])
            stages.finish_stage(run, stage["result"])


def _modification(recorded: dict[str, Any]) -> Modification:
    revision, comment = filled(recorded["revision"]), filled(recorded["comment"])
    return Modification(revision, recorded["user_name"], comment, 0, {"PROMOTION": "x"})


def filled(text: str) -> str:
    """With the runs and the MLflow of the stand-in."""
    known = {
        "run-a:8": RUN_A[:8],
        "run-b:8": RUN_B[:8],
        "run-a": RUN_A,
        "run-b": RUN_B,
        "mlflow": URL,
        "hex32": "0c" * 16,
    }
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def models() -> dict[str, Any]:
    """Pipelines by the names of ours, which nothing runs here: their materials say that there is nothing new."""
    job = {"resources": ["python"], "tasks": [{"exec": {"command": "true"}}]}
    build = [{name: {"clean_workspace": True, "jobs": {name: job}}} for name in BUILD]
    pipelines: dict[str, Any] = {}
    for name in ("diamond-price", "language-id", "flight-delay", "alias-price"):
        label = {"label_template": "${COUNT}-${model}", "group": "models"}
        pipelines[name] = {**label, "materials": {"model": {"package": name}}, "stages": build}
        upstream = {"release": {"pipeline": name, "stage": "package"}}
        pipelines[f"{name}-online"] = {
            "group": "models",
            "materials": upstream,
            "stages": [{"deploy": {"jobs": {"deploy": job}}}],
        }
    pipelines["diamond-preview"] = {
        "group": "models",
        "materials": {"model": {"package": "diamond-preview"}},
        "stages": build,
    }
    return {"format_version": 10, "pipelines": pipelines}


@contextmanager
def stand_in(folder: Path) -> Iterator[StandIn]:
    plugin = MlflowPlugin()
    (folder / "state").mkdir()
    with running(folder / "state", None, plugin=plugin, passwords=PASSWORDS) as ci:
        made = StandIn(ci, plugin, folder)
        made.fill()
        try:
            yield made
        finally:
            made.hold.unlink(missing_ok=True)
            plugin.free.set()
