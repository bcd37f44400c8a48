package io.trackback.mlflow;

/** MLflow's answer to `runs/get`. */
record SingleRunReply(RunReply run) implements Reply {

    @Override
    public boolean isSound() {
        return run != null && run.isSound();
    }
}
