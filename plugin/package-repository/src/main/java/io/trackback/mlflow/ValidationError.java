package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** One error of GoCD's `validate-…` messages: the configuration key, and what is wrong with its value. */
record ValidationError(String key, String message) {

    static Optional<ValidationError> unless(boolean valid, String key, String message) {
        return valid ? Optional.empty() : Optional.of(new ValidationError(key, message));
    }

    static void refuse(List<ValidationError> errors) {
        if (!errors.isEmpty()) {
            throw new RefusedException(errors.get(0).key() + ": " + errors.get(0).message());
        }
    }
}
