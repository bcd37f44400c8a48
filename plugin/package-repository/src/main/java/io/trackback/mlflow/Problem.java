package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** What is wrong with one configured value. */
record Problem(String key, String message) {

    static Optional<Problem> unless(boolean fine, String key, String message) {
        return fine ? Optional.empty() : Optional.of(new Problem(key, message));
    }

    static void refuse(List<Problem> problems) {
        if (!problems.isEmpty()) {
            throw new Refusal(problems.get(0).key() + ": " + problems.get(0).message());
        }
    }
}
