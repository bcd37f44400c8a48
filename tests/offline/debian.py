"""Debian's packages without this machine's package state: unpacked into a folder, checked by apt's own signatures."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.environments import refuse, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirror() -> str:
    """Where this machine's apt finds Debian."""
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    found = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
    if not found:
        refuse("expected apt sources with a Debian mirror, found none: is this a Debian, and was apt-get update run?")
    return found[0].rstrip("/")


def unpack(suite: str, packages: list[str], target: Path) -> None:
    """Unpacks packages of another release of Debian below `target`; nothing is installed."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        # apt's own user must be able to enter.
        place.chmod(0o755)
        for part in ("lists/partial", "cache/archives/partial", "sources"):
            (place / part).mkdir(parents=True)
        lines = ("Types: deb", f"URIs: {mirror()}", f"Suites: {suite}", "Components: main", f"Signed-By: {KEYRING}")
        (place / "sources" / "one.sources").write_text("\n".join(lines) + "\n")
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": place / "sources",
            "Dir::State::lists": place / "lists",
            "Dir::Cache": place / "cache",
            "APT::Sandbox::User": "root",
        }
        apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
        run([*apt, "update"], quiet=True)
        run(["env", f"--chdir={place}", *apt, "download", *packages], quiet=True)
        target.mkdir(parents=True, exist_ok=True)
        for package in place.glob("*.deb"):
            run(["dpkg", "-x", package, target])


def install(*packages: str) -> None:
    """Installs packages of this machine's own release, without starting what they would start."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
        run([*environment, "apt-get", "update", "-qq"], quiet=True)
        run([*environment, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], quiet=True)
    finally:
        if ours:
            policy.unlink()


def require(*commands: tuple[str, str]) -> None:
    """Each command, by its package when it is missing. Root only."""
    missing = [package for command, package in commands if not shutil.which(command)]
    if missing and os.geteuid() != 0:
        refuse(f"expected {', '.join(missing)} to be installed: install them, or run this as root")
    if missing:
        install(*missing)
