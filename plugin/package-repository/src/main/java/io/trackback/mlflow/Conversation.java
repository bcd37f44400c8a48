package io.trackback.mlflow;

import com.google.gson.JsonParseException;
import com.thoughtworks.go.plugin.api.logging.Logger;
import java.util.Optional;

/** The questions of one call: one deadline and one allowance of bytes for all of them. */
final class Conversation {
    private static final Logger LOG = Log.of(Conversation.class);
    private static final int BYTES = 8 << 20;
    private static final String NOT_MLFLOW = "it did not answer as MLflow does: check the address in "
            + RepositoryConfig.URL + ", and any proxy in between";

    private final Transport transport;
    private final RepositoryConfig repository;
    private final Deadline deadline;
    private int bytesLeft = BYTES;

    Conversation(Transport transport, RepositoryConfig repository, Deadline deadline) {
        this.transport = transport;
        this.repository = repository;
        this.deadline = deadline;
    }

    <T extends Reply> T ask(Question question, Class<T> shape) {
        return find(question, shape, "").orElseThrow(() -> notMlflow(question));
    }

    /** Empty when MLflow says that there is none, which it does by this error code. */
    <T extends Reply> Optional<T> find(Question question, Class<T> shape, String noneCode) {
        Answer answer = send(question);
        if (answer.status() == 400 || answer.status() == 404) {
            ErrorReply error = parse(question, answer, ErrorReply.class);
            if (noneCode.equals(error.errorCode())) {
                return Optional.empty();
            }
            throw refusal(question, error.isMissing() ? "it has none: create it or correct the package" : NOT_MLFLOW);
        }
        if (answer.status() != 200) {
            throw refusal(question, refused(answer.status()));
        }
        return Optional.of(parse(question, answer, shape));
    }

    private Answer send(Question question) {
        long start = System.nanoTime();
        try {
            Answer answer = transport.send(question.to(repository), bytesLeft, deadline);
            bytesLeft -= answer.length();
            LOG.debug("asked MLflow for " + question.words() + ": status " + answer.status() + ", " + answer.length()
                    + " bytes, " + Log.millisecondsSince(start) + " ms");
            return answer;
        } catch (Unanswered none) {
            throw refusal(question, none.getMessage());
        }
    }

    private <T extends Reply> T parse(Question question, Answer answer, Class<T> shape) {
        try {
            T reply = Json.parse(answer.body(), shape);
            if (reply.isSound()) {
                return reply;
            }
        } catch (JsonParseException notJson) {
            // Told below: its text is MLflow's own.
        }
        throw notMlflow(question);
    }

    Refusal notMlflow(Question question) {
        return refusal(question, NOT_MLFLOW);
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

    private Refusal refusal(Question question, String found) {
        return new Refusal("asked MLflow at " + repository.url() + " for " + question.words() + ", " + found);
    }

    private record ErrorReply(String errorCode) implements Reply {
        boolean isMissing() {
            return "RESOURCE_DOES_NOT_EXIST".equals(errorCode);
        }
    }
}
