package io.trackback.mlflow;

/** MLflow's answer to `model-versions/get-download-uri`. */
record LocationReply(String artifactUri) implements Reply {}
