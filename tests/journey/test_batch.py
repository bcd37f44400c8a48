"""A promotion goes on to a machine image, which boots, scores and answers as the service does."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from pyarrow import parquet

from services.contract import names
from services.contract.receipt import Receipt
from services.contract.release import Golden
from services.contract.trace import Trace
from tests.journey.conftest import GIVEN, ON_THE_STACK, of_stack
from tests.support.compose_stack import Stack
from tests.support.platform_client import Access, Json, PlatformClient
from tests.support.platform_process import platform_variables, running_platform

pytestmark = [
    pytest.mark.needs("image"),
    pytest.mark.skipif(GIVEN, reason="not every GoCD has an agent for images: unset TRACKBACK_MLFLOW_URL"),
]


@dataclass(frozen=True)
class Batches:
    """A platform that builds images; `golden` reads the golden predictions of a release in its store."""

    client: PlatformClient
    golden: Callable[[str], Golden]


# tests/integration/test_parity.py boots an image on one machine in each run.
PLATFORMS = [pytest.param("one-machine", marks=pytest.mark.nightly), pytest.param("compose", marks=ON_THE_STACK)]


@pytest.fixture(scope="module", params=PLATFORMS)
def batches(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batches]:
    """On the platforms of others no image is built, because a boot keeps both cores busy."""
    if request.param == "compose":
        with building_images(request.getfixturevalue("stack")) as found:
            yield found
        return
    state = tmp_path_factory.mktemp("batch") / "state"
    # The pipeline builds the image on bases that the tests of machine images have built by the same recipe.
    request.getfixturevalue("machine_image").lend_bases(state / "store")
    with running_platform(state, platform_variables(state, images=True)) as platform:
        place = state / "store" / names.RELEASES_FOLDER
        client = PlatformClient(Access(platform.urls, platform.environment))
        yield Batches(client, lambda release: Golden.read(place / release / names.GOLDEN_FILE))


@contextmanager
def building_images(stack: Stack) -> Iterator[Batches]:
    """As it is set in .env."""

    def golden(release: str) -> Golden:
        file = f"/store/{names.RELEASES_FOLDER}/{release}/{names.GOLDEN_FILE}"
        return Golden.from_json(stack.command("exec", "--no-TTY", "embedded", "cat", file))

    again = ("up", "--detach", "--wait", "--no-deps", "embedded")
    try:
        Stack(stack.variables | {"TRACKBACK_IMAGES": "true"}, stack.secrets).command(*again)
        yield Batches(PlatformClient(of_stack(stack)), golden)
    finally:
        stack.command(*again)


def scored(client: PlatformClient, batch: Json, receipt: Receipt) -> list[float]:
    """The predictions in the output that GoCD keeps of the boot."""
    files = [one.path for one in receipt.outputs if one.path.startswith("scored/")]
    tables = [
        parquet.read_table(io.BytesIO(client.artifact(batch, "score", f"sample/{file}").content)) for file in files
    ]
    assert {name for table in tables for name in table.column_names} >= {names.GRAPH_PREDICTION, "model", "release"}
    return [row[names.GRAPH_PREDICTION] for table in tables for row in table.to_pylist()]


def test_what_a_booted_image_scores_are_the_answers_of_the_service(batches: Batches) -> None:
    client = batches.client
    run_id = client.train("--variant", "linear")
    client.promote(run_id, "to answer online and in batches")
    batch = client.batched(client.delivered(0, run_id))
    assert client.stages(batch) == {"image": "Passed", "score": "Passed"}, client.console(batch, "image")
    receipt = Receipt.from_json(client.artifact(batch, "score", names.RECEIPT_FILE).content)
    assert receipt.release == client.ask().headers[names.RELEASE_HEADER]
    assert (receipt.run_id, receipt.engine) == (run_id, "container")
    told = client.console(batch, "score")
    assert "boots by bios with " in told
    assert f"answers are those of release {receipt.release[:12]}" in told

    golden = batches.golden(receipt.release)
    question = {"dataframe_split": {"columns": golden.columns, "data": golden.rows}}
    answers = httpx.post(client.invocations_url(), json=question).raise_for_status().json()["predictions"]
    # The sample is the golden rows in two orders, and rows that nobody may answer.
    assert scored(client, batch, receipt) == [*answers, *reversed(answers)]
    assert receipt.rows_rejected > 0

    trace = Trace.model_validate(client.trackback("trace", client.model))
    assert (trace.candidate.run.run_id, trace.batches) == (run_id, (receipt,))
    assert trace.machine_image is not None
    assert (trace.machine_image.release, trace.machine_image.image) == (receipt.release, receipt.image)
    model = next(one for one in client.trackback("status")["models"] if one["model"] == client.model)
    assert model["batch"]["release"] == receipt.release
    assert model["pipelines"][-1]["name"] == f"{client.model}{names.BATCH}"
    page = client.artifact(batch, "score", names.RECEIPT_PAGE)
    assert "text/html" in page.headers["content-type"]
