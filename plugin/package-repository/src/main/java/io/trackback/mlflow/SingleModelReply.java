package io.trackback.mlflow;

/** MLflow's answer to `logged-models/<id>`. */
record SingleModelReply(ModelReply model) implements Reply {

    @Override
    public boolean isSound() {
        return model != null && model.info() != null;
    }
}
