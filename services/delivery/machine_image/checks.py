"""What a machine image must not hold, and must be: each a named check, made on the raw file alone."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from services.contract import names
from services.contract.machine_image import HygieneCheck
from services.delivery.machine_image.disk import BASE, BIOS, RELEASE
from services.delivery.machine_image.raw_file import RawFile
from services.delivery.machine_image.release_partition import (
    IMAGE_DIGEST,
    OCI_CONFIG_FILE,
    OCI_MANIFEST_FILE,
    RUNTIME_CONFIG,
)
from services.delivery.packaging.image_registry import sha256_of

_ENTRY = re.compile(r"(\S{10}) (\d+)/(\d+)\s+(\d+|\d+,\s*\d+) (\S+ \S+) (/.*)")
_SSH = re.compile(r"/(sshd|dropbear)$|ssh_host|authorized_keys|/\.ssh$|/\.ssh/")
_CREDENTIALS = re.compile(
    r"(/\.aws/|/\.docker/config|/\.netrc$|/\.pypirc$|/\.npmrc$|/\.git-credentials$|/id_(rsa|ed25519|ecdsa)|\.pem$"
    r"|\.p12$|\.pfx$|/\.env$|kubeconfig$|/credentials(\.json|\.csv)?$|_history$|\.key$)"
)
# Certificates of authorities and documents of packages look like keys by their names alone.
_NO_CREDENTIALS = re.compile(r"/(etc/ssl/certs|usr/share/ca-certificates|site-packages|dist-packages|usr/lib/ssl)/")
_LEFT_BEHIND = re.compile(r"/var/(lib/apt/lists|cache/apt|log)/")
_DAEMONS = re.compile(
    r"/s?bin/(dockerd|containerd|podman|avahi-daemon|rpcbind|exim4|cupsd|systemd-networkd|telnetd|in\.\w+d)$"
)
_SHOWN = 3
_NO_SHELL = ("/usr/sbin/nologin", "/bin/false")


@dataclass(frozen=True)
class Entry:
    """As `ls -ln` tells it; `target` is a link's."""

    mode: str
    size: str
    target: str

    @property
    def is_file(self) -> bool:
        return self.mode[0] == "-"


class Inspected:
    """Both file systems of a raw file, listed and read once."""

    def __init__(self, raw: RawFile) -> None:
        self.raw = raw

    @cached_property
    def base(self) -> dict[str, Entry]:
        return parse(self.raw.entries(BASE))

    @cached_property
    def release(self) -> dict[str, Entry]:
        return parse(self.raw.entries(RELEASE))

    @property
    def all(self) -> Iterable[tuple[str, Entry]]:
        yield from self.base.items()
        yield from self.release.items()

    @cached_property
    def runtime(self) -> dict[str, Any]:
        return dict(json.loads(self.raw.file(RELEASE, RUNTIME_CONFIG)))

    def base_text(self, path: str) -> str:
        return self.raw.file(BASE, path).decode(errors="replace")


def parse(lines: Iterable[str]) -> dict[str, Entry]:
    found = (_ENTRY.fullmatch(line) for line in lines)
    entries = {}
    for one in found:
        if one:
            path, _, target = one[6].partition(" -> ")
            entries[path] = Entry(one[1], one[4], target)
    return entries


Found = Callable[[Inspected], str]


def _boots(one: Inspected) -> str:
    core, efi = one.raw.bytes_at(BIOS, 2), one.raw.boot_file("EFI/BOOT/BOOTX64.EFI")[:2]
    if one.raw.boot_code()[:2] != b"\xeb\x63" or core == bytes(2):
        return "no boot code for BIOS"
    return "" if efi == b"MZ" else "no loader for UEFI"


def _verified(one: Inspected) -> str:
    content, menu = one.raw.content, one.raw.boot_file("grub/grub.cfg").decode()
    for partition, expected, size in (
        (BASE, content.base_sha256, content.base_bytes),
        (RELEASE, content.release_sha256, content.release_bytes),
    ):
        if one.raw.sha256(partition, size) != expected:
            return f"another {partition} than image.json says"
        if f"trackback.{partition}_sha256={expected} trackback.{partition}_bytes={size}" not in menu:
            return f"a command line without the digest of the {partition}"
    return ""


def _image(one: Inspected) -> str:
    manifest, config = (one.raw.file(RELEASE, name) for name in (OCI_MANIFEST_FILE, OCI_CONFIG_FILE))
    named = one.raw.file(RELEASE, IMAGE_DIGEST).decode().strip()
    if not named == sha256_of(manifest) == one.raw.content.image:
        return f"the manifest {sha256_of(manifest)[:19]}…, named {named[:19]}…"
    return "" if json.loads(manifest)["config"]["digest"] == sha256_of(config) else "a configuration of another image"


def _release(one: Inspected) -> str:
    found, said = one.raw.release, one.raw.content
    return "" if (found.digest, found.manifest.model) == (said.release, said.model) else f"release {found.digest[:12]}…"


def _confined(one: Inspected) -> str:
    process, linux = one.runtime["process"], one.runtime["linux"]
    kept = {
        "root": process["user"]["uid"] >= 1000 and process["user"]["gid"] >= 1000,
        "capabilities": not any(process["capabilities"].values()),
        "new privileges": bool(process["noNewPrivileges"]),
        "a writable root": bool(one.runtime["root"]["readonly"]),
        "a network": {"type": "network"} in linux["namespaces"],
        "every system call": linux.get("seccomp", {}).get("defaultAction") == "SCMP_ACT_ERRNO",
        "devices": {"allow": False, "access": "rwm"} in linux["resources"]["devices"],
    }
    return ", ".join(what for what, ok in kept.items() if not ok)


def _machine_id(one: Inspected) -> str:
    entry = one.base.get("/etc/machine-id")
    return "" if entry and entry.size == "0" else "one of its own" if entry else "no such file"


def _passwords(one: Inspected) -> str:
    lines = [line.split(":") for line in one.base_text("etc/shadow").splitlines() if line]
    return ", ".join(fields[0] for fields in lines if fields[1][:1] not in ("!", "*"))


def _shell(one: Inspected) -> str:
    user = str(one.runtime["process"]["user"]["uid"])
    lines = [line.split(":") for line in one.base_text("etc/passwd").splitlines() if line]
    ours = [fields[-1] for fields in lines if fields[2] == user]
    return "" if ours and set(ours) <= set(_NO_SHELL) else ", ".join(ours) or "no such user"


def _default_target(one: Inspected) -> str:
    entry = one.base.get("/etc/systemd/system/default.target")
    found = entry.target if entry else "none"
    return "" if found.endswith("/trackback-batch.target") else found


def _journal(one: Inspected) -> str:
    file = "/etc/systemd/journald.conf.d/trackback.conf"
    return "" if file in one.base and "Storage=volatile" in one.base_text(file.lstrip("/")) else "one that stays"


def _packages(one: Inspected) -> str:
    listed = one.raw.boot_file("trackback/packages.tsv").decode().splitlines()
    said = [f"{package.name}\t{package.version}\t{package.architecture}" for package in one.raw.content.packages]
    return "" if said and said == listed else f"{len(listed)} listed, {len(said)} in image.json"


def _bill(one: Inspected) -> str:
    bill = json.loads(one.raw.file(RELEASE, names.SBOM_FILE))
    known = {(part["name"], part["version"]) for part in bill.get("components", [])}
    missing = [package.name for package in one.raw.content.packages if (package.name, package.version) not in known]
    model = any(part["type"] == "machine-learning-model" for part in bill.get("components", []))
    return ", ".join(missing[:_SHOWN]) if missing else "" if model else "no model in it"


def _files(pattern: re.Pattern[str], but: re.Pattern[str] | None = None) -> Found:
    """No file whose path matches, in either file system."""
    return lambda one: _first(
        path
        for path, entry in one.all
        if entry.mode[0] != "d" and pattern.search(path) and not (but and but.search(path))
    )


def _none(wrong: Callable[[Entry], bool]) -> Found:
    return lambda one: _first(path for path, entry in one.all if wrong(entry))


def _is_setuid(entry: Entry) -> bool:
    return entry.is_file and (entry.mode[3] in "sS" or entry.mode[6] in "sS")


def _first(paths: Iterable[str]) -> str:
    found = sorted(paths)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


CHECKS: dict[str, Found] = {
    "boots by BIOS and UEFI": _boots,
    "base and release are those of the kernel command line": _verified,
    "the container image is that of its digest": _image,
    "the release is the one that image.json names": _release,
    "the container has no root, capabilities, network, devices or writable root": _confined,
    "no SSH server, host keys or authorized keys": _files(_SSH),
    "no credentials": _files(_CREDENTIALS, _NO_CREDENTIALS),
    "no daemon that listens": _files(_DAEMONS),
    "nothing left behind in caches and logs": _files(_LEFT_BEHIND),
    "no setuid or setgid file": _none(_is_setuid),
    "no file that everybody may write": _none(lambda entry: entry.is_file and entry.mode[8] == "w"),
    "no device node": _none(lambda entry: entry.mode[0] in "bc"),
    "machine-id is empty": _machine_id,
    "every password is locked": _passwords,
    "no shell for the scoring user": _shell,
    "the batch is what starts": _default_target,
    "the journal does not stay": _journal,
    "the packages are listed with their versions": _packages,
    "the bill of materials names packages and model": _bill,
}


def check(raw: RawFile) -> tuple[HygieneCheck, ...]:
    """Every check, passed or not."""
    one = Inspected(raw)
    found = {name: judge(one) for name, judge in CHECKS.items()}
    return tuple(HygieneCheck(name=name, ok=not words, found=words) for name, words in found.items())
