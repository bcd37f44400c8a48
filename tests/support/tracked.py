"""Which files belong to the checkout."""

import subprocess

from tests.support.paths import ROOT


def tracked() -> list[str]:
    """Paths from the root: what git has, and what it would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
