package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** What MLflow's REST API answers to `runs/search`. */
record SearchRunsResponse(List<RestRun> runs, String nextPageToken) implements RestResponse {

    SearchRunsResponse {
        runs = Json.orEmpty(runs);
        nextPageToken = Json.orEmpty(nextPageToken);
    }

    List<TaggedRun> tagged(String tag) {
        return runs.stream().map(run -> run.tagged(tag)).flatMap(Optional::stream).toList();
    }
}
