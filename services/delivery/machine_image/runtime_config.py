"""How crun runs a release's container in the machine image: one user, no network, nothing writable but the output.

Source: OCI Runtime Specification 1.0.2.
"""

from typing import Any

from services.delivery.machine_image.seccomp import profile

USER = 64_000
_CAPABILITY_SETS = ("ambient", "bounding", "effective", "inheritable", "permitted")
_NAMESPACES = ("cgroup", "ipc", "mount", "network", "pid", "uts")
_MASKED = (
    "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
    "/proc/timer_list", "/sys/devices/virtual/powercap", "/sys/firmware",
)  # fmt: skip
_READ_ONLY = ("/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def runtime_config(image: dict[str, Any], release: str, digest: str) -> dict[str, Any]:
    """`config.json` of the bundle, for the image's own configuration, the release's digest and the image's."""
    return {
        "ociVersion": "1.0.2",
        "hostname": "score",
        "root": {"path": "rootfs", "readonly": True},
        "process": _process(image, release, digest),
        "mounts": _mounts(),
        "linux": {
            "namespaces": [{"type": kind} for kind in _NAMESPACES],
            "resources": {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 256}},
            "seccomp": profile(),
            "maskedPaths": list(_MASKED),
            "readonlyPaths": list(_READ_ONLY),
        },
    }


def _process(image: dict[str, Any], release: str, digest: str) -> dict[str, Any]:
    command = ["python", "-m", "services.prediction.batch", "/release", "--digest", release]
    return {
        "terminal": False,
        "user": {"uid": USER, "gid": USER},
        "args": [*command, "--input", "/in", "--output", "/out", "--image", digest],
        "env": list(image.get("Env") or []),
        "cwd": image.get("WorkingDir") or "/",
        "capabilities": {kind: [] for kind in _CAPABILITY_SETS},
        "rlimits": [_limit("RLIMIT_NOFILE", 4096), _limit("RLIMIT_CORE", 0)],
        "noNewPrivileges": True,
    }


def _limit(kind: str, most: int) -> dict[str, Any]:
    return {"type": kind, "hard": most, "soft": most}


def _mounts() -> list[dict[str, Any]]:
    safe = ["nosuid", "noexec", "nodev"]
    return [
        _mount("/proc", "proc", "proc", []),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=64k"]),
        _mount("/dev/shm", "tmpfs", "shm", [*safe, "mode=1777", "size=64m"]),  # noqa: S108  in the container
        _mount("/tmp", "tmpfs", "tmp", [*safe, "mode=1777", "size=512m"]),  # noqa: S108
        _mount("/sys", "sysfs", "sysfs", [*safe, "ro"]),
        _mount("/in", "bind", "/io/in", ["bind", "ro", *safe]),
        _mount("/out", "bind", "/io/out", ["bind", "rw", *safe]),
    ]


def _mount(place: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": place, "type": kind, "source": source, "options": options}
