package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** MLflow's answer to `logged-models/search`, newest first. */
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
