"""A machine image in memory, as its checks ask it: what is in its partitions, of which a test changes one thing."""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.contract import names
from services.contract.machine_image import DebianPackage, ImageContent
from services.contract.release import Release
from services.delivery.machine_image.runtime_config import runtime_config
from services.delivery.machine_image.sbom import bill_of_materials
from services.delivery.packaging.image_registry import canonical, sha256_of

PACKAGES = (
    DebianPackage(name="crun", version="1.8.1-1", architecture="amd64", sha256="1" * 64),
    DebianPackage(name="systemd", version="252.39", architecture="amd64", sha256="2" * 64),
)
JOURNAL = "etc/systemd/journald.conf.d/trackback.conf"
DEFAULT_TARGET = "/etc/systemd/system/default.target -> /usr/lib/systemd/system/trackback-batch.target"
_CONFIG = canonical({"config": {"Env": ["PATH=/opt/venv/bin"]}})
_MANIFEST = canonical({"config": {"digest": sha256_of(_CONFIG)}})
_SHADOW = "root:!*:20000::::::\nscorer:!*:20000::::::\n"
_PASSWD = "root:x:0:0:root:/root:/bin/bash\nscorer:x:64000:64000::/nonexistent:/usr/sbin/nologin\n"


@dataclass
class FakeRawFile:
    """Files and entries by partition; an entry is a line of `ls -ln` without its path."""

    release: Release
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    listed: dict[str, dict[str, str]] = field(default_factory=dict)
    loader: bytes = b"\xeb\x63\x90"
    core: bytes = b"RS"
    partition_bytes: dict[str, bytes] = field(default_factory=lambda: {"base": b"the base", "release": b"the release"})
    path: Path = Path("disk.raw")

    def __post_init__(self) -> None:
        self.files = {"esp": {}, "base": {}, "release": {}}
        self.listed = {"base": {}, "release": {}}
        self._fill_release()
        self._fill_base()
        content = self._content()
        self.content_record = content
        listed = "".join(f"{one.name}\t{one.version}\t{one.architecture}\n" for one in PACKAGES)
        self.files["esp"] = {
            "EFI/BOOT/BOOTX64.EFI": b"MZ",
            "grub/grub.cfg": f"linux /vmlinuz {content.command_line}\n".encode(),
            "trackback/packages.tsv": listed.encode(),
        }

    @property
    def content(self) -> ImageContent:
        return self.content_record

    def boot_code(self) -> bytes:
        return self.loader

    def bytes_at(self, partition: str, count: int) -> bytes:
        assert partition == "bios"
        return self.core[:count]

    def boot_file(self, name: str) -> bytes:
        return self.files["esp"][name]

    def file(self, partition: str, path: str) -> bytes:
        return self.files[partition][path]

    def entries(self, partition: str) -> list[str]:
        return [f"{line} {path}" for path, line in self.listed[partition].items()]

    def sha256(self, partition: str, size: int) -> str:
        return hashlib.sha256(self.partition_bytes[partition][:size]).hexdigest()

    def add(self, partition: str, path: str, mode: str = "-rw-r--r--", size: str = "1") -> None:
        self.listed[partition][path] = f"{mode} 0/0 {size:>12} 2025-06-15 15:06"

    def edit_json(self, path: str, change: Callable[[dict[str, Any]], None]) -> None:
        content = copy.deepcopy(json.loads(self.files["release"][path]))
        change(content)
        self.files["release"][path] = json.dumps(content).encode()

    def _fill_release(self) -> None:
        self.files["release"] = {
            "config.json": json.dumps(runtime_config({}, self.release.digest, sha256_of(_MANIFEST))).encode(),
            "oci-manifest.json": _MANIFEST,
            "oci-config.json": _CONFIG,
            "image.digest": f"{sha256_of(_MANIFEST)}\n".encode(),
            names.SBOM_FILE: bill_of_materials(self.release, PACKAGES, ()),
        }
        self.add("release", "/rootfs/opt/venv/lib/python3.11/site-packages/certifi/cacert.pem")

    def _fill_base(self) -> None:
        self.files["base"] = {
            "etc/shadow": _SHADOW.encode(),
            "etc/passwd": _PASSWD.encode(),
            JOURNAL: b"[Journal]\nStorage=volatile\n",
        }
        self.add("base", f"/{JOURNAL}")
        self.add("base", "/etc/machine-id", size="0")
        self.listed["base"][DEFAULT_TARGET] = "lrwxrwxrwx 0/0           41 2025-06-15 15:06"
        self.add("base", "/var/log", "drwxr-xr-x", size="3")

    def _content(self) -> ImageContent:
        found = {name: hashlib.sha256(content).hexdigest() for name, content in self.partition_bytes.items()}
        sizes = {name: len(content) for name, content in self.partition_bytes.items()}
        line = " ".join(
            f"trackback.{name}_sha256={found[name]} trackback.{name}_bytes={size}" for name, size in sizes.items()
        )
        manifest = self.release.manifest
        return ImageContent(
            model=manifest.model,
            revision=manifest.revision,
            run_id=manifest.candidate.run.run_id,
            release=self.release.digest,
            image=sha256_of(_MANIFEST),
            recipe="9" * 64,
            kernel="6.1.0-40-cloud-amd64",
            command_line=f"root=PARTLABEL=base {line}",
            base_sha256=found["base"],
            base_bytes=sizes["base"],
            release_sha256=found["release"],
            release_bytes=sizes["release"],
            packages=PACKAGES,
        )
