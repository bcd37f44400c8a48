package io.trackback.mlflow;

import java.util.List;

/** The answer to "does this configuration work?". */
record ConnectionStatus(String status, List<String> messages) {

    static ConnectionStatus success(String message) {
        return new ConnectionStatus("success", List.of(message));
    }

    static ConnectionStatus failure(String message) {
        return new ConnectionStatus("failure", List.of(message));
    }

    static ConnectionStatus ofRepository(Mlflow mlflow, RepositoryConfig repository) {
        // Any name will do: MLflow shows itself by its answer, also when it has no such experiment.
        mlflow.experiment("Default");
        return success("MLflow answers at " + repository.url());
    }
}
