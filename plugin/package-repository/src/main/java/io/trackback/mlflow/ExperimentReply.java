package io.trackback.mlflow;

/** MLflow's answer to `experiments/get-by-name`. */
record ExperimentReply(Experiment experiment) implements Reply {

    @Override
    public boolean isSound() {
        return experiment != null && experiment.experimentId().matches("[0-9]{1,20}");
    }

    record Experiment(String experimentId, String lifecycleStage) {
        Experiment {
            experimentId = Json.given(experimentId);
            lifecycleStage = Json.given(lifecycleStage);
        }

        boolean isActive() {
            return !lifecycleStage.equals("deleted");
        }
    }
}
