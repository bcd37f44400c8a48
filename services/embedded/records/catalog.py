"""Package repositories and packages, as they were created through the API."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from services.embedded.records.database import Database, Row


@dataclass(frozen=True)
class Property:
    """A configured value, with what the plugin says of its key."""

    key: str
    value: str
    secure: bool
    identity: bool


@dataclass(frozen=True)
class Repository:
    id: str
    name: str
    plugin: str
    version: str
    properties: tuple[Property, ...]


@dataclass(frozen=True)
class Package:
    id: str
    name: str
    repository: Repository
    auto_update: bool
    properties: tuple[Property, ...]

    @property
    def fingerprint(self) -> str:
        """GoCD's formula (PackageDefinition.getFingerprint): the package's own properties come first."""
        identity = [f"{it.key}={it.value}" for it in (*self.properties, *self.repository.properties) if it.identity]
        return _sha256("<|>".join([f"plugin-id={self.repository.plugin}", *identity]))

    @property
    def description(self) -> str:
        return f"Repository: [{_shown(self.repository.properties)}] - Package: [{_shown(self.properties)}]"


def dependency_fingerprint(pipeline: str, stage: str) -> str:
    """GoCD's formula (DependencyMaterial)."""
    return _sha256(f"type=DependencyMaterial<|>pipelineName={pipeline}<|>stageName={stage}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _shown(properties: Iterable[Property]) -> str:
    return ", ".join(f"{it.key.lower()}={it.value}" for it in properties if it.identity and not it.secure)


class Catalog:
    def __init__(self, database: Database) -> None:
        self._database = database

    def repositories(self) -> list[Repository]:
        return [_repository(row) for row in self._database.all("SELECT * FROM repositories ORDER BY rowid")]

    def repository(self, identity: str) -> Repository | None:
        return next((it for it in self.repositories() if it.id == identity), None)

    def packages(self) -> list[Package]:
        known = {it.id: it for it in self.repositories()}
        rows = self._database.all("SELECT * FROM packages ORDER BY rowid")
        return [_package(row, known[row["repository"]]) for row in rows]

    def package(self, identity: str) -> Package | None:
        return next((it for it in self.packages() if it.id == identity), None)

    def add_repository(self, new: Repository) -> None:
        self._database.run(
            "INSERT INTO repositories VALUES (?, ?, ?, ?, ?)",
            new.id,
            new.name,
            new.plugin,
            new.version,
            _written(new.properties),
        )

    def add_package(self, new: Package) -> None:
        self._database.run(
            "INSERT INTO packages VALUES (?, ?, ?, ?, ?)",
            new.id,
            new.name,
            new.repository.id,
            new.auto_update,
            _written(new.properties),
        )

    def replace_repository(self, new: Repository) -> None:
        statement = "UPDATE repositories SET name = ?, plugin = ?, version = ?, properties = ? WHERE id = ?"
        self._database.run(statement, new.name, new.plugin, new.version, _written(new.properties), new.id)

    def replace_package(self, new: Package) -> None:
        statement = "UPDATE packages SET name = ?, repository = ?, auto_update = ?, properties = ? WHERE id = ?"
        self._database.run(statement, new.name, new.repository.id, new.auto_update, _written(new.properties), new.id)


def _written(properties: Iterable[Property]) -> str:
    return json.dumps([asdict(it) for it in properties])


def _read(text: str) -> tuple[Property, ...]:
    return tuple(Property(**it) for it in json.loads(text))


def _repository(row: Row) -> Repository:
    return Repository(row["id"], row["name"], row["plugin"], row["version"], _read(row["properties"]))


def _package(row: Row, repository: Repository) -> Package:
    return Package(row["id"], row["name"], repository, bool(row["auto_update"]), _read(row["properties"]))
