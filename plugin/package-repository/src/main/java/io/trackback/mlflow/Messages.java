package io.trackback.mlflow;

import com.thoughtworks.go.plugin.api.logging.Logger;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Turns each message's body into a configuration and asks whoever knows the answer. */
final class Messages {
    private static final Logger LOG = Log.of(Messages.class);
    private static final Duration POLL_LIMIT = Duration.ofSeconds(15);
    // Someone waits in front of GoCD's page for a check.
    private static final Duration CHECK_LIMIT = Duration.ofMillis(4500);

    private final Connector connector;

    Messages(Connector connector) {
        this.connector = connector;
    }

    List<Problem> validateRepository(String body) {
        return RepositoryConfig.problems(Request.parse(body).repository());
    }

    List<Problem> validatePackage(String body) {
        return PackageConfig.problems(Request.parse(body).material());
    }

    ConnectionStatus checkRepository(String body) {
        return checked(() -> {
            RepositoryConfig repository = RepositoryConfig.of(Request.parse(body).repository());
            return ConnectionStatus.ofRepository(connector.connect(repository, CHECK_LIMIT), repository);
        });
    }

    ConnectionStatus checkPackage(String body) {
        return checked(() -> {
            Request request = Request.parse(body);
            RepositoryConfig repository = RepositoryConfig.of(request.repository());
            Watch watch = PackageConfig.watch(request.material());
            return ConnectionStatus.success(watch.found(connector.connect(repository, CHECK_LIMIT)));
        });
    }

    Revision latestRevision(String body) {
        return logged(poller(Request.parse(body)).latest());
    }

    /** An empty object tells GoCD that nothing has changed. */
    Object latestRevisionSince(String body) {
        Request request = Request.parse(body);
        return poller(request)
                .since(request.previous())
                .map(Messages::logged)
                .map(Object.class::cast)
                .orElse(Map.of());
    }

    private static Revision logged(Revision revision) {
        LOG.info("reports " + revision.revision() + ": " + revision.revisionComment());
        return revision;
    }

    private Poller poller(Request request) {
        RepositoryConfig repository = RepositoryConfig.of(request.repository());
        Watch watch = PackageConfig.watch(request.material());
        return new Poller(connector.connect(repository, POLL_LIMIT), repository.uiUrl(), watch);
    }

    private static ConnectionStatus checked(Supplier<ConnectionStatus> check) {
        try {
            return check.get();
        } catch (Refusal refusal) {
            return ConnectionStatus.failure(refusal.getMessage());
        }
    }
}
