package io.trackback.mlflow;

import java.util.List;

/** The answer to `check-repository-connection` and `check-package-connection`. */
record ConnectionStatus(String status, List<String> messages) {

    static ConnectionStatus success(String message) {
        return new ConnectionStatus("success", List.of(message));
    }

    static ConnectionStatus failure(String message) {
        return new ConnectionStatus("failure", List.of(message));
    }

    static ConnectionStatus ofRepository(Mlflow mlflow, RepositoryConfig repository) {
        // By any name: also the answer "no such experiment" shows that MLflow is there.
        mlflow.experiment("Default");
        return success("MLflow answers at " + repository.url());
    }
}
