package io.trackback.mlflow;

import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/** The structure Run of MLflow's REST API. */
record RestRun(Info info, Data data, Outputs outputs) {

    boolean isValid() {
        return info != null && info.isValid();
    }

    Run run() {
        List<String> modelIds = outputs == null ? List.of() : outputs.modelIds();
        return new Run(info.runId(), info.runName(), info.status(), info.experimentId(), info.ended(), modelIds);
    }

    /** Empty for a run without the tag, or with ids that no MLflow gives. */
    Optional<TaggedRun> tagged(String tag) {
        if (!isValid() || data == null) {
            return Optional.empty();
        }
        return data.value(tag).map(value -> new TaggedRun(run(), value, reason(tag, value)));
    }

    private String reason(String tag, String value) {
        String text = data.value(tag + ".reason").orElse("");
        return PromotionReason.of(value, text, data.value(tag + ".reason.for").orElse(""));
    }

    record Info(String runId, String runName, String status, String experimentId, long startTime, long endTime) {
        private static final Pattern RUN_ID = Pattern.compile("[0-9a-f]{32}");
        private static final Pattern EXPERIMENT_ID = Pattern.compile("[0-9]{1,20}");

        Info {
            runId = Json.orEmpty(runId);
            runName = Json.orEmpty(runName);
            status = Json.orEmpty(status);
            experimentId = Json.orEmpty(experimentId);
        }

        boolean isValid() {
            return RUN_ID.matcher(runId).matches() && EXPERIMENT_ID.matcher(experimentId).matches();
        }

        /** The start of a run that has no end, as a killed one may. */
        Instant ended() {
            return MlflowTime.of(endTime > 0 ? endTime : startTime);
        }
    }

    record Data(List<Tag> tags) {
        Data {
            tags = Json.orEmpty(tags);
        }

        Optional<String> value(String key) {
            return tags.stream()
                    .filter(tag -> key.equals(tag.key()))
                    .map(Tag::value)
                    .filter(Objects::nonNull)
                    .findFirst();
        }
    }

    record Tag(String key, String value) {}

    record Outputs(List<Output> modelOutputs) {
        List<String> modelIds() {
            return Json.orEmpty(modelOutputs).stream()
                    .map(output -> Json.orEmpty(output.modelId()))
                    .filter(LoggedModel::isId)
                    .toList();
        }
    }

    record Output(String modelId) {}
}
