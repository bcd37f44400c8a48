package io.trackback.mlflow;

/** A message that cannot be answered; its text is one sentence for the operator of GoCD. */
final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Refusal(String sentence) {
        super(sentence);
    }
}
