"""Serves the pipelines to GoCD: a bare repository that follows a checkout, behind `git daemon`.

`python -m services.gocd.repository --checkout /checkout --folder /repository` answers at git://<host>/pipelines.git.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.contract.errors import Refused
from services.contract.signals import exit_on

NAME, BRANCH = "pipelines.git", "main"
PORT = 9418
STOP_SECONDS = 5


class Repository:
    """Its one branch is what is checked out over there, whatever that is called."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self._checkout, self._folder = checkout.resolve(), folder.resolve()
        self._path = self._folder / NAME
        self._served = ""
        self.environment = _environment(self._folder / "gitconfig")

    def create(self) -> None:
        """Raises Refused when there is nothing to serve."""
        if not (self._checkout / ".git").exists():
            raise Refused(f"{self._checkout}: expected a git repository, found none: mount a clone, not an archive")
        self._folder.mkdir(parents=True, exist_ok=True)
        # The checkout belongs to somebody else, which git mistrusts; here it is only read.
        (self._folder / "gitconfig").write_text("[safe]\n\tdirectory = *\n", encoding="utf-8")
        self._git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(self._path))
        if problem := self.follow():
            raise Refused(f"{self._checkout}: expected a git repository with a commit: {problem}")

    def follow(self) -> str | None:
        """Takes over what was committed since; why not, when it cannot."""
        try:
            head = self._git("-C", str(self._checkout), "rev-parse", "--verify", "--quiet", "HEAD^{commit}").strip()
            if head != self._served:
                source = ("--quiet", "--no-tags", "--update-shallow", str(self._checkout), f"+HEAD:refs/heads/{BRANCH}")
                self._git("-C", str(self._path), "fetch", *source)
                self._served = head
                _say(f"serving {head}")
        except subprocess.CalledProcessError as error:
            return " ".join((error.stderr or "").split()) or "HEAD is no commit"
        return None

    def daemon(self, host: str, port: int) -> "subprocess.Popen[bytes]":
        """Read only, and nothing but this repository."""
        command = ["git", "daemon", "--reuseaddr", f"--listen={host}", f"--port={port}", "--export-all"]
        command += [f"--base-path={self._folder}", "--strict-paths", "--informative-errors", str(self._path)]
        return subprocess.Popen(command, env=self.environment, process_group=0)

    def _git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout


def _environment(config: Path) -> Mapping[str, str]:
    """By a file: what the environment says of safe directories does not reach the git that reads the checkout."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**ours, "GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def serve(repository: Repository, host: str, port: int, every: float) -> None:
    """Until the daemon ends, which is a reason to end as well; Refused says so."""
    daemon = repository.daemon(host, port)
    problem = None
    try:
        while True:
            try:
                raise Refused(f"git daemon at {host}:{port} ended with exit {daemon.wait(every)}: is the port free?")
            except subprocess.TimeoutExpired:
                before, problem = problem, repository.follow()
                if problem and problem != before:
                    _say(f"cannot follow the checkout, serving what was there: {problem}")
    finally:
        _end(daemon)


def _end(daemon: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(daemon.pid, number)
            daemon.wait(STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.gocd.repository", description=__doc__)
    parser.add_argument("--checkout", type=Path, required=True, help="the clone that people commit into")
    parser.add_argument("--folder", type=Path, required=True, help="where the repository that is served is kept")
    parser.add_argument("--host", default="0.0.0.0", help="the address to answer at")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--every", type=float, default=2, metavar="SECONDS", help="how often to look for a commit")
    options = parser.parse_args(arguments)
    try:
        with exit_on(signal.SIGTERM), exit_on(signal.SIGINT, status=130):
            repository = Repository(options.checkout, options.folder)
            repository.create()
            serve(repository, options.host, options.port, options.every)
    except Refused as refused:
        _say(str(refused))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
