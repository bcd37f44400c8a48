"""A bare clone of one branch of a git repository: its newest commit, and the files in it."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60
_GOOD = "refs/trackback/good"


class GitFailed(Exception):
    """The text is git's message on one line."""


@dataclass(frozen=True)
class Commit:
    revision: str
    author: str
    email: str
    comment: str
    at: str


class GitClone:
    """Every method raises GitFailed. `folder` holds the clone, and in a ref the newest valid commit."""

    def __init__(self, url: str, branch: str, folder: Path) -> None:
        self._url, self._branch, self._folder = url, branch, folder

    def fetch(self) -> Commit:
        """Fetches, and returns the newest commit of the branch."""
        if not self._folder.is_dir():
            self._run("init", "--quiet", "--bare", str(self._folder))
        source = f"+refs/heads/{self._branch}:refs/heads/{self._branch}"
        self._git("-c", "gc.auto=0", "fetch", "--quiet", "--no-tags", "--depth=1", "--", self._url, source)
        return self._commit(f"refs/heads/{self._branch}")

    def keep_as_good(self, commit: Commit) -> None:
        self._git("update-ref", _GOOD, commit.revision)

    def good(self) -> Commit | None:
        """The commit of the last `keep_as_good`, also of an earlier start of the server; None before the first."""
        if not self._folder.is_dir() or not self._git("for-each-ref", _GOOD):
            return None
        return self._commit(_GOOD)

    def files(self, commit: Commit, pattern: str) -> list[str]:
        """Paths that match one of GoCD's comma-separated patterns: `*` matches within a folder, `**` across folders."""
        wanted = [_expression(part.strip()) for part in pattern.split(",")]
        found = self._git("ls-tree", "-r", "-z", "--name-only", commit.revision).split("\0")
        return [path for path in found if any(expression.fullmatch(path) for expression in wanted)]

    def read(self, commit: Commit, path: str) -> str:
        return self._git("show", f"{commit.revision}:{path}")

    def _commit(self, reference: str) -> Commit:
        return Commit(*self._git("log", "-1", "--format=%H%x00%an%x00%ae%x00%s%x00%cI", reference).strip().split("\0"))

    def _git(self, *arguments: str) -> str:
        return self._run(f"--git-dir={self._folder}", *arguments)

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments], env=_environment(), capture_output=True, text=True, timeout=SECONDS, check=True
            )
        except subprocess.CalledProcessError as error:
            raise GitFailed(" ".join(error.stderr.split()) or f"git ended with {error.returncode}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitFailed(str(error)) from error
        return done.stdout


def _environment() -> dict[str, str]:
    """Allows only GoCD's protocols, because git's `ext::` would run a command. Git asks nobody for a password."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**ours, "GIT_ALLOW_PROTOCOL": "http:https:ssh:git:file", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts))
