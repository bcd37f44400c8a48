package io.trackback.mlflow;

import java.time.Instant;
import java.util.Set;

/** A run that carries the tag; `promotion` is the tag's value as it stands in MLflow. */
record Run(
        String id, String name, String status, String experimentId, Instant ended, String promotion, String reason) {
    private static final Set<String> UNFINISHED = Set.of("RUNNING", "SCHEDULED");

    boolean isFinished() {
        return !UNFINISHED.contains(status);
    }

    String shortId() {
        return id.substring(0, 8);
    }
}
