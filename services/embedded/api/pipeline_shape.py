"""A pipeline instance in the shape of GoCD's API."""

from typing import Any

from services.embedded.engine import CiEngine
from services.embedded.records.history import UNKNOWN, Cause, Instance, StageRun
from services.embedded.scheduling.causes import PACKAGE

BUILDING = "Building"


def instance_shape(engine: CiEngine, instance: Instance, in_history: bool = False) -> dict[str, Any]:
    """`scheduled_date` is that of the stage that was scheduled last; `approver` too, but only in a history."""
    newest = engine.stages.newest(instance)
    approver = newest if in_history else engine.stages.first(instance)
    return {
        "name": instance.pipeline,
        "counter": instance.counter,
        "label": instance.label,
        "natural_order": float(instance.counter),
        "can_run": engine.scheduler.obstacle(instance.pipeline) is None,
        "preparing_to_schedule": False,
        "comment": None,
        "scheduled_date": newest.scheduled_at if newest else 0,
        "build_cause": {
            "trigger_message": instance.message,
            "trigger_forced": instance.forced,
            "approver": approver.approved_by if approver else "",
            "material_revisions": [_material_revision(cause) for cause in engine.history.causes(instance)],
        },
        "stages": [_stage(engine, instance, name) for name in engine.stage_names(instance.pipeline)],
    }


def _material_revision(cause: Cause) -> dict[str, Any]:
    return {
        "changed": cause.changed,
        "material": {
            "name": cause.material,
            "fingerprint": cause.fingerprint,
            "type": cause.type,
            "description": cause.description,
        },
        "modifications": [
            {
                "revision": modification.revision,
                "modified_time": modification.modified_at,
                "user_name": modification.user if cause.type == PACKAGE else None,
                "comment": modification.comment if cause.type == PACKAGE else None,
                "email_address": None,
            }
            for modification in cause.modifications
        ],
    }


def _stage(engine: CiEngine, instance: Instance, name: str) -> dict[str, Any]:
    stage = engine.stages.latest(instance, name)
    found = {
        "status": stage_status(stage),
        "rerun_of_counter": None,
        "name": name,
        "counter": str(stage.counter) if stage else "1",
        "scheduled": stage is not None,
        "approval_type": stage.approval_type if stage else None,
        "approved_by": stage.approved_by if stage else None,
        "operate_permission": True,
        "can_run": engine.scheduler.refusal(instance, name) is None,
        "jobs": _jobs(engine, stage) if stage else [],
    }
    return {"result": stage.result, **found} if stage else found


def stage_status(stage: StageRun | None) -> str:
    if stage is None:
        return UNKNOWN
    return BUILDING if stage.active else stage.result


def _jobs(engine: CiEngine, stage: StageRun) -> list[dict[str, Any]]:
    return [
        {"name": job.name, "scheduled_date": job.scheduled_at, "state": job.state, "result": job.result}
        for job in engine.stages.jobs(stage)
    ]
