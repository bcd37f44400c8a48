"""Each hygiene check of a machine image fails by the fault that it is for, and by no other."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from services.contract.machine_image import HygieneCheck
from services.contract.release import Release
from services.delivery.machine_image.checks import CHECKS, check
from services.delivery.machine_image.raw_file import RawFile
from tests.support.image_fakes import DEFAULT_TARGET, JOURNAL, FakeRawFile
from tests.support.release_factory import build_release

Plant = Callable[[FakeRawFile], object]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_release(tmp_path_factory.mktemp("store"))


def failed(raw: FakeRawFile) -> list[HygieneCheck]:
    return [one for one in check(cast("RawFile", raw)) if not one.ok]


def test_a_sound_image_passes_every_check(release: Release) -> None:
    found = check(cast("RawFile", FakeRawFile(release)))
    assert [one.name for one in found if one.found or not one.ok] == []
    assert [one.name for one in found] == list(CHECKS)


def setting(*path: str | int, value: object) -> Plant:
    """Of the container's config.json."""

    def change(content: dict[str, Any]) -> None:
        place: Any = content
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return lambda raw: raw.edit_json("config.json", change)


def text(partition: str, name: str, content: str) -> Plant:
    return lambda raw: raw.files[partition].__setitem__(name, content.encode())


def file(path: str, mode: str = "-rw-r--r--", partition: str = "base", size: str = "1") -> Plant:
    return lambda raw: raw.add(partition, path, mode, size)


def changed(partition: str) -> Plant:
    return lambda raw: raw.partition_bytes.__setitem__(partition, b"another")


def content(**fields: object) -> Plant:
    return lambda raw: setattr(raw, "content_record", raw.content.model_copy(update=fields))


BOOTS = "boots by BIOS and UEFI"
VERIFIED = "base and release are those of the kernel command line"
IMAGE = "the container image is that of its digest"
CONFINED = "the container has no root, capabilities, network, devices or writable root"
SSH = "no SSH server, host keys or authorized keys"
CREDENTIALS = "no credentials"
LEFT = "nothing left behind in caches and logs"
SHELL = "no shell for the scoring user"
SETUID = "no setuid or setgid file"
DEVICE = "no device node"
PASSWORDS = "every password is locked"
BILL = "the bill of materials names packages and model"

NOBODY = "a:x:64000:1::/:/usr/sbin/nologin\n"
LISTED = "the packages are listed with their versions"

PLANTED: list[tuple[str, str, Plant]] = [
    (BOOTS, "no boot code for BIOS", lambda raw: setattr(raw, "loader", bytes(440))),
    (BOOTS, "no boot code for BIOS", lambda raw: setattr(raw, "core", bytes(2))),
    (BOOTS, "no loader for UEFI", text("esp", "EFI/BOOT/BOOTX64.EFI", "no program")),
    (VERIFIED, "another base than image.json says", changed("base")),
    (VERIFIED, "another release than image.json says", changed("release")),
    (VERIFIED, "a command line without the digest of the base", text("esp", "grub/grub.cfg", "linux /vmlinuz ro")),
    (IMAGE, "the manifest sha256:", text("release", "image.digest", "sha256:" + "0" * 64)),
    (IMAGE, "the manifest sha256:", text("release", "oci-manifest.json", "{}")),
    (IMAGE, "a configuration of another image", text("release", "oci-config.json", "{}")),
    ("the release is the one that image.json names", "release ", content(release="0" * 64)),
    (CONFINED, "root", setting("process", "user", "gid", value=0)),
    (CONFINED, "capabilities", setting("process", "capabilities", "bounding", value=["CAP_SYS_ADMIN"])),
    (CONFINED, "new privileges", setting("process", "noNewPrivileges", value=False)),
    (CONFINED, "a writable root", setting("root", "readonly", value=False)),
    (CONFINED, "a network", setting("linux", "namespaces", value=[{"type": "pid"}])),
    (CONFINED, "every system call", setting("linux", "seccomp", value={})),
    (CONFINED, "devices", setting("linux", "resources", "devices", value=[])),
    (SSH, "/usr/sbin/sshd", file("/usr/sbin/sshd", "-rwxr-xr-x")),
    (SSH, "/etc/ssh/ssh_host_rsa_key", file("/etc/ssh/ssh_host_rsa_key")),
    (SSH, "/root/.ssh/authorized_keys", file("/root/.ssh/authorized_keys", partition="release")),
    *(
        (CREDENTIALS, path, file(path, partition=partition))
        for path in (
            "/root/.aws/credentials",
            "/root/.docker/config.json",
            "/home/x/.netrc",
            "/root/.git-credentials",
            "/root/.bash_history",
            "/opt/id_ed25519",
            "/srv/server.key",
            "/app/.env",
            "/etc/ssl/private/own.pem",
        )
        for partition in ("base", "release")
    ),
    ("no daemon that listens", "/usr/bin/dockerd", file("/usr/bin/dockerd", "-rwxr-xr-x")),
    (LEFT, "/var/log/dpkg.log", file("/var/log/dpkg.log")),
    (LEFT, "/var/lib/apt/lists/lock", file("/var/lib/apt/lists/lock", size="0")),
    (SETUID, "/usr/bin/su", file("/usr/bin/su", "-rwsr-xr-x")),
    (SETUID, "/usr/bin/wall", file("/usr/bin/wall", "-rwxr-sr-x")),
    (SETUID, "/rootfs/bin/su", file("/rootfs/bin/su", "-rwsr-xr-x", "release")),
    ("no file that everybody may write", "/etc/profile", file("/etc/profile", "-rw-rw-rw-")),
    (DEVICE, "/rootfs/dev/sda", file("/rootfs/dev/sda", "brw-rw----", "release", "8,  0")),
    (DEVICE, "/dev/console", file("/dev/console", "crw-------", "base", "5,  1")),
    ("machine-id is empty", "one of its own", file("/etc/machine-id", size="33")),
    ("machine-id is empty", "no such file", lambda raw: raw.listed["base"].pop("/etc/machine-id")),
    (PASSWORDS, "root", text("base", "etc/shadow", "root::20000::::::\nscorer:!*:20000::::::\n")),
    (PASSWORDS, "scorer", text("base", "etc/shadow", "root:!*:1::::::\nscorer:$y$j9T$x:1::::::\n")),
    (SHELL, "/bin/sh", text("base", "etc/passwd", "scorer:x:64000:64000::/:/bin/sh\n")),
    (SHELL, "/usr/sbin/nologin, /bin/sh", text("base", "etc/passwd", f"{NOBODY}b:x:64000:1::/:/bin/sh\n")),
    (SHELL, "no such user", text("base", "etc/passwd", "root:x:0:0::/:/bin/sh\n")),
    ("the batch is what starts", "none", lambda raw: raw.listed["base"].pop(DEFAULT_TARGET)),
    ("the journal does not stay", "one that stays", text("base", JOURNAL, "[Journal]\n")),
    (LISTED, "0 listed, 2 in image.json", text("esp", "trackback/packages.tsv", "")),
    (BILL, "crun, systemd", lambda raw: raw.edit_json("sbom.json", lambda bill: bill.update(components=[]))),
    (BILL, "no model in it", lambda raw: raw.edit_json("sbom.json", lambda bill: bill["components"].pop(0))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "found", "plant"), PLANTED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_planted_fault_is_found_by_its_check_alone(release: Release, name: str, found: str, plant: Plant) -> None:
    raw = FakeRawFile(release)
    plant(raw)
    wrong = failed(raw)
    assert [one.name for one in wrong] == [name]
    assert wrong[0].found.startswith(found)


def test_a_container_that_runs_as_root_is_found_twice(release: Release) -> None:
    raw = FakeRawFile(release)
    setting("process", "user", "uid", value=0)(raw)
    assert [one.name for one in failed(raw)] == [CONFINED, SHELL]


def test_every_check_has_a_fault_that_is_planted() -> None:
    assert {name for name, _, _ in PLANTED} == set(CHECKS)


def test_of_many_faults_the_first_are_named_and_the_others_counted(release: Release) -> None:
    raw = FakeRawFile(release)
    for place in range(5):
        raw.add("base", f"/usr/bin/tool{place}", "-rwsr-xr-x")
    assert failed(raw)[0].found == "/usr/bin/tool0, /usr/bin/tool1, /usr/bin/tool2 and 2 more"


def test_certificates_of_authorities_are_no_credentials(release: Release) -> None:
    raw = FakeRawFile(release)
    for path in ("/etc/ssl/certs/a.pem", "/rootfs/usr/lib/python3/dist-packages/certifi/cacert.pem"):
        raw.add("release", path)
    assert failed(raw) == []
