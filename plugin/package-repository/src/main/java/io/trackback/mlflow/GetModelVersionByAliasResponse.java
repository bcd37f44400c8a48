package io.trackback.mlflow;

/** MLflow's answer to `registered-models/alias`. */
record GetModelVersionByAliasResponse(Version modelVersion) implements RestResponse {

    @Override
    public boolean isValid() {
        return modelVersion != null && modelVersion.isValid();
    }

    record Version(String version, String runId, String source, long creationTimestamp) {
        Version {
            version = Json.orEmpty(version);
            runId = Json.orEmpty(runId);
            source = Json.orEmpty(source);
        }

        /** Without a run for a version that was not made from one. The time tells the promotion from others. */
        boolean isValid() {
            return version.matches("[1-9][0-9]{0,8}") && runId.matches("|[0-9a-f]{32}") && creationTimestamp > 0;
        }
    }
}
