package io.trackback.mlflow;

/** MLflow's answer to `registered-models/alias`. */
record VersionReply(Version modelVersion) implements Reply {

    @Override
    public boolean isSound() {
        return modelVersion != null && modelVersion.isSound();
    }

    record Version(String version, String runId, String source, long creationTimestamp) {
        Version {
            version = Json.given(version);
            runId = Json.given(runId);
            source = Json.given(source);
        }

        /** Without a run for a version that was not made from one. The time tells the promotion from others. */
        boolean isSound() {
            return version.matches("[1-9][0-9]{0,8}") && runId.matches("|[0-9a-f]{32}") && creationTimestamp > 0;
        }
    }
}
