package io.trackback.mlflow;

/** What MLflow's REST API answers to `registered-models/alias`. */
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

        /** `runId` is empty for a version that was not made from a run. The time is part of the promotion's value. */
        boolean isValid() {
            return version.matches("[1-9][0-9]{0,8}") && runId.matches("|[0-9a-f]{32}") && creationTimestamp > 0;
        }
    }
}
