package io.trackback.mlflow;

import java.util.Optional;

/** One logged model as MLflow tells it. */
record RestLoggedModel(Info info) {

    /** Only a model that says itself that it is this run's. */
    Optional<LoggedModel> of(Run run) {
        return Optional.ofNullable(info)
                .filter(it -> run.id().equals(it.sourceRunId()) && LoggedModel.isId(Json.orEmpty(it.modelId())))
                .map(it -> new LoggedModel(it.modelId(), ArtifactUri.validOrEmpty(Json.orEmpty(it.artifactUri()))));
    }

    record Info(String modelId, String name, String sourceRunId, String artifactUri) {}
}
