"""Sets up what a script needs with nothing but Python's standard library; a second run skips what is done.

usage: bootstrap.py NEED [NEED ...] [-- COMMAND [ARGUMENT ...]]
NEED is `platform`, `plugin`, `image`, `s3a`, `uv` or the name of a file in requirements/ or benchmarks/peers/. COMMAND
takes this process' place.
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = Path(os.environ.get("TRACKBACK_ENVIRONMENTS") or ROOT / ".venv")
UV = ROOT / ".tools" / "uv"
JARS = ("plugin/package-repository/target/trackback-mlflow-plugin.jar", "plugin/host/target/trackback-plugin-host.jar")
JAVA = 17
S3A = ROOT / "services" / "batch" / "s3a"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
LOCKS = (ROOT / "requirements", ROOT / "benchmarks" / "peers")
PLATFORM = ("delivery", "training", "prediction-onnx", "prediction-fasttext", "prediction-sklearn")


def main(arguments: list[str]) -> None:
    signal.signal(signal.SIGTERM, stop)
    needs, command = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        needs, command = arguments[:at], arguments[at + 1 :]
    for need in needs:
        known = {"platform": platform, "plugin": plugin, "spark": spark, "s3a": s3a, "uv": uv, "image": image}
        known.get(need, partial(environment, need))()
    if command:
        os.chdir(ROOT)
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execvp(command[0], command)  # noqa: S606  the process that was asked for, without a shell


def platform() -> None:
    """All that the demo and the platform need; Spark is set up when a model first asks for it."""
    for name in PLATFORM:
        environment(name)
    plugin()


def spark() -> None:
    java("java")
    environment("spark")


def image() -> None:
    """The tools that make machine images and boot them."""
    # With the checkout on the path, the list of whoever calls the tools is at hand, which needs nothing else.
    sys.path.insert(0, str(ROOT))
    from services.delivery.machine_image.tools import BOOTING, BUILDING, missing_packages

    if missing := missing_packages({**BUILDING, **BOOTING}):
        apt(" ".join(missing), "the tools of machine images")


def environment(name: str) -> None:
    """`.venv/<name>` holds exactly what requirements/<name>.txt locks; TRACKBACK_ENVIRONMENTS is another folder.

    What benchmarks compare with has its lock in benchmarks/peers.
    """
    locks = {path.stem: path for folder in LOCKS for path in folder.glob("*.txt")}
    if not (lock := locks.get(name)):
        known = ", ".join(sorted(locks))
        refuse(f"expected platform, plugin, image or an environment ({known}), found '{name}'")
    folder = ENVIRONMENTS / name
    stamp, wanted = folder / ".lock", _digest([lock], sys.version)
    if _is(stamp, wanted):
        return
    installer = uv()
    with alone(name):
        if not _is(stamp, wanted):
            say(f"setting up the environment '{name}' ({count(lock)} packages, once)")
            _install(installer, folder, lock)
            stamp.write_text(wanted)


def _install(installer: Path, folder: Path, lock: Path) -> None:
    run([installer, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
    options = ("--quiet", "--require-hashes", "--compile-bytecode", "--python", folder, "-r", lock)
    run([installer, "pip", "install", *options])


def uv() -> Path:
    """The same for every Python: it is a program of its own."""
    lock = ROOT / "requirements" / "uv.txt"
    stamp, wanted = UV / ".lock", _digest([lock], "")
    if _is(stamp, wanted):
        return UV / "bin" / "uv"
    with alone("uv"):
        if not _is(stamp, wanted):
            say("setting up uv, the installer (once)")
            if not _has_venv():
                apt("python3-venv", "Python's venv module")
            shutil.rmtree(UV, ignore_errors=True)
            run([sys.executable, "-m", "venv", UV])
            run([UV / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock])
            stamp.write_text(wanted)
    return UV / "bin" / "uv"


@contextmanager
def alone(name: str, place: Path = ENVIRONMENTS) -> Iterator[None]:
    """Two that set up the same take turns, because each begins by removing what is there."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        turn = (place / f".{name}.setting-up").open("wb")
    except OSError as error:
        refuse(f"{place}: expected a folder to set up '{name}' in, cannot write there: {error.strerror}")
    with turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _has_venv() -> bool:
    return (
        subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode
        == 0
    )


def plugin() -> None:
    """The plugin's and its JVM host's jars, built from the sources that are here."""
    sources = sorted(path for path in (ROOT / "plugin").rglob("*") if path.is_file() and "target" not in path.parts)
    stamp, wanted = ROOT / "plugin" / "target" / ".sources", _digest(sources, "")

    def built() -> bool:
        return _is(stamp, wanted) and all((ROOT / jar).is_file() for jar in JARS)

    if built():
        return
    java("javac")
    if not shutil.which("mvn"):
        apt("maven", "Maven")
    with alone("plugin"):
        if not built():
            say("building the GoCD plugin with Maven (once; the first time it downloads Maven's own parts)")
            # Without `clean`, classes of sources that are gone would stay in the jar.
            options = ("--batch-mode", "--quiet", "-Dstyle.color=never", "-DskipTests")
            run(["mvn", *options, "--file", ROOT / "plugin" / "pom.xml", "clean", "package"])
            stamp.parent.mkdir(exist_ok=True)
            stamp.write_text(wanted)


def s3a() -> None:
    """The jars that Spark lacks for object stores, each the one whose digest is recorded."""
    place, lock = ROOT / ".tools" / "s3a", S3A / "s3a.sha256"
    stamp, wanted = place / ".lock", _digest([S3A / "pom.xml", lock], "")
    if _is(stamp, wanted):
        return
    java("java")
    if not shutil.which("mvn"):
        apt("maven", "Maven")
    with alone("s3a"):
        if not _is(stamp, wanted):
            say("fetching the jars for s3a://… with Maven (once)")
            shutil.rmtree(place, ignore_errors=True)
            options = ("--batch-mode", "--quiet", "-Dstyle.color=never", "--file", S3A / "pom.xml")
            run(["mvn", *options, COPY, f"-DoutputDirectory={place}"])
            _compare(place, lock)
            stamp.write_text(wanted)


def _compare(place: Path, lock: Path) -> None:
    expected = dict(line.split()[::-1] for line in lock.read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.glob("*.jar")}
    if wrong := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        refuse(f"expected the jars of {lock.relative_to(ROOT)}, found other bytes of {', '.join(wrong)}: look at them")


def java(tool: str) -> None:
    """A runtime is enough for Spark; Maven needs the compiler."""
    if (found := _java_version()) < JAVA or not shutil.which(tool):
        apt("openjdk-17-jdk-headless", f"a JDK ≥ {JAVA} (found {found or 'none'})")


def _java_version() -> int:
    if not shutil.which("java"):
        return 0
    done = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else 0


def apt(packages: str, what: str) -> None:
    """Installs Debian packages, or says in one line what a person has to install."""
    if not shutil.which("apt-get") or (sudo := _privileges()) is None:
        refuse(f"please install {what}, which cannot be done from here (Debian: {packages}), and start again")
    say(f"installing {what}: {packages}, with apt-get")
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages.split()]):
        run([*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *command], quiet=True)


def _privileges() -> list[str] | None:
    """What to put before a command that only root may run; None when there is no way without a password."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    able = shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0
    return sudo if able else None


def run(command: Iterable[str | Path], quiet: bool = False) -> None:
    """Runs to the end, with all it starts in a group of its own that is ended when this process is.

    What it prints goes to stderr, because stdout is for the data of the command that follows.
    """
    words = [str(word) for word in command]
    code, printed = ended(words, subprocess.PIPE if quiet else sys.stderr)
    if code != 0:
        refuse(f"expected '{' '.join(words[:4])} …' to succeed, found exit {code}\n{printed}".rstrip())


def ended(command: Iterable[str | Path], output: int | TextIO) -> tuple[int, str]:
    """Its exit code and what it printed, nothing when that went to a file."""
    with subprocess.Popen(
        [str(word) for word in command],
        process_group=0,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            printed, _ = process.communicate()
        except BaseException:
            _end_group(process)
            raise
    return process.returncode, printed or ""


def _end_group(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _digest(files: list[Path], extra: str) -> str:
    total = hashlib.sha256(extra.encode())
    for file in files:
        total.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return total.hexdigest()


def _is(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text() == wanted


def count(lock: Path) -> int:
    return sum("==" in line for line in lock.read_text().splitlines())


def say(text: str) -> None:
    sys.stderr.write(f"[{time.strftime('%H:%M:%S')}] {text}\n")
    sys.stderr.flush()


def refuse(text: str, code: int = 1) -> NoReturn:
    sys.stderr.write(text + "\n")
    raise SystemExit(code)


def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(143)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        refuse("stopped; start again to go on where this ended")
