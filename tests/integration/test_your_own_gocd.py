"""The page about your own GoCD, command by command: a platform without a CI server, and a server with users."""

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from scripts.environments import JARS, ROOT
from services.contract.model_config import list_models
from services.gocd.client import GoCD, Login
from services.gocd.definitions import PIPELINES
from tests.integration.test_follow import process
from tests.support.platform_process import RunningPlatform, platform_variables, running_platform
from tests.support.poll import PATIENCE, poll_until
from tests.support.ports import free_port

PAGE = (ROOT / "docs" / "your-own-gocd.md").read_text()
PASSWORDS = {"admin": "of the admin", "operator": "of the operator"}


def command(word: str) -> str:
    """The block of the page in which it is."""
    (block,) = [block for block in PAGE.split("```")[1::2] if word in block]
    return block


@dataclass(frozen=True)
class Site:
    """Where the administrator sits: a folder with the passwords, and variables that lead to both servers."""

    folder: Path
    platform: RunningPlatform
    gocd: str
    variables: Mapping[str, str]

    def script(self, block: str) -> str:
        """With the addresses that are only examples replaced."""
        ours = {
            "https://git.example/models.git": f"file://{self.folder}/models",
            "http://127.0.0.1:5000": self.platform.urls.mlflow,
        }
        for example, own in ours.items():
            block = block.replace(example, own)
        return block

    def run(self, block: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-euc", self.script(block)],
            cwd=self.folder,
            env=dict(self.variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if missing := [jar for jar in JARS if not (ROOT / jar).is_file()]:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"not built: {missing}: run 'mvn -B package' in plugin/")
    folder, port = tmp_path_factory.mktemp("own"), free_port()
    prepare(folder)
    gocd = f"http://127.0.0.1:{port}/go"
    variables = {**platform_variables(folder / "state"), "TRACKBACK_GOCD_URL": gocd}
    with (
        process(["services.embedded.server"], folder / "gocd.log", **server_settings(folder, port)),
        running_platform(folder / "state", variables, options=["--no-ci"]) as platform,
    ):
        yield Site(folder, platform, gocd, platform.environment)


def prepare(folder: Path) -> None:
    """A git repository with the pipelines, the files of the passwords, and the checkout's scripts."""
    pipelines = folder / "models" / PIPELINES
    pipelines.parent.mkdir(parents=True)
    pipelines.write_bytes((ROOT / PIPELINES).read_bytes())
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    for arguments in (["init", "--quiet", "--initial-branch=main"], ["add", "."], ["commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", *author, *arguments], cwd=folder / "models", check=True, capture_output=True)
    for name, password in PASSWORDS.items():
        (folder / f"{name}-password").write_text(password + "\n")
    (folder / "scripts").symlink_to(ROOT / "scripts")
    (folder / "gocd").mkdir()


def server_settings(folder: Path, port: int) -> dict[str, str]:
    plugin_jar, host_jar = (str(ROOT / jar) for jar in JARS)
    settings = {"PORT": str(port), "STATE": str(folder / "gocd"), "PLUGIN_JAR": plugin_jar, "HOST_JAR": host_jar}
    settings |= {"PASSWORD_FILE": str(folder / "admin-password")}
    settings |= {"OPERATOR_PASSWORD_FILE": str(folder / "operator-password"), "NAME": "127.0.0.1"}
    settings |= {"POLL_SECONDS": "36000", "BACKOFF_SECONDS": "36000", "BACKOFF_MAX_SECONDS": "36000"}
    return {f"TRACKBACK_CI_{name}": value for name, value in settings.items()}


def test_the_platform_runs_without_a_ci_server_and_names_yours(site: Site) -> None:
    assert "scripts/platform --no-ci" in command("--no-ci")
    assert site.platform.urls.gocd == site.gocd
    assert not (site.platform.state / "ci" / "history.db").exists()
    assert f"TRACKBACK_GOCD_URL={site.gocd}\n" in (site.platform.state / "platform.env").read_text()


def test_the_set_up_first_tells_and_then_defines_everything_and_makes_the_operators_token(site: Site) -> None:
    done = site.run(command("--dry-run"))
    assert done.returncode == 0, done.stderr
    told, made = (json.loads(part) for part in re.split(r"(?<=\n})\n(?={)", done.stdout))
    models = list_models(ROOT / "training" / "models")
    expected = {*(("experiment", name) for name in models), *(("package", name) for name in models)}
    expected |= {("package", f"{name}-preview") for name in models}
    expected |= {("package repository", "mlflow"), ("config repo", "trackback")}
    assert {(step["kind"], step["id"]) for step in told["steps"]} == expected
    assert {step["outcome"] for step in told["steps"]} == {"would create"}
    assert {(it["kind"], it["id"]) for it in made["steps"]} == expected | {("access token", "operator")}
    assert {step["outcome"] for step in made["steps"]} == {"created"}
    assert stat.S_IMODE((site.folder / "operator-token").stat().st_mode) == 0o600


def test_the_operators_token_shows_the_models_as_soon_as_the_config_repo_was_read(site: Site) -> None:
    def shown() -> str | None:
        done = site.run(command("status --text"))
        return done.stdout if done.returncode == 0 else None

    lines = poll_until(shown, "the status of every model").splitlines()
    assert [line for line in lines if line.startswith("diamond-price: nothing")]


def test_gocd_has_no_message_for_models_that_nobody_trained_or_promoted(site: Site) -> None:
    headers = {"Accept": "application/vnd.go.cd.v1+json"}
    headers["Authorization"] = f"bearer {(site.folder / 'operator-token').read_text().strip()}"
    answer = httpx.get(f"{site.gocd}/api/server_health_messages", headers=headers, timeout=30)
    assert answer.raise_for_status().json() == []
    with GoCD(site.gocd, login=Login("admin", PASSWORDS["admin"])) as gocd:
        assert {package["auto_update"] for package in gocd.packages()} == {False}
    # A second set-up, which knows that somebody follows, finds nothing to do.
    done = site.run(next(line for line in command("--dry-run").splitlines() if line.endswith("--dry-run")))
    assert {step["outcome"] for step in json.loads(done.stdout)["steps"]} == {"unchanged"}


def test_a_run_that_is_tagged_by_hand_is_scheduled_at_once_by_the_process_that_stays(site: Site) -> None:
    follow = site.script(command("gocd follow"))
    with (
        (site.folder / "follow.log").open("wb") as log,
        subprocess.Popen(
            ["bash", "-euc", f"exec {follow}"], cwd=site.folder, env=dict(site.variables), stderr=log
        ) as it,
    ):
        try:
            said = site.folder / "follow.log"
            poll_until(lambda: "following the models" in said.read_text(), "the process that stays")
            run_id = tagged_run(site.platform.urls.mlflow)
            with GoCD(site.gocd, (site.folder / "operator-token").read_text().strip()) as gocd:
                history = poll_until(lambda: gocd.history("diamond-price"), "the run to be scheduled")
            assert history[0]["label"] == f"1-1-{run_id[:8]}"
        finally:
            it.terminate()
            assert it.wait(PATIENCE) == 0


def tagged_run(mlflow: str) -> str:
    """Of the experiment that the set-up has made, as a person does it in MLflow's UI."""
    with httpx.Client(base_url=f"{mlflow}/api/2.0/mlflow/", timeout=30) as http:
        found = http.get("experiments/get-by-name", params={"experiment_name": "diamond-price"}).raise_for_status()
        experiment = found.json()["experiment"]["experiment_id"]
        created = http.post("runs/create", json={"experiment_id": experiment}).raise_for_status()
        run_id = str(created.json()["run"]["info"]["run_id"])
        ended = {"run_id": run_id, "status": "FINISHED", "end_time": 1_795_334_460_000}
        http.post("runs/update", json=ended).raise_for_status()
        http.post("runs/set-tag", json={"run_id": run_id, "key": "promote", "value": "yes"}).raise_for_status()
    return run_id
