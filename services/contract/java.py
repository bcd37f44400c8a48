"""The Java that Spark starts: found, or what to say when there is none, or when it cannot start a session."""

import os
import shutil
import subprocess
from pathlib import Path

from services.contract.errors import Refused, jvm_reason


def refuse_without_java() -> None:
    """Raises Refused when there is none in JAVA_HOME, or without that none on PATH."""
    home = os.environ.get("JAVA_HOME")
    if not shutil.which(_java_of(home)):
        where = f"in JAVA_HOME, {home}" if home else "on PATH"
        raise Refused(f"expected a Java of version 17 or newer {where}, found none: Spark needs one")


def without_session(master: str, error: Exception) -> Refused:
    """What to raise when Spark cannot start a session at `master`."""
    found = java_version(os.environ.get("JAVA_HOME"))
    return Refused(
        f"expected a Spark session at {master}, cannot start it with Java 17 or newer, found {found}: "
        f"{jvm_reason(error)}"
    )


def java_version(home: str | None) -> str:
    """What that Java says of itself, in words; for an error, after Spark could not start it."""
    try:
        asked = [_java_of(home), "-version"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False).stderr  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    return next(iter(said.splitlines()), "one without a version")


def _java_of(home: str | None) -> str:
    """The `java` that Spark starts, by the value of JAVA_HOME."""
    return str(Path(home) / "bin" / "java") if home else "java"
