package io.trackback.mlflow;

/** What MLflow's REST API answers to `model-versions/get-download-uri`. */
record GetModelVersionDownloadUriResponse(String artifactUri) implements RestResponse {}
