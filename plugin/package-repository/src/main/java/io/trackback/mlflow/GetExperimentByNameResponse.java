package io.trackback.mlflow;

/** What MLflow's REST API answers to `experiments/get-by-name`. */
record GetExperimentByNameResponse(Experiment experiment) implements RestResponse {

    @Override
    public boolean isValid() {
        return experiment != null && experiment.experimentId().matches("[0-9]{1,20}");
    }

    record Experiment(String experimentId, String lifecycleStage) {
        Experiment {
            experimentId = Json.orEmpty(experimentId);
            lifecycleStage = Json.orEmpty(lifecycleStage);
        }

        boolean isActive() {
            return !lifecycleStage.equals("deleted");
        }
    }
}
