package io.trackback.mlflow;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/** MLflow's answer to `logged-models/search`, newest first. */
record ModelsReply(List<ModelReply> models) implements Reply {

    ModelsReply {
        models = Json.given(models);
    }

    /** Only a model that says itself that it is this run's and has this name. */
    Optional<LoggedModel> newest(Run run, String name) {
        return models.stream()
                .map(ModelReply::info)
                .filter(Objects::nonNull)
                .filter(info -> run.id().equals(info.sourceRunId()) && name.equals(info.name()))
                .filter(Info::hasModelId)
                .map(info -> new LoggedModel(info.modelId(), Json.given(info.artifactUri())))
                .findFirst();
    }

    record ModelReply(Info info) {}

    record Info(String modelId, String name, String sourceRunId, String artifactUri) {
        private static final Pattern MODEL_ID = Pattern.compile("m-[0-9a-f]{32}");

        boolean hasModelId() {
            return MODEL_ID.matcher(Json.given(modelId)).matches();
        }
    }
}
