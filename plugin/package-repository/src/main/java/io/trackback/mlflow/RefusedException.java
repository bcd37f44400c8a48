package io.trackback.mlflow;

/** A message of GoCD that cannot be answered. The text is one sentence for the operator. */
final class RefusedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RefusedException(String sentence) {
        super(sentence);
    }
}
