package io.trackback.mlflow;

/** MLflow's answer to `registered-models/alias`. */
record VersionReply(Version modelVersion) implements Reply {

    @Override
    public boolean isSound() {
        return modelVersion != null && modelVersion.version().matches("[1-9][0-9]{0,8}");
    }

    record Version(String name, String version, String runId, String source, long creationTimestamp) {
        Version {
            name = Json.given(name);
            version = Json.given(version);
            runId = Json.given(runId);
            source = Json.given(source);
        }
    }
}
