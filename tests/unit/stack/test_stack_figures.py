"""What benchmarks/stack-figures makes of an engine's replies: those of 20.10 on cgroup v1 and of v2."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.stack_figures import Container, Usage, percent, table, usage
from scripts.docker_cli import Docker
from tests.support.paths import ROOT

pytestmark = pytest.mark.process


@pytest.mark.parametrize("cache", ["total_inactive_file", "inactive_file"])
def test_memory_is_without_the_cache_of_files_and_cpu_is_in_seconds(cache: str) -> None:
    memory = {"usage": 100_000_000, "stats": {cache: 40_000_000}}
    told = {"cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}}, "memory_stats": memory}
    assert usage(told) == Usage(cpu=2.5, memory=60_000_000)


def test_a_container_that_has_ended_used_no_memory() -> None:
    assert usage({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}) == Usage(cpu=0, memory=0)


def test_the_share_of_a_core_is_what_was_used_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "docker").write_text("#!/bin/sh\necho 88000000\n")
    (tmp_path / "docker").chmod(0o755)
    found = [Container("1", "mlflow", "trackback/mlflow:1"), Container("2", "gateway", "haproxy:3")]
    before, after = [Usage(1, 0), Usage(5, 0)], [Usage(2, 3e8), Usage(5, 1e7)]
    lines = table(Docker(), found, before, after, 50)
    assert [line.split()[-2:] for line in lines[1:]] == [["2.0", "%"], ["0.0", "%"], ["2.0", "%"]]
    assert "88 MB" in lines[1]
    assert "310 MB" in lines[-1]
    assert percent(1, 50) == "2.0 %"


def test_the_script_tells_how_it_is_used() -> None:
    done = subprocess.run(
        [ROOT / "benchmarks" / "stack-figures", "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.startswith("usage: benchmarks/stack-figures ")) == (0, True)


def test_nothing_is_removed_without_the_word_for_it() -> None:
    done = subprocess.run([ROOT / "scripts" / "remove"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith("usage: scripts/remove --everything")) == (2, True)
