package io.trackback.mlflow;

/** MLflow's answer to `logged-models/<id>`. */
record GetLoggedModelResponse(RestLoggedModel model) implements RestResponse {

    @Override
    public boolean isValid() {
        return model != null && model.info() != null;
    }
}
