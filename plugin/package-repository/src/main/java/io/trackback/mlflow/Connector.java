package io.trackback.mlflow;

import java.time.Duration;

/** Opens a session with the configured MLflow that ends, all questions together, within the limit. */
interface Connector {
    Mlflow connect(RepositoryConfig repository, Duration limit);
}
