package io.trackback.mlflow;

import java.util.Optional;

/** The structure LoggedModel of MLflow's REST API. */
record RestLoggedModel(Info info) {

    /** Empty unless the model's `source_run_id` is this run. */
    Optional<LoggedModel> of(Run run) {
        return Optional.ofNullable(info)
                .filter(it -> run.id().equals(it.sourceRunId()) && LoggedModel.isId(Json.orEmpty(it.modelId())))
                .map(it -> new LoggedModel(it.modelId(), ArtifactUri.validOrEmpty(Json.orEmpty(it.artifactUri()))));
    }

    record Info(String modelId, String name, String sourceRunId, String artifactUri) {}
}
