package io.trackback.mlflow;

/** A message that cannot be answered; its text is one sentence for the operator of GoCD. */
final class RefusedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    RefusedException(String sentence) {
        super(sentence);
    }
}
