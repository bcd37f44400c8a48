"""Stages: one run of one, and the request to run it by hand."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from services.embedded.api.protocol import CONFIRMED, Server, User, accepts, answer
from services.embedded.engine import Engine
from services.embedded.history import Instance, JobRun, StageRun
from services.embedded.scheduler import Conflict

router = APIRouter(prefix="/go/api/stages/{pipeline}/{counter}/{stage}")


@router.get("/{stage_counter}", dependencies=[accepts(3)])
def stage_instance(engine: Server, pipeline: str, counter: int, stage: str, stage_counter: int) -> JSONResponse:
    instance = engine.history.instance(pipeline, counter)
    if not instance:
        raise HTTPException(404, f"Pipeline '{pipeline}' with counter '{counter}' not found")
    found = next((run for run in engine.stages.runs(instance, stage) if run.counter == stage_counter), None)
    if not found:
        raise HTTPException(
            404,
            f"Stage '{stage}' with counter '{stage_counter}' not found."
            " Please make sure specified stage or stage run with specified counter exists.",
        )
    return answer(3, _shape(engine, instance, found))


def _shape(engine: Engine, instance: Instance, stage: StageRun) -> dict[str, Any]:
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


def _job(engine: Engine, job: JobRun) -> dict[str, Any]:
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
def run(engine: Server, user: User, pipeline: str, counter: str, stage: str) -> JSONResponse:
    place = f"{pipeline}/{counter}/{stage}"
    if not counter.isdecimal():
        raise HTTPException(422, f"Error while running [{place}]. Received non-numeric pipeline counter '{counter}'.")
    instance = engine.history.instance(pipeline, int(counter))
    config = engine.pipelines.pipelines.get(pipeline)
    if not instance or not config:
        raise HTTPException(404, f"Pipeline instance [{pipeline}/{counter}] not found")
    if stage not in config.stage_configs:
        raise HTTPException(404, f"Stage '{stage}' not found in pipeline '{pipeline}'")
    try:
        engine.scheduler.run_stage(instance, stage, user)
    except Conflict as conflict:
        raise HTTPException(_status(engine, instance, stage), str(conflict)) from conflict
    return answer(2, {"message": f"Request to schedule stage {place} accepted"}, 202)


def _status(engine: Engine, instance: Instance, stage: str) -> int:
    """GoCD calls a stage whose turn has not come a bad request, and any other obstacle a conflict."""
    return 409 if engine.scheduler.previous_stage_ran(instance, stage) else 400
