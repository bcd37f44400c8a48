package io.trackback.mlflow;

import com.thoughtworks.go.plugin.api.logging.Logger;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Answers GoCD's package-repository messages: one method a message, which takes its body. */
final class MessageHandler {
    private static final Logger LOG = Log.of(MessageHandler.class);
    private static final Duration POLL_LIMIT = Duration.ofSeconds(15);
    // GoCD's page waits for a check.
    private static final Duration CHECK_LIMIT = Duration.ofMillis(4500);

    private final Connector connector;

    MessageHandler(Connector connector) {
        this.connector = connector;
    }

    List<ValidationError> validateRepository(String body) {
        return RepositoryConfig.validate(RequestBody.parse(body).repository());
    }

    List<ValidationError> validatePackage(String body) {
        return PackageConfig.validate(RequestBody.parse(body).material());
    }

    ConnectionStatus checkRepository(String body) {
        return checked(() -> {
            RepositoryConfig repository = RepositoryConfig.of(RequestBody.parse(body).repository());
            return ConnectionStatus.ofRepository(connector.connect(repository, CHECK_LIMIT), repository);
        });
    }

    ConnectionStatus checkPackage(String body) {
        return checked(() -> {
            RequestBody request = RequestBody.parse(body);
            RepositoryConfig repository = RepositoryConfig.of(request.repository());
            PromotionSource source = PackageConfig.source(request.material());
            return ConnectionStatus.success(source.connectionCheck(connector.connect(repository, CHECK_LIMIT)));
        });
    }

    Revision latestRevision(String body) {
        return logged(poller(RequestBody.parse(body)).latest());
    }

    /** An empty object when nothing is new, as GoCD's API asks for. */
    Object latestRevisionSince(String body) {
        RequestBody request = RequestBody.parse(body);
        return poller(request)
                .since(request.previous())
                .map(MessageHandler::logged)
                .map(Object.class::cast)
                .orElse(Map.of());
    }

    private static Revision logged(Revision revision) {
        LOG.info("reports " + revision.revision() + ": " + revision.revisionComment());
        return revision;
    }

    private Poller poller(RequestBody request) {
        RepositoryConfig repository = RepositoryConfig.of(request.repository());
        PromotionSource source = PackageConfig.source(request.material());
        return new Poller(connector.connect(repository, POLL_LIMIT), repository.uiUrl(), source);
    }

    private static ConnectionStatus checked(Supplier<ConnectionStatus> check) {
        try {
            return check.get();
        } catch (RefusedException refusal) {
            return ConnectionStatus.failure(refusal.getMessage());
        }
    }
}
