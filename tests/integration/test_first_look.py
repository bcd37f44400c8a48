"""What a person finds who has just started the embedded platform: nothing red, and a line of each model."""

import os
from pathlib import Path

import httpx
import pytest

from scripts.environments import JARS, ROOT
from services.contract.model_config import list_models
from services.gocd.client import GoCD
from tests.support.platform_process import running_platform


def test_a_fresh_platform_has_no_health_message_and_says_of_each_model_that_nothing_was_promoted(
    tmp_path: Path,
) -> None:
    if missing := [jar for jar in JARS if not (ROOT / jar).is_file()]:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"not built: {missing}: run 'mvn -B package' in plugin/")
    models = list_models(ROOT / "training" / "models")
    packages = [*models, *(f"{model}-preview" for model in models)]
    with running_platform(tmp_path / "state") as platform, GoCD(platform.urls.gocd) as gocd:
        token = {"Authorization": f"bearer {(tmp_path / 'state' / 'token').read_text().strip()}"}
        accept = {"Accept": "application/vnd.go.cd.v1+json"}
        health = httpx.get(f"{gocd.url}/api/server_health_messages", headers={**token, **accept}, timeout=30)
        assert health.raise_for_status().json() == []
        assert {it["id"]: it["auto_update"] for it in gocd.packages()} == dict.fromkeys(packages, False)
        page = (
            httpx.get(gocd.url.removesuffix("/go"), headers=token, timeout=30, follow_redirects=True)
            .raise_for_status()
            .text
        )
        assert page.count("<p>Nothing was promoted yet: give a finished run in MLflow the tag") == len(models)
        assert page.count("<p>Nothing is to be previewed yet: give a run in MLflow the tag") == len(models)
        assert 'class="problem"' not in page
