"""The config repos, each with its definition in the database and a poller."""

import json
import threading
from dataclasses import asdict
from pathlib import Path

from services.embedded.polling.config_repo import ConfigRepo, ConfigRepoPoller, Rule
from services.embedded.polling.dependencies import PipelinePolling
from services.embedded.polling.git_clone import GitClone
from services.embedded.records.database import Database


class ConfigRepos:
    def __init__(self, database: Database, folder: Path, polling: PipelinePolling) -> None:
        """`folder` holds the clones."""
        self._database = database
        self._folder = folder
        self._polling = polling
        self._lock = threading.Lock()
        self._pollers = {repo.id: self._create(repo) for repo in self._known()}

    def _create(self, repo: ConfigRepo) -> ConfigRepoPoller:
        return ConfigRepoPoller(repo, GitClone(repo.url, repo.branch, self._folder / f"{repo.id}.git"), self._polling)

    def recover(self) -> None:
        """Puts the pipelines in force that were valid when the server ended, without a fetch."""
        for poller in self.pollers():
            poller.recover()

    def start(self) -> None:
        for poller in self.pollers():
            poller.start()

    def stop(self) -> None:
        for poller in self.pollers():
            poller.stop()

    def add(self, repo: ConfigRepo) -> None:
        """Stores its definition and polls it from now on."""
        with self._lock:
            self._database.run("INSERT INTO config_repos VALUES (?, ?)", repo.id, json.dumps(asdict(repo)))
            self._pollers[repo.id] = self._create(repo)
            self._pollers[repo.id].start()

    def replace(self, repo: ConfigRepo) -> None:
        """When URL or branch differ, the pipelines of before are gone until the new place was read, as in GoCD."""
        with self._lock:
            moved = self._pollers[repo.id].repo.description != repo.description
            self._pollers[repo.id].stop()
            self._database.run("UPDATE config_repos SET definition = ? WHERE id = ?", json.dumps(asdict(repo)), repo.id)
            self._pollers[repo.id] = self._create(repo)
        if moved:
            self._polling.replace_pipelines(repo.id, None)
        self._pollers[repo.id].start()

    def pollers(self) -> list[ConfigRepoPoller]:
        with self._lock:
            return list(self._pollers.values())

    def poller(self, identity: str) -> ConfigRepoPoller | None:
        with self._lock:
            return self._pollers.get(identity)

    def _known(self) -> list[ConfigRepo]:
        rows = self._database.all("SELECT definition FROM config_repos ORDER BY rowid")
        return [_config_repo(row["definition"]) for row in rows]


def _config_repo(text: str) -> ConfigRepo:
    content = json.loads(text)
    return ConfigRepo(**{**content, "rules": tuple(Rule(**rule) for rule in content["rules"])})
