"""How the parts of a full run are named, timed and told to be run again."""

import sys
from pathlib import Path

import pytest

from tests.support import suite
from tests.support.paths import ROOT
from tests.support.suite import Beside, Part


@pytest.mark.process
def test_what_runs_beside_the_units_is_waited_for_and_a_failure_names_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Beside(tmp_path) as beside:
        beside.start("good", (sys.executable, "-c", "print('made')"), "make good")
        beside.start("bad", (sys.executable, "-c", "raise SystemExit('no jar')"), "make bad")
        good, bad = beside.finish()
    assert (good.name, good.again) == ("good", None)
    assert (bad.name, bad.again) == ("bad", "make bad")
    said = capsys.readouterr().out
    assert "made\n" in said
    assert "no jar\n" in said


@pytest.mark.process
def test_what_runs_beside_is_ended_when_the_run_is(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Beside(tmp_path) as beside:
        beside.start("hangs", (sys.executable, "-c", "import time; time.sleep(3600)"), "again")
        raise KeyboardInterrupt
    assert (tmp_path / "hangs").read_text() == ""


@pytest.mark.process
def test_a_part_that_failed_names_the_files_to_run_again(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("def test_good():\n    pass\n\ndef test_bad():\n    assert False\n")
    part, found = suite.tests(
        tmp_path, "some", 1, "load", [str(file)], f"--rootdir={tmp_path}", "-p", "no:cacheprovider"
    )
    assert {case.name: case.outcome for case in found} == {"test_good": "passed", "test_bad": "failed"}
    assert part == Part("some", part.seconds, "scripts/test --last-failed test_it.py")


def test_each_file_beside_the_units_is_begun_once_and_the_longest_first() -> None:
    files = suite.longest_first()
    assert sorted(files) == sorted(
        path.relative_to(ROOT).as_posix() for place in suite.REST for path in (ROOT / place).rglob("test_*.py")
    )
    assert files[: len(suite.LONGEST_FIRST)] == list(suite.LONGEST_FIRST)


def test_words_that_are_no_mode_go_to_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[object, ...]] = []
    variables_of: list[object] = []

    def run(*command: object, variables: object = None) -> int:
        ran.append(command)
        variables_of.append(variables)
        return 0

    monkeypatch.setattr(suite, "run", run)
    assert suite.main(["tests/unit/rollout", "-k", "digest"]) == 0
    assert suite.main(["--quick", "tests/unit/rollout"]) == 0
    assert suite.main(["--nightly", "-k", "restore"]) == 0
    assert ran[0] == (*suite.PYTEST, "tests/unit/rollout", "-k", "digest")
    assert ran[1][-3:] == ("-m", "not process and not thorough", "tests/unit/rollout")
    assert ran[2][-5:] == ("-m", "nightly", "--verbose", "-k", "restore")
    assert variables_of == [None, suite.ONE_THREAD, None]


CASE = '<testcase name="{name}" file="tests/{name}.py" time="1">{inside}</testcase>'


@pytest.mark.process
def test_a_full_run_ends_with_the_slowest_the_time_of_each_part_and_how_to_run_again_what_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: object, **_: object) -> int:
        report = next((str(word).partition("=")[2] for word in words if str(word).startswith("--junit-xml=")), None)
        if report is None:
            return 0
        failed = "units" in report
        inside, name = ("<failure/>", "test_bad") if failed else ("", "test_good")
        Path(report).write_text(f"<testsuite>{CASE.format(name=name, inside=inside)}</testsuite>")
        return int(failed)

    monkeypatch.setattr(suite, "run", run)
    monkeypatch.setattr(suite, "PLUGIN", (sys.executable, "-c", "raise SystemExit(3)"))
    monkeypatch.setattr(suite, "PYTEST", (sys.executable, "-c", "raise SystemExit(1)"))
    monkeypatch.setattr(suite, "_has_engine", lambda: False)
    assert suite.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    end = lines[lines.index("the 2 slowest tests:") :]
    assert end[3] == "1 passed, 1 failed, 0 skipped in 0.0 min"
    parts = {line.split()[0]: line.split(maxsplit=3)[3] for line in end[4:]}
    assert parts["units"] == "FAILED; again with: scripts/test --last-failed tests/test_bad.py"
    assert parts["plugin"].startswith("FAILED; again with: ")
    assert parts["rest"] == "passed"
    assert parts["stack"] == "FAILED; again with: scripts/test tests/journey -m 'stack and not nightly' --verbose"
