"""Pipeline instances, their stages and jobs, and what each was built from."""

from dataclasses import dataclass

from services.embedded.records.database import Database, Row
from services.embedded.records.modifications import Modification, read_modification

UNKNOWN, PASSED, FAILED, CANCELLED = "Unknown", "Passed", "Failed", "Cancelled"
SCHEDULED, COMPLETED = "Scheduled", "Completed"


@dataclass(frozen=True)
class Cause:
    """One material of an instance, with the modifications that are new in it."""

    material: str
    fingerprint: str
    type: str
    description: str
    changed: bool
    modifications: tuple[Modification, ...]


@dataclass(frozen=True)
class Instance:
    id: int
    pipeline: str
    counter: int
    label: str
    message: str
    forced: bool


@dataclass(frozen=True)
class StageRun:
    id: int
    instance: int
    name: str
    counter: int
    approval_type: str
    approved_by: str
    scheduled_at: int
    clean: bool
    result: str

    @property
    def active(self) -> bool:
        return self.result == UNKNOWN


@dataclass(frozen=True)
class JobRun:
    id: int
    stage: int
    name: str
    scheduled_at: int
    state: str
    result: str
    agent: str | None
    pid: int | None
    pid_started: str | None


class History:
    def __init__(self, database: Database) -> None:
        self.database = database

    def instances(self, pipeline: str, limit: int = 10, before: int | None = None) -> list[Instance]:
        """At most `limit`, newest first; with `before` only those of a lower id."""
        rows = self.database.all(
            "SELECT * FROM instances WHERE pipeline = ? AND id < ? ORDER BY id DESC LIMIT ?",
            pipeline,
            before if before is not None else 2**62,
            limit,
        )
        return [_instance(row) for row in rows]

    def newer_instances(self, pipeline: str, limit: int, after: int) -> list[Instance]:
        """The `limit` next ones after the id `after`, newest first."""
        rows = self.database.all(
            "SELECT * FROM instances WHERE pipeline = ? AND id > ? ORDER BY id LIMIT ?", pipeline, after, limit
        )
        return [_instance(row) for row in reversed(rows)]

    def instance(self, pipeline: str, counter: int) -> Instance | None:
        row = self.database.one("SELECT * FROM instances WHERE pipeline = ? AND counter = ?", pipeline, counter)
        return _instance(row) if row else None

    def instance_by_id(self, identity: int) -> Instance:
        return _instance(self.database.all("SELECT * FROM instances WHERE id = ?", identity)[0])

    def instance_of(self, stage: StageRun) -> Instance:
        return self.instance_by_id(stage.instance)

    def built_from(self, pipeline: str, upstream: str, counter: int) -> list[Instance]:
        """The instances of `pipeline` that a stage of that upstream instance triggered, newest first."""
        rows = self.database.all(
            "SELECT DISTINCT i.* FROM instances i JOIN cause_modifications c ON c.instance = i.id"
            " JOIN modifications m ON m.id = c.modification"
            " WHERE i.pipeline = ? AND instr(m.revision, ?) = 1 ORDER BY i.id DESC",
            pipeline,
            f"{upstream}/{counter}/",
        )
        return [_instance(row) for row in rows]

    def add_instance(self, pipeline: str, counter: int, label: str, message: str, forced: bool) -> Instance:
        new = self.database.insert(
            "INSERT INTO instances (pipeline, counter, label, message, forced) VALUES (?, ?, ?, ?, ?)",
            pipeline,
            counter,
            label,
            message,
            forced,
        )
        return Instance(new, pipeline, counter, label, message, forced)

    def add_cause(self, instance: Instance, position: int, cause: Cause) -> None:
        self.database.run(
            "INSERT INTO causes VALUES (?, ?, ?, ?, ?, ?, ?)",
            instance.id,
            position,
            cause.material,
            cause.fingerprint,
            cause.type,
            cause.description,
            cause.changed,
        )
        for modification in cause.modifications:
            self.database.run(
                "INSERT INTO cause_modifications VALUES (?, ?, ?)", instance.id, position, modification.id
            )

    def causes(self, instance: Instance) -> list[Cause]:
        rows = self.database.all("SELECT * FROM causes WHERE instance = ? ORDER BY position", instance.id)
        return [
            Cause(
                material=row["material"],
                fingerprint=row["fingerprint"],
                type=row["type"],
                description=row["description"],
                changed=bool(row["changed"]),
                modifications=self._modifications(instance.id, row["position"]),
            )
            for row in rows
        ]

    def _modifications(self, instance: int, position: int) -> tuple[Modification, ...]:
        rows = self.database.all(
            "SELECT m.* FROM modifications m JOIN cause_modifications c ON c.modification = m.id"
            " WHERE c.instance = ? AND c.position = ? ORDER BY m.upstream DESC, m.id DESC",
            instance,
            position,
        )
        return tuple(read_modification(row) for row in rows)

    def newest_used(self, pipeline: str, fingerprint: str) -> Modification | None:
        """The newest revision of a material that any instance of the pipeline was built from; None before the first."""
        row = self.database.one(
            "SELECT m.* FROM instances i JOIN cause_modifications c ON c.instance = i.id"
            " JOIN modifications m ON m.id = c.modification"
            " WHERE i.pipeline = ? AND m.fingerprint = ? ORDER BY m.upstream DESC, m.id DESC LIMIT 1",
            pipeline,
            fingerprint,
        )
        return read_modification(row) if row else None

    def lock_holder(self, pipeline: str) -> int | None:
        """The id of the instance that holds the pipeline's lock."""
        row = self.database.one("SELECT instance FROM locks WHERE pipeline = ?", pipeline)
        return row["instance"] if row else None

    def lock(self, instance: Instance) -> None:
        self.database.run("INSERT OR IGNORE INTO locks VALUES (?, ?)", instance.pipeline, instance.id)

    def unlock(self, pipeline: str) -> None:
        self.database.run("DELETE FROM locks WHERE pipeline = ?", pipeline)


def _instance(row: Row) -> Instance:
    return Instance(row["id"], row["pipeline"], row["counter"], row["label"], row["message"], bool(row["forced"]))
