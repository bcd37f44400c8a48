"""Which pipelines the CI server accepts, and how it refuses the others."""

from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.embedded.pipelines.gocd_yaml import load_pipelines
from tests.support.paths import ROOT

OURS = ROOT / "services" / "gocd" / "pipelines.gocd.yaml"
ACCEPTED = """\
format_version: 10
common:
  steps: &steps
    - fetch:
        jobs:
          fetch:
            tasks:
              - exec: {command: trackback, arguments: [fetch, "#{model}"]}
    - package:
        approval: {type: manual, allow_only_on_success: true}
        jobs:
          package:
            tasks:
              - fetch: {stage: fetch, job: fetch, source: a.json, is_file: yes}
            tabs: {report: report.html}
pipelines:
  churn:
    group: ml
    label_template: "${COUNT}-${model[:8]}"
    parameters: {model: churn}
    materials: {model: {package: churn}}
    stages: *steps
  churn-online:
    group: ml
    parameters: {model: churn}
    materials: {release: {pipeline: churn, stage: package}}
    stages:
      - deploy:
          jobs:
            deploy:
              tasks:
                - fetch: {pipeline: "#{model}", stage: fetch, job: fetch, source: a.json}
"""


def load(tmp_path: Path, text: str) -> object:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    return load_pipelines(file)


def test_the_pipelines_that_ship_are_accepted() -> None:
    pipelines = load_pipelines(OURS)
    assert pipelines.pipelines["diamond-price"].stage_names == ["fetch", "validate", "compare", "package"]
    assert pipelines.downstream("diamond-price", "package") == ["diamond-price-online", "diamond-price-batch"]


def test_one_word_lets_a_person_decide_on_each_boot(tmp_path: Path) -> None:
    """And boots of one model take turns, whatever the number of agents."""
    text = OURS.read_text()
    assert text.count("{type: success, ") == 1
    file = tmp_path / "p.yaml"
    file.write_text(text.replace("{type: success, ", "{type: manual, "))
    for path, manual in ((OURS, False), (file, True)):
        for name in ("diamond-price-batch", "language-id-batch", "flight-delay-batch"):
            batch = load_pipelines(path).pipelines[name]
            assert batch.lock_behavior == "unlockWhenFinished"
            assert {stage: config.manual for stage, config in batch.stage_configs.items()} == {
                "image": False, "score": manual
            }  # fmt: skip


def test_parameters_are_filled_in_below_an_alias(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(ACCEPTED)
    task = load_pipelines(file).pipelines["churn"].stage_configs["fetch"].jobs["fetch"].tasks[0]
    assert task.exec is not None
    assert task.exec.arguments == ("fetch", "churn")


GROUP = "    group: ml\n    label"
LOCAL = "stage: fetch, job: fetch, source: a.json, is_file: yes"
TABS = "            tabs:"
# What is replaced, by what, the line that the refusal names and a word of it.
REFUSED = {
    "script tasks": ("- exec: {command: trackback, arguments", "- script: {command: x, arguments", 8, "script"),
    "unknown task options": ("command: trackback,", "command: trackback, shell: yes,", 8, "shell"),
    "unknown pipeline options": (GROUP, f"    timer: x\n{GROUP}", 18, "timer"),
    "unknown top-level keys": ("pipelines:\n", "environments: {}\npipelines:\n", 16, "environments"),
    "another format": ("format_version: 10", "format_version: 9", 1, "format_version"),
    "git materials": ("{package: churn}", "{git: x}", 21, "git"),
    "half a pipeline material": ("{pipeline: churn, stage: package}", "{pipeline: churn}", 26, "release"),
    "merge keys": (GROUP, f"    <<: *steps\n{GROUP}", 18, "<<"),
    "a key given twice": (GROUP, f"    group: ml\n{GROUP}", 19, "group"),
    "tab names with a space": ("{report:", "{model card:", 15, "model card"),
    "tab names above 15 characters": ("{report:", "{abcdefghijklmnop:", 15, "abcdefghijklmnop"),
    "unknown parameters": ('"#{model}"]', '"#{modle}"]', 8, "modle"),
    "unknown label parts": ("${model[:8]}", "${modle}", 19, "modle"),
    "label parts that GoCD does not know": ("${model[:8]}", "${model", 19, "label_template"),
    "a fetch of an unknown pipeline": ('pipeline: "#{model}"', "pipeline: nosuch", 32, "nosuch"),
    "a fetch of an unknown stage": (LOCAL, "stage: nosuch, job: fetch, source: a", 14, "nosuch"),
    "a fetch of a stage that comes later": (LOCAL, "stage: package, job: package, source: a", 14, "earlier stage"),
    "a fetch of an unknown job": (LOCAL, "stage: fetch, job: nosuch, source: a", 14, "unknown job 'nosuch'"),
    "materials of an unknown stage": ("stage: package}}", "stage: nosuch}}", 26, "nosuch"),
    "unknown approvals": ("type: manual", "type: maybe", 10, "approval"),
    "unknown lock behaviour": (GROUP, f"    lock_behavior: x\n{GROUP}", 18, "lock_behavior"),
    "unknown run conditions": ("command: trackback,", "command: trackback, run_if: maybe,", 8, "run_if"),
    "resources that the agent has not": (TABS, f"            resources: [gpu]\n{TABS}", 15, "resources"),
    "paths out of the workspace": ("source: a.json, is_file", "source: ../a.json, is_file", 14, "source"),
    "wildcards": ("source: a.json, is_file", "source: '*.json', is_file", 14, "source"),
    "names that are paths": ("churn-online:", "../online:", 23, "online"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_construct_that_is_not_known_is_refused_with_file_line_and_name(tmp_path: Path, what: str) -> None:
    good, bad, line, name = REFUSED[what]
    assert good in ACCEPTED
    with pytest.raises(Refused) as refusal:
        load(tmp_path, ACCEPTED.replace(good, bad, 1))
    assert str(refusal.value).startswith(f"{tmp_path / 'p.yaml'}:{line}: ")
    assert name in str(refusal.value)


def test_the_file_without_any_of_these_is_accepted(tmp_path: Path) -> None:
    load(tmp_path, ACCEPTED)


def test_pipelines_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="would wait for itself"):
        load(
            tmp_path, ACCEPTED.replace("{model: {package: churn}}", "{model: {pipeline: churn-online, stage: deploy}}")
        )


def test_a_stage_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="stage 'fetch' is named twice"):
        load(tmp_path, ACCEPTED.replace("    - package:", "    - fetch:"))
