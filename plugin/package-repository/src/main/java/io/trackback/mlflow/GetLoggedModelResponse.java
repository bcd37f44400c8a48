package io.trackback.mlflow;

/** What MLflow's REST API answers to `logged-models/<id>`. */
record GetLoggedModelResponse(RestLoggedModel model) implements RestResponse {

    @Override
    public boolean isValid() {
        return model != null && model.info() != null;
    }
}
