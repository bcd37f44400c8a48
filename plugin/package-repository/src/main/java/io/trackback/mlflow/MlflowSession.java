package io.trackback.mlflow;

import com.google.gson.JsonParseException;
import com.thoughtworks.go.plugin.api.logging.Logger;
import java.util.Optional;

/** The requests of one call of GoCD, which share one deadline and one limit of 8 MiB of responses. */
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

    /** Empty when MLflow answers with status 400 or 404 and the error code `noneCode`. */
    <T extends RestResponse> Optional<T> find(MlflowRequest request, Class<T> shape, String noneCode) {
        Response response = send(request);
        if (response.status() == 400 || response.status() == 404) {
            ErrorResponse error = parse(request, response, ErrorResponse.class);
            if (noneCode.equals(error.errorCode())) {
                return Optional.empty();
            }
            throw refusal(request, error.isMissing() ? "it has none: create it or correct the package" : NOT_MLFLOW);
        }
        if (response.status() != 200) {
            throw refusal(request, refused(response.status()));
        }
        return Optional.of(parse(request, response, shape));
    }

    private Response send(MlflowRequest request) {
        long start = System.nanoTime();
        try {
            Response response = transport.send(request.to(repository), bytesLeft, deadline);
            bytesLeft -= response.length();
            LOG.debug("asked MLflow for " + request.description() + ": status " + response.status() + ", "
                    + response.length() + " bytes, " + Log.millisecondsSince(start) + " ms");
            return response;
        } catch (NoResponseException none) {
            throw refusal(request, none.getMessage());
        }
    }

    private <T extends RestResponse> T parse(MlflowRequest request, Response response, Class<T> shape) {
        try {
            T reply = Json.parse(response.body(), shape);
            if (reply.isValid()) {
                return reply;
            }
        } catch (JsonParseException notJson) {
            // Refused below, without the exception's text, which quotes MLflow's.
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
        return new RefusedException(
                "asked MLflow at " + repository.url() + " for " + request.description() + ", " + found);
    }

    private record ErrorResponse(String errorCode) implements RestResponse {
        boolean isMissing() {
            return "RESOURCE_DOES_NOT_EXIST".equals(errorCode);
        }
    }
}
