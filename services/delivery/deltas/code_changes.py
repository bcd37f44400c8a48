"""What was changed in the code between two runs: their commits, and what git says of both where it has them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from services.contract.candidate import RunFacts
from services.contract.comparison import Change

_MOST_FILES = 20
_SECONDS = 10
# What a run says of itself is not taken for an option of git.
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def code_changes(candidate: RunFacts, live: RunFacts, checkout: Path | None) -> Iterator[Change]:
    """The commits, the lines that were added and removed in all, and in the files in which most were."""
    ours, theirs = _told(candidate), _told(live)
    if ours != theirs:
        yield Change(kind="code", name="commit", candidate=ours, live=theirs)
    files = _lines_changed(checkout, live.git_commit, candidate.git_commit) if checkout else {}
    if files:
        added, removed = map(sum, zip(*files.values(), strict=True))
        yield _stat("diff", added, removed, f"{len(files)} files: ")
    for path in sorted(files, key=lambda path: -sum(files[path]))[:_MOST_FILES]:
        yield _stat(path, *files[path])


def _told(run: RunFacts) -> str | None:
    return run.git_commit and f"{run.git_commit[:12]}{' with uncommitted changes' if run.git_dirty else ''}"


def _stat(name: str, added: int, removed: int, before: str = "") -> Change:
    return Change(kind="code", name=name, candidate=f"{before}+{added} -{removed} lines", live=None)


def _lines_changed(checkout: Path, before: str | None, after: str | None) -> dict[str, tuple[int, int]]:
    """By path, added and removed; none of a file that is not of text; empty when git does not know both commits."""
    commits = [one for one in (before, after) if one and _COMMIT.fullmatch(one)]
    if len(commits) < 2 or before == after:
        return {}
    command = ["git", "-C", str(checkout), "diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", *commits]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = (line.split("\t", 2) for line in done.stdout.decode(errors="replace").split("\0") if line)
    return {path: (_count(added), _count(removed)) for added, removed, path in lines}


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 0
