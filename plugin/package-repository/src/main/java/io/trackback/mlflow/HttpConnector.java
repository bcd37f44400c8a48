package io.trackback.mlflow;

import java.time.Duration;
import java.util.function.Supplier;

/** Opens sessions over one transport, which is created with the first session. */
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

    // Not before, because GoCD's agents load the plugin too and never call it.
    // Kept, because an HttpClient of Java 17 cannot be closed.
    private synchronized Transport transport() {
        if (transport == null) {
            transport = newTransport.get();
        }
        return transport;
    }
}
