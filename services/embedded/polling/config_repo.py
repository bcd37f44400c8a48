"""A git repository that holds pipelines: read, checked, and taken over only when all of it is good."""

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from services.contract.errors import Refused
from services.embedded.clock import Clock
from services.embedded.pipelines.pipeline_set import merged
from services.embedded.pipelines.pipelines import Pipelines, load_pipelines
from services.embedded.polling.backoff import Rhythm
from services.embedded.polling.git_clone import Commit, GitClone, GitFailed
from services.embedded.polling.health import Health
from services.embedded.polling.rounds import Rounds

YAML_PLUGIN = "yaml.config.plugin"
DEFAULT_PATTERN = "**/*.gocd.yaml,**/*.gocd.yml"


@dataclass(frozen=True)
class Rule:
    allow: bool
    type: str
    resource: str


@dataclass(frozen=True)
class ConfigRepo:
    id: str
    url: str
    branch: str
    auto_update: bool
    file_pattern: str | None
    rules: tuple[Rule, ...]

    @property
    def description(self) -> str:
        return f"URL: {self.url}, Branch: {self.branch}"

    def may_use(self, group: str) -> bool:
        """The first rule that speaks of the group decides; what no rule speaks of is denied."""
        for rule in self.rules:
            if rule.type in ("pipeline_group", "*") and fnmatchcase(group.lower(), rule.resource.lower()):
                return rule.allow
        return False


@dataclass(frozen=True)
class ParseInfo:
    """The newest commit that was read, the newest that was good, and what is wrong with the former."""

    latest: Commit | None = None
    good: Commit | None = None
    error: str | None = None


class ConfigRepoPoller(Rounds):
    """`take_over` makes the pipelines current, and raises Refused when they clash with others."""

    def __init__(
        self,
        repo: ConfigRepo,
        clone: GitClone,
        health: Health,
        clock: Clock,
        rhythm: Rhythm,
        take_over: Callable[[str, Pipelines | None], None],
    ) -> None:
        super().__init__(f"config-repo-{repo.id}", clock, rhythm, repo.auto_update)
        self.repo = repo
        self._clone = clone
        self._health = health
        self._take_over = take_over
        self._info = ParseInfo()
        self._knowing = threading.Lock()

    @property
    def info(self) -> ParseInfo:
        with self._knowing:
            return self._info

    def recover(self) -> None:
        """The pipelines that were good when the server ended, without asking the repository."""
        try:
            if good := self._clone.good():
                self._use(good)
        except GitFailed:
            return  # the first poll says what is wrong

    def poll(self) -> bool:
        """False when the repository cannot be read; wrong content waits for another commit."""
        subject = f"material {self.repo.id}"
        try:
            commit = self._clone.fetch()
            if commit != self.info.latest:
                self._use(commit)
        except GitFailed as failure:
            message = f"Modification check failed for material: {self.repo.description}"
            self._health.error(subject, message, str(failure))
            return False
        self._health.well(subject)
        return True

    def _use(self, commit: Commit) -> None:
        subject = f"config-repo {self.repo.id}"
        try:
            self._take_over(self.repo.id, self._parsed(commit))
        except Refused as refused:
            self._know(ParseInfo(commit, self.info.good, str(refused)))
            parsing = f"Parsing configuration repository using Plugin {YAML_PLUGIN} failed for material"
            self._health.error(subject, f"{parsing}: {self.repo.description}", str(refused))
        else:
            self._clone.keep_as_good(commit)
            self._know(ParseInfo(commit, commit))
            self._health.well(subject)

    def _know(self, info: ParseInfo) -> None:
        with self._knowing:
            self._info = info

    def _parsed(self, commit: Commit) -> Pipelines | None:
        """None when no file matches. Raises Refused, naming file and line."""
        paths = self._clone.files(commit, self.repo.file_pattern or DEFAULT_PATTERN)
        found = [_load(path, self._clone.read(commit, path)) for path in paths]
        for pipelines in found:
            self._refuse_other_groups(pipelines)
        return merged(found) if found else None

    def _refuse_other_groups(self, pipelines: Pipelines) -> None:
        for config in pipelines.pipelines.values():
            if not self.repo.may_use(config.group):
                raise Refused(
                    f"Not allowed to refer to pipeline group '{config.group}'."
                    " Check the 'Rules' of this config repository."
                )


def _load(path: str, text: str) -> Pipelines:
    """Checked as a file of its own; the complaint names the path in the repository."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipelines.gocd.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            return load_pipelines(file)
        except Refused as refused:
            raise Refused(str(refused).replace(str(file), path)) from refused
