package io.trackback.mlflow;

import java.time.Duration;

/** The plugin with its connection to MLflow exchanged or limited, for tests in other packages. */
public final class TestPlugins {
    private static final HttpConnector HTTP = new HttpConnector(HttpTransport::new);

    private TestPlugins() {}

    public static MlflowPackagePlugin of(SimulatedMlflow mlflow) {
        return new MlflowPackagePlugin((repository, limit) -> mlflow);
    }

    /** All of these share one HTTP client, as all packages of a GoCD server do. */
    public static MlflowPackagePlugin overHttp() {
        return new MlflowPackagePlugin(HTTP);
    }

    /** Each call ends within `limit` in place of GoCD's time. */
    public static MlflowPackagePlugin overHttp(Duration limit) {
        return new MlflowPackagePlugin((repository, any) -> HTTP.connect(repository, limit));
    }

    public static MlflowPackagePlugin replaying(ReplayTransport transport) {
        return new MlflowPackagePlugin((repository, limit) ->
                new HttpMlflow(new MlflowSession(transport, repository, Deadline.in(limit))));
    }
}
