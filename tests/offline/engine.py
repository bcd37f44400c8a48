"""A container engine on a Debian machine without systemd: installed and started once, with compose and buildx."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.docker_cli import EngineConnection
from scripts.environments import refuse, run, say
from tests.offline.debian import require, unpack

PID = Path("/var/run/docker.pid")
CONTAINERD_PID = Path("/var/run/docker/containerd/containerd.pid")
LOG = Path("/var/log/dockerd.log")
LOCK = Path("/var/run/trackback-engine.lock")
SECONDS = 60
# Debian 12 has neither in a version that knows today's compose files.
SUITE, PLUGINS = "trixie", ("docker-compose", "docker-buildx")


def main() -> None:
    if not answers():
        if os.geteuid() != 0:
            refuse("expected a container engine, found none that answers: start Docker, or run this as root on Debian")
        with LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not answers():
                start()
    plugins()


def answers() -> bool:
    try:
        connection = EngineConnection()
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False


def start() -> None:
    """Raises SystemExit with the engine's last words when it does not come up."""
    require(("dockerd", "docker.io"), ("iptables", "iptables"), ("cgroupfs-mount", "cgroupfs-mount"))
    mount_cgroups()
    if subprocess.run(["iptables", "-w", "-L", "-n"], capture_output=True, check=False).returncode != 0:
        run(["update-alternatives", "--set", "iptables", "/usr/sbin/iptables-legacy"], quiet=True)
    for path, program in ((PID, "dockerd"), (CONTAINERD_PID, "containerd")):
        if running(path) != program:
            path.unlink(missing_ok=True)
    with LOG.open("ab") as log:
        engine = subprocess.Popen(["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + SECONDS
    while not answers():
        if engine.poll() is not None or time.monotonic() > deadline:
            last = LOG.read_text(errors="replace").splitlines()[-5:]
            refuse("expected the engine to start, it did not:\n" + "\n".join(last))
        time.sleep(0.1)
    say(f"started the engine (dockerd, process {engine.pid}); its log is {LOG}")


def mount_cgroups() -> None:
    if " /sys/fs/cgroup" not in Path("/proc/mounts").read_text():
        run(["cgroupfs-mount"])


def running(file: Path) -> str:
    """The name of the process whose number is in `file`, empty when there is none, or one that has ended unnoticed."""
    try:
        status = Path(f"/proc/{int(file.read_text())}/status").read_text()
    except (OSError, ValueError):
        return ""
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return "" if facts["State"].startswith("Z") else facts["Name"]


def plugins() -> None:
    folder = Path.home() / ".docker" / "cli-plugins"
    missing = [name for name in PLUGINS if not has_plugin(name.removeprefix("docker-"))]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as unpacked:
        unpack(SUITE, missing, Path(unpacked))
        folder.mkdir(parents=True, exist_ok=True)
        for name in missing:
            shutil.copy(Path(unpacked) / "usr/libexec/docker/cli-plugins" / name, folder / name)
    say(f"put {' and '.join(missing)} into {folder}")


def has_plugin(name: str) -> bool:
    return subprocess.run(["docker", name, "version"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
