"""What a run of the tests says at its end."""

from pathlib import Path

from tests.support.outcome import Case, cases, summary

REPORT = """<?xml version="1.0"?><testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_one[x]" file="tests/unit/test_a.py" time="1.5"/>
<testcase classname="tests.unit.test_a" name="test_two" file="tests/unit/test_a.py" time="0.5"><failure/></testcase>
<testcase classname="tests.unit.test_b" name="test_three" file="tests/unit/test_b.py" time="0"><skipped/></testcase>
<testcase classname="tests.unit.test_b" name="test_four" file="tests/unit/test_b.py" time="2"><error/></testcase>
</testsuite></testsuites>"""


def test_a_report_tells_each_tests_file_seconds_and_outcome(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    assert cases(tmp_path / "report.xml") == [
        Case("tests/unit/test_a.py", "test_one[x]", 1.5, "passed"),
        Case("tests/unit/test_a.py", "test_two", 0.5, "failed"),
        Case("tests/unit/test_b.py", "test_three", 0.0, "skipped"),
        Case("tests/unit/test_b.py", "test_four", 2.0, "failed"),
    ]


def test_the_summary_names_the_ten_slowest_and_the_total() -> None:
    found = [Case("tests/a.py", f"test_{number}", float(number), "passed") for number in range(12)]
    lines = summary(found, 90).splitlines()
    assert lines[0] == "the 10 slowest tests:"
    assert lines[1].split() == ["11.0", "s", "tests/a.py::test_11"]
    assert lines[10].split() == ["2.0", "s", "tests/a.py::test_2"]
    assert lines[11:] == ["12 passed, 0 failed, 0 skipped in 1.5 min"]
