"""The config repos that were defined, and one poller for each."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from services.embedded.clock import Clock
from services.embedded.pipelines.pipelines import Pipelines
from services.embedded.polling.backoff import Rhythm
from services.embedded.polling.config_repo import ConfigRepo, ConfigRepoPoller, Rule
from services.embedded.polling.git_clone import GitClone
from services.embedded.polling.health import Health
from services.embedded.records.database import Database


class ConfigRepos:
    def __init__(
        self,
        database: Database,
        folder: Path,
        health: Health,
        clock: Clock,
        rhythm: Rhythm,
        take_over: Callable[[str, Pipelines | None], None],
    ) -> None:
        self._database = database
        self._take_over = take_over
        self._lock = threading.Lock()
        self._create: Callable[[ConfigRepo], ConfigRepoPoller] = lambda repo: ConfigRepoPoller(
            repo, GitClone(repo.url, repo.branch, folder / f"{repo.id}.git"), health, clock, rhythm, take_over
        )
        self._pollers = {repo.id: self._create(repo) for repo in self._known()}

    def recover(self) -> None:
        """Before anything runs: a job that was interrupted needs its pipeline."""
        for poller in self.pollers():
            poller.recover()

    def start(self) -> None:
        for poller in self.pollers():
            poller.start()

    def stop(self) -> None:
        for poller in self.pollers():
            poller.stop()

    def add(self, repo: ConfigRepo) -> None:
        """Begins to follow it."""
        with self._lock:
            self._database.run("INSERT INTO config_repos VALUES (?, ?)", repo.id, json.dumps(asdict(repo)))
            self._pollers[repo.id] = self._create(repo)
            self._pollers[repo.id].start()

    def replace(self, repo: ConfigRepo) -> None:
        """Follows it from now on. What came from another place is gone until this one has been read, as in GoCD."""
        with self._lock:
            moved = self._pollers[repo.id].repo.description != repo.description
            self._pollers[repo.id].stop()
            self._database.run("UPDATE config_repos SET definition = ? WHERE id = ?", json.dumps(asdict(repo)), repo.id)
            self._pollers[repo.id] = self._create(repo)
        if moved:
            self._take_over(repo.id, None)
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
