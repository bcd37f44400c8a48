"""Stages: one run of a stage, and the request to run a stage by hand."""

import re
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from services.embedded.api.pipelines import known
from services.embedded.api.protocol import CONFIRMED, CurrentEngine, CurrentUser, accepts, answer
from services.embedded.clock import milliseconds
from services.embedded.engine import CiEngine
from services.embedded.records.history import UNKNOWN, Instance, JobRun, StageRun
from services.embedded.scheduling.scheduler import Conflict

router = APIRouter(prefix="/go/api/stages/{pipeline}/{counter}/{stage}")


def _number(text: str) -> int:
    """A 32-bit integer as Java reads it. Raises a 422."""
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", text) or not -(2**31) <= int(text) < 2**31:
        raise HTTPException(422, f'For input string: "{text}"')
    return int(text)


@router.get("/{stage_counter}", dependencies=[accepts(3)])
def stage_instance(
    engine: CurrentEngine, user: CurrentUser, pipeline: str, counter: str, stage: str, stage_counter: str
) -> JSONResponse:
    """A run that never was is an empty one with counter 0, as in GoCD."""
    pipeline = known(engine, pipeline, user)
    instance = engine.history.instance(pipeline, _number(counter))
    wanted = _number(stage_counter)
    if not instance:
        raise HTTPException(404, f"Not Found {{ Pipeline '{pipeline}' with counter '{counter}' not found }}")
    found = next((run for run in engine.stages.runs(instance, stage) if run.counter == wanted), None)
    return answer(3, _shape(engine, instance, found) if found else _never_run(engine, stage))


def _never_run(engine: CiEngine, stage: str) -> dict[str, Any]:
    return {
        "name": stage,
        "counter": 0,
        "approval_type": None,
        "approved_by": None,
        "scheduled_at": milliseconds(engine.clock.now()),
        "result": UNKNOWN,
        "rerun_of_counter": None,
        "fetch_materials": True,
        "clean_working_directory": False,
        "artifacts_deleted": False,
        "jobs": [],
    }


def _shape(engine: CiEngine, instance: Instance, stage: StageRun) -> dict[str, Any]:
    jobs = [_job(engine, job) for job in engine.stages.jobs(stage)]
    changes = [change["state_change_time"] for job in jobs for change in job["job_state_transitions"]]
    return {
        "name": stage.name,
        "counter": stage.counter,
        "approval_type": stage.approval_type,
        "approved_by": stage.approved_by,
        "scheduled_at": stage.scheduled_at,
        "last_transitioned_time": max(changes, default=stage.scheduled_at),
        "result": stage.result,
        "rerun_of_counter": None,
        "fetch_materials": True,
        "clean_working_directory": stage.clean,
        "artifacts_deleted": False,
        "pipeline_name": instance.pipeline,
        "pipeline_counter": instance.counter,
        "jobs": jobs,
    }


def _job(engine: CiEngine, job: JobRun) -> dict[str, Any]:
    return {
        "name": job.name,
        "state": job.state,
        "result": job.result,
        "scheduled_date": job.scheduled_at,
        "rerun": False,
        "original_job_id": None,
        "agent_uuid": job.agent,
        "pipeline_name": None,
        "pipeline_counter": None,
        "stage_name": None,
        "stage_counter": None,
        "job_state_transitions": [
            {"state": state, "state_change_time": at} for state, at in engine.stages.transitions(job)
        ],
    }


@router.post("/run", dependencies=[accepts(2), CONFIRMED])
def run(engine: CurrentEngine, user: CurrentUser, pipeline: str, counter: str, stage: str) -> JSONResponse:
    pipeline = known(engine, pipeline, user)
    place = f"{pipeline}/{counter}/{stage}"
    if not re.fullmatch(r"[0-9]{1,18}", counter):
        raise HTTPException(422, f"Error while running [{place}]. Received non-numeric pipeline counter '{counter}'.")
    if stage not in engine.pipelines.pipelines[pipeline].stage_configs:
        message = f"User does not have operate permissions for stage [{stage}] of pipeline [{pipeline}]"
        raise HTTPException(403, message)
    instance = engine.history.instance(pipeline, int(counter))
    if not instance:
        failed = f"Stage rerun request for stage [{place}] could not be completed because of an unexpected failure."
        raise HTTPException(500, f"{failed} Cause: Pipeline instance [{pipeline}/{counter}] not found")
    try:
        engine.scheduler.run_stage(instance, stage, user)
    except Conflict as conflict:
        raise HTTPException(_status(engine, instance, stage), str(conflict)) from conflict
    return answer(2, {"message": f"Request to schedule stage {place} accepted"}, 202)


def _status(engine: CiEngine, instance: Instance, stage: str) -> int:
    """400 for a stage whose previous stage has not run, 409 for any other obstacle, as in GoCD."""
    return 409 if engine.scheduler.previous_stage_ran(instance, stage) else 400
