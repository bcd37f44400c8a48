package io.trackback.mlflow;

import java.time.Duration;
import java.util.function.Supplier;

/** Opens conversations over one transport, which is made at the first of them. */
final class HttpConnector implements Connector {
    private final Supplier<Transport> newTransport;
    private Transport transport;

    HttpConnector(Supplier<Transport> newTransport) {
        this.newTransport = newTransport;
    }

    @Override
    public Mlflow connect(RepositoryConfig repository, Duration limit) {
        return new HttpMlflow(new MlflowSession(transport(), repository, Deadline.in(limit)));
    }

    // Not made before, because GoCD's agents load the plugin too and never ask it;
    // kept, because a client of Java 17 cannot be closed.
    private synchronized Transport transport() {
        if (transport == null) {
            transport = newTransport.get();
        }
        return transport;
    }
}
