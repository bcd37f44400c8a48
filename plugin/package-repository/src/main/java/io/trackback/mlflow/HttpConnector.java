package io.trackback.mlflow;

import java.net.http.HttpClient;
import java.time.Duration;

/** Opens conversations over HTTP, all with one client. */
final class HttpConnector implements Connector {
    private HttpClient client;

    @Override
    public Mlflow connect(RepositoryConfig repository, Duration limit) {
        return new HttpMlflow(new Conversation(client(), repository, limit));
    }

    // Built at the first message and not before, because GoCD's agents load the plugin too and never ask it;
    // kept, because a client of Java 17 cannot be closed.
    private synchronized HttpClient client() {
        if (client == null) {
            client = HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    .followRedirects(HttpClient.Redirect.NEVER)
                    .build();
        }
        return client;
    }
}
