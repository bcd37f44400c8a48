package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** What MLflow's REST API answers to `logged-models/search`; asked for with the newest first. */
record SearchLoggedModelsResponse(List<RestLoggedModel> models) implements RestResponse {

    SearchLoggedModelsResponse {
        models = Json.orEmpty(models);
    }

    Optional<LoggedModel> newest(Run run, String name) {
        return models.stream()
                .filter(model -> model.info() != null && name.equals(model.info().name()))
                .map(model -> model.of(run))
                .flatMap(Optional::stream)
                .filter(model -> run.modelIds().contains(model.id()))
                .findFirst();
    }
}
