"""A model is added to the CI server that runs, and delivered, while another answers: no request fails."""

from pathlib import Path
from typing import Any

import httpx

from tests.support.embedded_ci import FAST, pipeline, python, running, stage, written
from tests.support.poll import poll_until
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.rollout_service import QUESTION, RolloutService
from tests.support.rollout_service import running as running_rollout
from tests.support.steady_client import SteadyClient

NEW = "language-id"
TOKEN = "correct horse battery staple"


def delivery(url: str, token: Path, digest: str) -> dict[str, Any]:
    """What the stage `deploy` asks for, with the token from the file that its job is told of."""
    code = f"""
        import json, urllib.request
        body = json.dumps({{"release": {digest!r}, "by": "ada", "reason": "a new model"}}).encode()
        key = open({str(token)!r}).read().strip()
        headers = {{"Content-Type": "application/json", "Authorization": "Bearer " + key}}
        request = urllib.request.Request({url!r} + "/models/{NEW}/deploy", body, headers)
        print(urllib.request.urlopen(request, timeout=300).read())
    """
    return pipeline(stage("deploy", python(code)), materials={"model": {"package": NEW}})


def test_a_model_is_added_while_another_answers_without_a_failed_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    rollout = RolloutService(tmp_path, {"TOKEN_FILE": token, "LOAD_SECONDS": 300}, TOKEN)
    old, new = build_release(rollout.store), build_release(rollout.store, ReleasePlan(model=NEW))
    before = {"churn": pipeline(stage("fetch"))}
    (tmp_path / "ci").mkdir()
    with running_rollout(rollout), running(tmp_path / "ci", before, FAST) as ci:
        rollout.http.timeout = httpx.Timeout(300)
        rollout.deployed(old.digest)
        with SteadyClient(rollout.url, QUESTION) as client:
            client.heard(old.digest)
            added = delivery(str(rollout.http.base_url).rstrip("/"), token, new.digest)
            (tmp_path / "ci" / "pipelines.gocd.yaml").write_text(written(before | {NEW: added}))
            ci.define(NEW)
            poll_until(lambda: ci.engine.materials.pollers(), "the poller of the new model's package")
            ci.promote("r1", NEW)
            ended = ci.finished(f"{NEW}/1/deploy/1", seconds=300)
            client.heard(old.digest)
        assert ended["result"] == "Passed", ci.console(f"{NEW}/1/deploy/1/deploy")
        assert client.failures == []
        state = rollout.http.get(f"/models/{NEW}").json()
        assert httpx.get(f"{state['url']}/health/ready", trust_env=False).json()["model"]["release"] == new.digest
