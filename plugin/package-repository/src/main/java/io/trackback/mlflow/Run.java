package io.trackback.mlflow;

import java.time.Instant;
import java.util.List;
import java.util.Set;

/** A run of MLflow; `modelIds` are the logged models among its outputs. */
record Run(String id, String name, String status, String experimentId, Instant ended, List<String> modelIds) {
    private static final Set<String> FINISHED = Set.of("FINISHED", "FAILED", "KILLED");

    boolean isFinished() {
        return FINISHED.contains(status);
    }

    String shortId() {
        return id.substring(0, 8);
    }
}
