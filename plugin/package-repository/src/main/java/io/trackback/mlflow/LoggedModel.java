package io.trackback.mlflow;

/** A model that a run logged. */
record LoggedModel(String id, String artifactUri) {
    /** Stands in data for a run without the wanted model; the pipeline refuses it with the reason. */
    static final LoggedModel NONE = new LoggedModel("", "");

    String uri() {
        return id.isEmpty() ? "" : "models:/" + id;
    }
}
