package io.trackback.mlflow;

/** MLflow's answer to `model-versions/get-download-uri`. */
record GetModelVersionDownloadUriResponse(String artifactUri) implements RestResponse {}
