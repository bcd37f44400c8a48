package io.trackback.mlflow;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/** MLflow's answer to `runs/search`. */
record RunsReply(List<RunReply> runs, String nextPageToken) implements Reply {

    RunsReply {
        runs = Json.given(runs);
        nextPageToken = Json.given(nextPageToken);
    }

    List<Run> runs(String tag) {
        return runs.stream().map(run -> run.tagged(tag)).flatMap(Optional::stream).toList();
    }

    record RunReply(Info info, Data data) {
        /** Empty for a run without the tag or with ids that MLflow would not give. */
        Optional<Run> tagged(String tag) {
            if (info == null || data == null || !info.isSound()) {
                return Optional.empty();
            }
            return data.value(tag)
                    .map(promotion -> new Run(
                            info.runId(),
                            info.runName(),
                            info.status(),
                            info.experimentId(),
                            info.ended(),
                            promotion,
                            data.value(tag + ".reason").orElse("")));
        }
    }

    record Info(String runId, String runName, String status, String experimentId, long startTime, long endTime) {
        private static final Pattern RUN_ID = Pattern.compile("[0-9a-f]{32}");
        private static final Pattern EXPERIMENT_ID = Pattern.compile("[0-9]{1,20}");
        // GoCD refuses a year of five digits, and MLflow takes any time from its clients.
        private static final long END_OF_YEAR_9999 = 253_402_300_799_999L;

        Info {
            runId = Json.given(runId);
            runName = Json.given(runName);
            status = Json.given(status);
            experimentId = Json.given(experimentId);
        }

        boolean isSound() {
            return RUN_ID.matcher(runId).matches() && EXPERIMENT_ID.matcher(experimentId).matches();
        }

        /** A killed run may have no end, then its start. */
        Instant ended() {
            long time = endTime > 0 ? endTime : startTime;
            return Instant.ofEpochMilli(Math.max(0, Math.min(time, END_OF_YEAR_9999)));
        }
    }

    record Data(List<Tag> tags) {
        Data {
            tags = Json.given(tags);
        }

        Optional<String> value(String key) {
            return tags.stream().filter(tag -> key.equals(tag.key())).map(tag -> Json.given(tag.value())).findFirst();
        }
    }

    record Tag(String key, String value) {}
}
