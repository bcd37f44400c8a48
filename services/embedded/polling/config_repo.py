"""A git repository that holds pipelines: polled, checked, and put in force only when all of it is valid."""

import tempfile
import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from services.contract.errors import Refused
from services.embedded.pipelines.gocd_yaml import Pipelines, load_pipelines
from services.embedded.pipelines.pipeline_set import merged
from services.embedded.polling.dependencies import PipelinePolling
from services.embedded.polling.git_clone import Commit, GitClone, GitFailed
from services.embedded.polling.poll_loop import PollLoop

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
        """The first rule that matches the group decides; without one it is denied."""
        for rule in self.rules:
            if rule.type in ("pipeline_group", "*") and fnmatchcase(group.lower(), rule.resource.lower()):
                return rule.allow
        return False


@dataclass(frozen=True)
class ParseInfo:
    """The newest commit that was read, the newest valid one, and what is wrong with the former, if anything."""

    latest: Commit | None = None
    good: Commit | None = None
    error: str | None = None


class ConfigRepoPoller(PollLoop):
    def __init__(self, repo: ConfigRepo, clone: GitClone, polling: PipelinePolling) -> None:
        super().__init__(f"config-repo-{repo.id}", polling.clock, polling.intervals, repo.auto_update)
        self.repo = repo
        self._clone = clone
        self._polling = polling
        self._info = ParseInfo()
        self._info_lock = threading.Lock()

    @property
    def info(self) -> ParseInfo:
        with self._info_lock:
            return self._info

    def recover(self) -> None:
        """Puts the pipelines in force that were valid when the server ended, without a fetch."""
        try:
            if good := self._clone.good():
                self._use(good)
        except GitFailed:
            return  # the first poll says what is wrong

    def poll(self) -> bool:
        """False when the repository cannot be read. Invalid content is no failed poll: only another commit mends it."""
        subject = f"material {self.repo.id}"
        try:
            commit = self._clone.fetch()
            if commit != self.info.latest:
                self._use(commit)
        except GitFailed as failure:
            message = f"Modification check failed for material: {self.repo.description}"
            self._polling.health.error(subject, message, str(failure))
            return False
        self._polling.health.clear(subject)
        return True

    def _use(self, commit: Commit) -> None:
        subject = f"config-repo {self.repo.id}"
        try:
            self._polling.replace_pipelines(self.repo.id, self._parsed(commit))
        except Refused as refused:
            self._set_info(ParseInfo(commit, self.info.good, str(refused)))
            parsing = f"Parsing configuration repository using Plugin {YAML_PLUGIN} failed for material"
            self._polling.health.error(subject, f"{parsing}: {self.repo.description}", str(refused))
        else:
            self._clone.keep_as_good(commit)
            self._set_info(ParseInfo(commit, commit))
            self._polling.health.clear(subject)

    def _set_info(self, info: ParseInfo) -> None:
        with self._info_lock:
            self._info = info

    def _parsed(self, commit: Commit) -> Pipelines | None:
        """None when no file matches the pattern. Raises Refused with file and line."""
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
    """Checked as a file of its own. Raises Refused with the path in the repository."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipelines.gocd.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            return load_pipelines(file)
        except Refused as refused:
            raise Refused(str(refused).replace(str(file), path)) from refused
