"""Whatever Spark says of a failure becomes one line for a person."""

import pytest

from services.batch.failures import task_reason

WORKER = "An error.\n: org.apache.spark.SparkException: Job aborted\nservices.contract.errors.Refused: no such one\n"
CAUSES = "An error.\n: a.b.SparkException: Job aborted\n\tat c.d\nCaused by: java.io.IOException: No space left\n\tat e"
DAMAGED = (
    "An error.\n: org.apache.spark.SparkException: [FAILED_READ_FILE.NO_HINT] Encountered error while reading file "
    "file:///in/a%20b.parquet.  SQLSTATE: KD001\n\tat c.d\nCaused by: java.lang.NullPointerException\n\tat e"
)
HEADER = (
    "An error.\nCaused by: java.lang.IllegalArgumentException: CSV header does not conform to the schema.\n"
    " Header: b, a\n Schema: a, b\nExpected: a but found: b\nCSV file: file:///in/b.csv\n\tat e"
)
WIDTH = (
    "An error.\nCaused by: java.lang.IllegalArgumentException: Number of column in CSV header is not equal to number "
    "of fields in the schema:\n Header length: 2, schema size: 3\nCSV file: file:///in/b.csv\n\tat e"
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (WORKER, "no such one"),
        (CAUSES, "No space left"),
        (DAMAGED, "file:/in/a b.parquet cannot be read: java.lang.NullPointerException"),
        (
            HEADER,
            "file:/in/b.csv: expected the header of the first file, each column once: column 'a', found 'b'",
        ),
        (WIDTH, "file:/in/b.csv: expected the header of the first file, each column once: 3 columns, found 2"),
    ],
    ids=["worker", "cause", "damaged", "header", "width"],
)
def test_a_failure_is_told_in_one_line_that_names_its_file(said: str, words: str) -> None:
    assert task_reason(RuntimeError(said)) == words
