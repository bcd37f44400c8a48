package io.trackback.mlflow;

import com.google.gson.JsonParseException;
import com.thoughtworks.go.plugin.api.logging.Logger;
import java.util.Optional;

/** The questions of one call: one deadline and one allowance of bytes for all of them. */
final class MlflowSession {
    private static final Logger LOG = Log.of(MlflowSession.class);
    private static final int BYTES = 8 << 20;
    private static final String NOT_MLFLOW = "it did not answer as MLflow does: check the address in "
            + RepositoryConfig.URL + ", and any proxy in between";

    private final Transport transport;
    private final RepositoryConfig repository;
    private final Deadline deadline;
    private int bytesLeft = BYTES;

    MlflowSession(Transport transport, RepositoryConfig repository, Deadline deadline) {
        this.transport = transport;
        this.repository = repository;
        this.deadline = deadline;
    }

    <T extends RestResponse> T ask(MlflowRequest request, Class<T> shape) {
        return find(request, shape, "").orElseThrow(() -> notMlflow(request));
    }

    /** Empty when MLflow says that there is none, which it does by this error code. */
    <T extends RestResponse> Optional<T> find(MlflowRequest request, Class<T> shape, String noneCode) {
        Response answer = send(request);
        if (answer.status() == 400 || answer.status() == 404) {
            ErrorReply error = parse(request, answer, ErrorReply.class);
            if (noneCode.equals(error.errorCode())) {
                return Optional.empty();
            }
            throw refusal(request, error.isMissing() ? "it has none: create it or correct the package" : NOT_MLFLOW);
        }
        if (answer.status() != 200) {
            throw refusal(request, refused(answer.status()));
        }
        return Optional.of(parse(request, answer, shape));
    }

    private Response send(MlflowRequest request) {
        long start = System.nanoTime();
        try {
            Response answer = transport.send(request.to(repository), bytesLeft, deadline);
            bytesLeft -= answer.length();
            LOG.debug("asked MLflow for " + request.description() + ": status " + answer.status() + ", " + answer.length()
                    + " bytes, " + Log.millisecondsSince(start) + " ms");
            return answer;
        } catch (NoResponseException none) {
            throw refusal(request, none.getMessage());
        }
    }

    private <T extends RestResponse> T parse(MlflowRequest request, Response answer, Class<T> shape) {
        try {
            T reply = Json.parse(answer.body(), shape);
            if (reply.isValid()) {
                return reply;
            }
        } catch (JsonParseException notJson) {
            // Told below: its text is MLflow's own.
        }
        throw notMlflow(request);
    }

    RefusedException notMlflow(MlflowRequest request) {
        return refusal(request, NOT_MLFLOW);
    }

    private static String refused(int status) {
        if (status == 401) {
            return "it refused the credentials: check user name, password or token of the repository";
        }
        if (status == 403) {
            return "it refuses access: check the rights of the user, and MLflow's list of allowed hosts";
        }
        if (status >= 300 && status < 400) {
            return "it answered with a redirect: set " + RepositoryConfig.URL + " to where it leads";
        }
        return status >= 500 || status == 429 ? "it failed with status " + status + ": see its log" : NOT_MLFLOW;
    }

    private RefusedException refusal(MlflowRequest request, String found) {
        return new RefusedException("asked MLflow at " + repository.url() + " for " + request.description() + ", " + found);
    }

    private record ErrorReply(String errorCode) implements RestResponse {
        boolean isMissing() {
            return "RESOURCE_DOES_NOT_EXIST".equals(errorCode);
        }
    }
}
