package io.trackback.mlflow;

import java.time.Instant;

/** A version of a registered model; `modelId` is empty when it was not made from a logged model. */
record ModelVersion(String number, String runId, String modelId, Instant created) {}
