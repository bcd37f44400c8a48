package io.trackback.mlflow;

/** What MLflow's REST API answers to `runs/get`. */
record GetRunResponse(RestRun run) implements RestResponse {

    @Override
    public boolean isValid() {
        return run != null && run.isValid();
    }
}
