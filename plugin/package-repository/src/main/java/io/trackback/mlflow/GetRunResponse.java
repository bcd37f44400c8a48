package io.trackback.mlflow;

/** MLflow's answer to `runs/get`. */
record GetRunResponse(RestRun run) implements RestResponse {

    @Override
    public boolean isValid() {
        return run != null && run.isValid();
    }
}
