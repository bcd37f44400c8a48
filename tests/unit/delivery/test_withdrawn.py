"""A promotion whose tag is taken off its run: not packaged, or deployed and recorded, as model.yaml says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.contract.errors import Refused
from services.contract.promotion import Promotion
from services.contract.release import Release
from services.contract.rollout_plan import RolloutPlan, WhenWithdrawn
from services.delivery.reports.withdrawn import record_withdrawn, refuse_withdrawn
from services.delivery.settings import Settings
from tests.support.release_factory import ReleasePlan, build_release
from tests.support.web_receiver import Receiver, receiving

NOWHERE = "http://127.0.0.1:9"


class Servers:
    """MLflow and the rollout service in one: a run with these tags, and what the ledger was told."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        self.settings = Settings(mlflow_tracking_uri=url, rollout_url=url)
        self.tags: dict[str, str] = {}
        self._receiver = receiver

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for method, path, body in self._receiver.got if method == "POST" and "ledger" in path]


@pytest.fixture
def servers() -> Iterator[Servers]:
    found: list[Servers] = []

    def answer(*_: object) -> tuple[int, bytes]:
        info = {"run_id": "a" * 32, "experiment_id": "1", "status": "FINISHED", "lifecycle_stage": "active"}
        tags = [{"key": key, "value": value} for key, value in found[0].tags.items()]
        return 200, json.dumps({"run": {"info": {**info, "artifact_uri": ""}, "data": {"tags": tags}}}).encode()

    with receiving(Receiver(answer)) as receiver:
        found.append(Servers(receiver.url, receiver))
        yield found[0]


def release(folder: Path, tag: str = "promote", withdrawn: WhenWithdrawn = WhenWithdrawn.DEPLOY) -> Release:
    built = build_release(folder, ReleasePlan(rollout=RolloutPlan(withdrawn=withdrawn)))
    candidate = built.manifest.candidate
    promotion = candidate.promotion.model_copy(update={"tag": tag})
    candidate = candidate.model_copy(update={"promotion": promotion})
    return built.model_copy(update={"manifest": built.manifest.model_copy(update={"candidate": candidate})})


def test_nothing_is_packaged_of_it_and_the_ledger_says_why(servers: Servers, tmp_path: Path) -> None:
    candidate = release(tmp_path).manifest.candidate
    servers.tags = {"promote.reason": "best so far"}
    with pytest.raises(Refused, match=r"was withdrawn, since run a{32} has no tag 'promote' any more: nothing is pack"):
        refuse_withdrawn(servers.settings, candidate)
    (note,) = servers.told
    assert (note["event"], note["stage"], note["revision"]) == ("withdrawn", "package", candidate.promotion.label)


def test_what_was_packaged_before_is_deployed_and_the_ledger_says_so(
    servers: Servers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record_withdrawn(servers.settings, release(tmp_path))
    assert [(note["event"], note["stage"]) for note in servers.told] == [("withdrawn", "deploy")]
    assert "it was packaged before, so it is deployed" in capsys.readouterr().err


def test_a_model_that_wants_it_is_stopped_at_deploy(servers: Servers, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="model.yaml has 'rollout.withdrawn: stop': promote the run again"):
        record_withdrawn(servers.settings, release(tmp_path, withdrawn=WhenWithdrawn.STOP))
    assert [note["event"] for note in servers.told] == ["withdrawn"]


@pytest.mark.parametrize(
    ("tag", "tags"), [("promote", {"promote": "2 again"}), ("", {})], ids=["promoted again", "by an alias"]
)
def test_what_is_promoted_still_goes_on(servers: Servers, tmp_path: Path, tag: str, tags: dict[str, str]) -> None:
    servers.tags = tags
    found = release(tmp_path, tag, WhenWithdrawn.STOP)
    refuse_withdrawn(servers.settings, found.manifest.candidate)
    record_withdrawn(servers.settings, found)
    assert servers.told == []


def test_an_mlflow_that_cannot_be_asked_stops_nothing(tmp_path: Path) -> None:
    found = release(tmp_path, withdrawn=WhenWithdrawn.STOP)
    settings = Settings(mlflow_tracking_uri=NOWHERE, rollout_url=NOWHERE)
    refuse_withdrawn(settings, found.manifest.candidate)
    record_withdrawn(settings, found)


@pytest.mark.parametrize(("alias", "tag"), [("", "promote"), ("champion", "")])
def test_gocd_exports_the_tag_also_where_an_alias_promotes(alias: str, tag: str) -> None:
    found = {"MODEL": "toy", "LABEL": "1-aaaaaaaa", "RUN_ID": "a" * 32, "RUN_STATUS": "FINISHED", "EXPERIMENT_ID": "1"}
    exported = {**found, "PROMOTION": "yes", "TAG": "promote", "ALIAS": alias}
    promotion = Promotion.from_environment({f"GO_PACKAGE_MODEL_{key}": value for key, value in exported.items()})
    assert promotion.tag == tag
