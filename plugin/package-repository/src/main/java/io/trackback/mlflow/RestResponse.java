package io.trackback.mlflow;

/** The fields of a response of MLflow's REST API that the plugin reads; each may be absent. */
interface RestResponse {
    /** False for JSON that no MLflow sends. */
    default boolean isValid() {
        return true;
    }
}
