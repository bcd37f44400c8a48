package io.trackback.mlflow;

import java.time.Duration;

/** Opens a session with the configured MLflow; all requests of a session together have to end within `limit`. */
interface Connector {
    Mlflow connect(RepositoryConfig repository, Duration limit);
}
