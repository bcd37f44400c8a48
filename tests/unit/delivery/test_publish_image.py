"""publish-image against an AWS that refuses what AWS refuses: one snapshot and one AMI of a disk, whatever happens."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore import validate
from botocore.exceptions import ClientError
from botocore.session import get_session
from typer.testing import CliRunner

from services.contract.errors import Refused
from services.delivery.cli import build
from services.delivery.publishing.aws import Aws, answered
from services.delivery.publishing.disk import read_disk
from services.delivery.publishing.published import Published
from services.delivery.publishing.publishing import Publishing
from services.delivery.publishing.registration import ROOT_DEVICE
from services.delivery.store import Store
from tests.support.paths import ROOT
from tests.support.poll import poll_until
from tests.support.small_disk import BLOCK, BLOCKS_THAT_ARE_NOT_ZERO, write_disk
from tests.support.strict_aws import KEY, REGION, StrictAws, strict_aws

pytestmark = pytest.mark.thorough

BLOCKS = len(BLOCKS_THAT_ARE_NOT_ZERO)
PUT, COMPLETE = "ebs:PutSnapshotBlock", "ebs:CompleteSnapshot"


@pytest.fixture(scope="module")
def server() -> Iterator[StrictAws]:
    with strict_aws() as server:
        yield server


@pytest.fixture
def aws(server: StrictAws) -> StrictAws:
    """With nothing in it."""
    server.reset()
    return server


@pytest.fixture(scope="module")
def client(server: StrictAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """One for all tests but those of its settings, because its description of EC2 takes a third of a second to read."""
    with pytest.MonkeyPatch.context() as patch:
        set_up(patch, tmp_path_factory.mktemp("settings"))
        with Aws(REGION, None, server.url, connections=4) as client:
            yield client


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    return set_up(monkeypatch, tmp_path)


def set_up(patch: pytest.MonkeyPatch, folder: Path) -> dict[str, str]:
    """Nothing of the machine's own settings of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    ours = {
        "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": str(folder / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true", "TRACKBACK_STORE": str(folder / "store"),
    }  # fmt: skip
    for name, value in ours.items():
        patch.setenv(name, value)
    return ours


@dataclass(frozen=True)
class Bench:
    """A small disk, and what publishes it."""

    image: Path
    aws: StrictAws
    client: Aws
    journals: Path

    @property
    def disk(self) -> Path:
        return self.image.with_name("disk.raw")

    def published(self, verify: bool = False, into: Path | None = None) -> Published:
        return Publishing(self.client, self.journals, 4, verify, into).publish(
            read_disk(self.image, Store(self.journals))
        )

    def refused(self, verify: bool = False) -> str:
        return refused(lambda: self.published(verify))

    def without(self, action: str) -> str:
        """What it says without this right, which it has again afterwards."""
        self.aws.denied.add(action)
        said = self.refused(verify=True)
        self.aws.denied.clear()
        return said

    def journal(self, snapshot: str | None = None) -> Path:
        self.journals.mkdir(parents=True, exist_ok=True)
        return self.journals / f"{snapshot or next(iter(self.aws.ebs.snapshots))}.blocks"


@pytest.fixture
def bench(aws: StrictAws, client: Aws, tmp_path: Path) -> Bench:
    return Bench(write_disk(tmp_path / "out"), aws, client, tmp_path / "store" / "publishing")


def refused(publish: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refusal:
        publish()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def arguments(bench: Bench, *more: str) -> list[str]:
    return ["publish-image", str(bench.image), "--endpoint-url", bench.aws.url, *more]


def invoked(bench: Bench, *more: str) -> Published:
    """By the command line, with what is read from the environment."""
    given = arguments(bench, *more)
    done = CliRunner().invoke(build(given), given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return Published.from_json(done.stdout)


def volume(aws: StrictAws, snapshot: str, size: int) -> bytes:
    """What an instance would find on its root device."""
    blocks = aws.ebs.snapshots[snapshot].blocks
    return b"".join(blocks.get(index, bytes(BLOCK)) for index in range(-(-size // BLOCK)))[:size]


def test_a_disk_becomes_a_snapshot_that_is_equal_and_an_ami_that_names_its_run(bench: Bench) -> None:
    found, disk = bench.published(), bench.disk.read_bytes()
    assert volume(bench.aws, found.snapshot, len(disk)) == disk
    assert sorted(bench.aws.ebs.snapshots[found.snapshot].blocks) == list(BLOCKS_THAT_ARE_NOT_ZERO)
    assert (found.uploaded, found.blocks, found.region, found.verified) == (BLOCKS, BLOCKS, REGION, False)
    said = {
        "Name": f"trackback-diamond-price-2-90bb4914-{found.disk[:12]}",
        "trackback:disk": found.disk,
        "trackback:image": f"sha256:{'7' * 64}",
        "trackback:model": "diamond-price",
        "trackback:release": "5" * 64,
        "trackback:revision": "2-90bb4914",
        "trackback:run": "9" * 32,
    }
    assert bench.aws.ebs.snapshots[found.snapshot].tags == bench.aws.ec2.images[found.ami].tags == said


def test_an_ami_asks_for_no_instance_metadata_without_a_token(bench: Bench) -> None:
    request = bench.aws.ec2.images[bench.published().ami].request
    assert (request["ImdsSupport"], request["BootMode"]) == ("v2.0", "uefi-preferred")
    assert request["BlockDeviceMapping.1.Ebs.DeleteOnTermination"] == "true"


def test_the_same_disk_published_twice_is_one_snapshot_and_one_ami(bench: Bench) -> None:
    first, second = bench.published(), bench.published()
    assert second == first.model_copy(update={"uploaded": 0})
    assert (len(bench.aws.ebs.snapshots), len(bench.aws.ec2.images), bench.aws.done[PUT]) == (1, 1, BLOCKS)


def test_of_a_snapshot_without_an_ami_one_is_made(bench: Bench) -> None:
    first = bench.published()
    bench.aws.ec2.images.clear()
    assert bench.published() == first.model_copy(update={"uploaded": 0})


def test_what_was_uploaded_is_read_back_bit_by_bit(bench: Bench, tmp_path: Path) -> None:
    assert bench.published(into=tmp_path / "back.raw").verified
    assert (tmp_path / "back.raw").read_bytes() == bench.disk.read_bytes()
    assert bench.aws.done["ebs:GetSnapshotBlock"] == BLOCKS


def test_a_snapshot_of_more_blocks_than_one_answer_lists_is_read_back_whole(bench: Bench) -> None:
    bench.aws.ebs.page = 4
    assert bench.published(verify=True).verified
    assert bench.aws.done["ebs:ListSnapshotBlocks"] == 2


def test_an_ami_is_made_of_no_snapshot_that_differs_when_read_back(bench: Bench) -> None:
    bench.without("ec2:RegisterImage")
    (snapshot,) = bench.aws.ebs.snapshots.values()
    snapshot.blocks[4] = snapshot.blocks[4][:-1] + b"!"
    assert bench.refused(verify=True).endswith("found block 4 with another content")
    snapshot.blocks[5] = snapshot.blocks.pop(4)
    assert bench.refused(verify=True).endswith("of disk.raw, found 1 of them missing and 1 others")
    assert bench.aws.ec2.images == {}


def test_a_request_that_is_one_too_many_is_made_again(bench: Bench) -> None:
    bench.aws.busy[PUT] = 1
    assert bench.published().uploaded == BLOCKS


def test_a_snapshot_that_takes_its_time_is_waited_for(bench: Bench) -> None:
    bench.without("ec2:RegisterImage")
    (snapshot,) = bench.aws.ebs.snapshots.values()
    # Killed after it was completed here, and before AWS had done its part.
    bench.journal().write_text("\nsealed")
    snapshot.still_pending = 1
    assert bench.published().uploaded == 0
    assert bench.aws.done[COMPLETE] == 1


@pytest.mark.parametrize("state", ["error", None], ids=["failed", "deleted"])
def test_in_the_place_of_a_snapshot_that_was_lost_another_is_begun(state: str | None, bench: Bench) -> None:
    bench.without(COMPLETE)
    (lost,) = bench.aws.ebs.snapshots
    if state:
        bench.aws.ebs.snapshots[lost].state = state
    else:
        del bench.aws.ebs.snapshots[lost]
        bench.journal(lost).unlink()
    found = bench.published()
    assert (found.snapshot != lost, found.uploaded) == (True, BLOCKS)


def test_a_torn_line_of_the_journal_or_of_another_disk_counts_for_nothing(bench: Bench) -> None:
    bench.without(COMPLETE)
    lines = bench.journal().read_text().splitlines()
    bench.journal().write_text("\n".join([*lines[:-2], "9 " + "0" * 64, lines[-1][:-1]]))
    assert bench.published().uploaded == 2


def test_a_journal_with_blocks_that_aws_does_not_have_is_given_up(bench: Bench) -> None:
    bench.without(COMPLETE)
    del next(iter(bench.aws.ebs.snapshots.values())).blocks[6]
    assert bench.refused().endswith("ChangedBlocksCount 6, 5 were put: run it again to send every block anew")
    assert bench.published(verify=True).uploaded == BLOCKS


@pytest.mark.parametrize(
    ("action", "resumed"),
    [
        ("ec2:DescribeImages", BLOCKS),
        ("ec2:DescribeSnapshots", BLOCKS),
        ("ebs:StartSnapshot", BLOCKS),
        (PUT, BLOCKS),
        (COMPLETE, 0),
        ("ec2:RegisterImage", 0),
    ],
)
def test_a_right_that_is_missing_is_named_and_given_it_goes_on(action: str, resumed: int, bench: Bench) -> None:
    said = rf"expected the right to {action}, found \w+: docs/publish-image.md has the policy"
    assert re.fullmatch(said, bench.without(action))
    assert bench.published().uploaded == resumed
    assert len(bench.aws.ebs.snapshots) == 1


@pytest.mark.parametrize("action", ["ebs:ListSnapshotBlocks", "ebs:GetSnapshotBlock"])
def test_a_right_to_read_back_that_is_missing_is_named(action: str, bench: Bench) -> None:
    assert f"the right to {action}," in bench.without(action)


def test_an_ami_of_another_disk_with_the_name_is_not_taken_for_this_one(bench: Bench) -> None:
    bench.aws.ec2.images[bench.published().ami].tags.clear()
    assert "expected no AMI named trackback-diamond-price-2-90bb4914-" in bench.refused()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AWS_REGION": ""}, "expected a region of AWS, found none: set AWS_REGION, or give --region"),
        ({"AWS_PROFILE": "nobody"}, "expected a profile of AWS, found: The config profile (nobody) could not be found"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "expected credentials for AWS, found: Unable to "),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "expected credentials for AWS, found: Partial credentials"),
        ({"AWS_ACCESS_KEY_ID": "AKIAOTHER"}, "expected credentials that AWS takes, found AuthFailure: "),
        ({"AWS_REGION": "us-east-1"}, "expected credentials that AWS takes, found AuthFailure: "),
    ],
)  # fmt: skip
def test_settings_of_aws_that_are_wrong_are_one_line(
    variables: dict[str, str], words: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
        if not value:
            monkeypatch.delenv(name)
    assert refused(lambda: invoked(bench)).startswith(words)


def test_region_and_credentials_are_found_where_aws_tools_find_them(
    bench: Bench, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    Path(environment["AWS_CONFIG_FILE"]).write_text(f"[profile batch]\nregion = {REGION}\n")
    keys = f"[batch]\naws_access_key_id = {KEY}\naws_secret_access_key = secret\n"
    Path(environment["AWS_SHARED_CREDENTIALS_FILE"]).write_text(keys)
    assert invoked(bench, "--profile", "batch").region == REGION


def test_an_aws_that_is_not_there_is_one_line() -> None:
    with Aws(REGION, None, "http://127.0.0.1:9", connections=1, tries=1) as nowhere:
        said = refused(lambda: nowhere.ask("ec2:DescribeImages"))
    assert said.startswith("expected AWS to answer ec2:DescribeImages, found: Could not connect to the endpoint URL")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            {"Code": "RequestThrottledException", "Message": "slow"},
            "expected AWS to take ebs:PutSnapshotBlock, found RequestThrottledException after 10 tries: run it again, "
            "with less --concurrency",
        ),
        (
            {"Code": "UnauthorizedOperation", "Message": "User: me is not authorized to perform: ec2:CreateTags on it"},
            "expected the right to ec2:CreateTags, found UnauthorizedOperation: docs/publish-image.md has the policy",
        ),
        (
            {"Code": "AccessDeniedException", "Message": "An SCP says no"},
            f"expected the right to {PUT}, found AccessDeniedException: docs/publish-image.md has the policy",
        ),
        (
            {"Code": "ExpiredTokenException", "Message": "it is\nover"},
            "expected credentials that AWS takes, found ExpiredTokenException: it is over: renew them",
        ),
        ({"Code": "Odd", "Message": "what"}, f"expected AWS to take {PUT}, found Odd: what"),
    ],
)  # fmt: skip
def test_what_aws_says_no_with_is_one_line(error: dict[str, Any], words: str) -> None:
    assert str(answered(PUT, ClientError({"Error": error}, "PutSnapshotBlock"))) == words


def documented() -> list[Any]:
    """The JSON of the page: policy and launch template."""
    page = (ROOT / "docs" / "publish-image.md").read_text()
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.S)]


def test_the_policy_of_the_docs_has_the_rights_that_are_needed_and_no_other(bench: Bench) -> None:
    bench.published(verify=True)
    policy = documented()[0]
    given = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert given == {*bench.aws.done, "ec2:CreateTags"}


def test_the_launch_template_of_the_docs_is_one_and_asks_for_tokens_and_an_end() -> None:
    template = documented()[1]
    shape = get_session().get_service_model("ec2").operation_model("CreateLaunchTemplate").input_shape
    assert validate.ParamValidator().validate(template, shape).generate_report() == ""
    data = template["LaunchTemplateData"]
    assert (data["MetadataOptions"]["HttpTokens"], data["InstanceInitiatedShutdownBehavior"]) == (
        "required",
        "terminate",
    )
    root, rows = data["BlockDeviceMappings"]
    assert (root["DeviceName"], rows["Ebs"]["DeleteOnTermination"]) == (ROOT_DEVICE, False)


class Paused:
    """EBS holds the fourth block back until it is told to go on."""

    def __init__(self) -> None:
        self.reached, self.released = threading.Event(), threading.Event()

    def __call__(self, taken: int) -> None:
        if taken == 3:
            self.reached.set()
            assert self.released.wait(60)


@pytest.mark.process
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGTERM, 128 + signal.SIGTERM,
         "interrupted: snap-00000000000000001 has 3 of 6 blocks, 1 MiB; the same command goes on with the others"),
    ],
)  # fmt: skip
def test_an_upload_that_was_ended_goes_on_with_the_blocks_that_are_missing(
    number: signal.Signals, status: int, said: str, bench: Bench, environment: dict[str, str]
) -> None:
    bench.aws.ebs.before_put = paused = Paused()
    ended = subprocess.Popen(
        [sys.executable, "-m", "services.delivery", *arguments(bench, "--concurrency", "1")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert paused.reached.wait(60)
    poll_until(lambda: len(bench.journal().read_text().split("\n")) == 4, "three blocks in the journal")
    ended.send_signal(number)
    if number == signal.SIGKILL:
        ended.wait()
    paused.released.set()
    output, errors = ended.communicate(timeout=60)
    assert (ended.returncode, output) == (status, ""), errors
    assert said in errors
    found = bench.published(verify=True)
    # An orderly end waits for the block that is under way.
    assert found.uploaded == (3 if number == signal.SIGKILL else 2)
    assert len(bench.aws.ebs.snapshots) == 1
