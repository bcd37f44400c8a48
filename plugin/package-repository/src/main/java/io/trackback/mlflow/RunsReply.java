package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** MLflow's answer to `runs/search`. */
record RunsReply(List<RunReply> runs, String nextPageToken) implements Reply {

    RunsReply {
        runs = Json.given(runs);
        nextPageToken = Json.given(nextPageToken);
    }

    List<TaggedRun> tagged(String tag) {
        return runs.stream().map(run -> run.tagged(tag)).flatMap(Optional::stream).toList();
    }
}
