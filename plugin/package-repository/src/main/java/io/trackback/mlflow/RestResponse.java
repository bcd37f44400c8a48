package io.trackback.mlflow;

/** A reply of MLflow as far as the plugin reads it; anything in it may be missing. */
interface RestResponse {
    /** False for JSON that MLflow would not have sent. */
    default boolean isValid() {
        return true;
    }
}
