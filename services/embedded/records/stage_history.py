"""Runs of stages and jobs, with every change of a job's state."""

from services.embedded.clock import Clock, milliseconds
from services.embedded.records.database import Database, Row
from services.embedded.records.history import COMPLETED, PASSED, SCHEDULED, UNKNOWN, Instance, JobRun, StageRun


class StageHistory:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add_stage(
        self, instance: Instance, name: str, approval_type: str, approved_by: str, clean: bool, jobs: list[str]
    ) -> None:
        now = milliseconds(self._clock.now())
        counter = len(self.runs(instance, name)) + 1
        stage = self._database.insert(
            "INSERT INTO stages (instance, name, counter, approval_type, approved_by, scheduled_at, clean)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            instance.id,
            name,
            counter,
            approval_type,
            approved_by,
            now,
            clean,
        )
        for job in jobs:
            new = self._database.insert(
                "INSERT INTO jobs (stage, name, scheduled_at) VALUES (?, ?, ?)", stage, job, now
            )
            self._database.run("INSERT INTO transitions VALUES (?, ?, ?)", new, SCHEDULED, now)

    def runs(self, instance: Instance, name: str) -> list[StageRun]:
        """All runs of a stage of that instance, the first one first."""
        rows = self._database.all(
            "SELECT * FROM stages WHERE instance = ? AND name = ? ORDER BY counter", instance.id, name
        )
        return [_stage(row) for row in rows]

    def latest(self, instance: Instance, name: str) -> StageRun | None:
        return next(reversed(self.runs(instance, name)), None)

    def newest(self, instance: Instance) -> StageRun | None:
        """The stage that was scheduled last."""
        row = self._database.one("SELECT * FROM stages WHERE instance = ? ORDER BY id DESC LIMIT 1", instance.id)
        return _stage(row) if row else None

    def first(self, instance: Instance) -> StageRun | None:
        """The stage with which the instance began."""
        row = self._database.one("SELECT * FROM stages WHERE instance = ? ORDER BY id LIMIT 1", instance.id)
        return _stage(row) if row else None

    def stage(self, identity: int) -> StageRun:
        return _stage(self._database.all("SELECT * FROM stages WHERE id = ?", identity)[0])

    def active_in(self, pipeline: str, name: str | None = None, instance: Instance | None = None) -> bool:
        """Whether a stage has no result yet: any of the pipeline, of that name, or of that instance."""
        return bool(
            self._database.all(
                "SELECT 1 FROM stages s JOIN instances i ON i.id = s.instance WHERE i.pipeline = ? AND s.result = ?"
                " AND (? IS NULL OR s.name = ?) AND (? IS NULL OR i.id = ?) LIMIT 1",
                pipeline,
                UNKNOWN,
                name,
                name,
                instance.id if instance else None,
                instance.id if instance else None,
            )
        )

    def newest_passed(self, pipeline: str, name: str) -> int | None:
        """The id of the newest instance in which that stage passed."""
        row = self._database.one(
            "SELECT max(i.id) AS id FROM stages s JOIN instances i ON i.id = s.instance"
            " WHERE i.pipeline = ? AND s.name = ? AND s.result = ?",
            pipeline,
            name,
            PASSED,
        )
        return row["id"] if row else None

    def finish_stage(self, stage: StageRun, result: str) -> None:
        self._database.run("UPDATE stages SET result = ? WHERE id = ?", result, stage.id)

    def jobs(self, stage: StageRun) -> list[JobRun]:
        return [_job(row) for row in self._database.all("SELECT * FROM jobs WHERE stage = ? ORDER BY id", stage.id)]

    def job(self, identity: int) -> JobRun:
        return _job(self._database.all("SELECT * FROM jobs WHERE id = ?", identity)[0])

    def waiting_jobs(self) -> list[JobRun]:
        return [_job(row) for row in self._database.all("SELECT * FROM jobs WHERE state = ? ORDER BY id", SCHEDULED)]

    def interrupted_jobs(self) -> list[JobRun]:
        """Jobs that an agent has taken and not completed; after a start, those that ran when the server died."""
        rows = self._database.all("SELECT * FROM jobs WHERE state NOT IN (?, ?) ORDER BY id", SCHEDULED, COMPLETED)
        return [_job(row) for row in rows]

    def move_job(self, job: JobRun, state: str, result: str = UNKNOWN) -> None:
        now = milliseconds(self._clock.now())
        with self._database.transaction():
            self._database.run("UPDATE jobs SET state = ?, result = ? WHERE id = ?", state, result, job.id)
            self._database.run("INSERT INTO transitions VALUES (?, ?, ?)", job.id, state, now)

    def assign_job(self, job: JobRun, agent: str) -> None:
        with self._database.transaction():
            self._database.run("UPDATE jobs SET agent = ? WHERE id = ?", agent, job.id)
            self.move_job(job, "Assigned")

    def reschedule_job(self, job: JobRun) -> None:
        """Makes the job wait again, under the same counters and without its earlier states."""
        with self._database.transaction():
            self._database.run("DELETE FROM transitions WHERE job = ?", job.id)
            self._database.run("UPDATE jobs SET pid = NULL, pid_started = NULL WHERE id = ?", job.id)
            self.move_job(job, SCHEDULED)

    def note_process(self, job: JobRun, pid: int | None, started: str | None) -> None:
        self._database.run("UPDATE jobs SET pid = ?, pid_started = ? WHERE id = ?", pid, started, job.id)

    def transitions(self, job: JobRun) -> list[tuple[str, int]]:
        rows = self._database.all("SELECT state, at FROM transitions WHERE job = ? ORDER BY rowid", job.id)
        return [(row["state"], row["at"]) for row in rows]


def _stage(row: Row) -> StageRun:
    return StageRun(**{**dict(row), "clean": bool(row["clean"])})


def _job(row: Row) -> JobRun:
    return JobRun(**dict(row))
