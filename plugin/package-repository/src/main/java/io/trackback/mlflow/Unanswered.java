package io.trackback.mlflow;

import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import javax.net.ssl.SSLException;

/** No answer came back; the text says what was found instead and what to do, and begins in the middle of a sentence. */
final class Unanswered extends Exception {
    private static final long serialVersionUID = 1L;

    private final boolean broken;

    private Unanswered(String found) {
        this(found, false);
    }

    private Unanswered(String found, boolean broken) {
        super(found);
        this.broken = broken;
    }

    /** Whether there was a connection, which ended or spoke something else. */
    boolean isBroken() {
        return broken;
    }

    static Unanswered late(Deadline deadline) {
        return new Unanswered("it did not answer within " + deadline.limit().toMillis() / 1000.0
                + " s: check that it runs and is not overloaded");
    }

    static Unanswered stopped() {
        return new Unanswered("its answer was not waited for: GoCD is stopping");
    }

    static Unanswered linkLocal() {
        return new Unanswered("its name leads to a link-local address: set " + RepositoryConfig.URL
                + " to where MLflow is");
    }

    static Unanswered because(Throwable failure) {
        if (failure instanceof CappedBody.TooLong) {
            return new Unanswered("it sent more than 8 MiB: remove the tag from old runs, and check that it is MLflow");
        }
        if (failure instanceof ConnectException
                || failure instanceof NoRouteToHostException
                || failure instanceof UnknownHostException) {
            return new Unanswered(
                    "it cannot be reached: check that it runs, and the address in " + RepositoryConfig.URL);
        }
        if (failure instanceof SSLException) {
            return new Unanswered("its certificate is not trusted: add it to the trust store of GoCD's JVM, or set "
                    + RepositoryConfig.URL + " to http");
        }
        // The client lets the second one through: a Content-Length that is no number.
        if (failure instanceof IOException || failure instanceof NumberFormatException) {
            return new Unanswered(
                    "its answer broke off or is no HTTP: check its log, and the address in " + RepositoryConfig.URL,
                    true);
        }
        throw new IllegalStateException(failure);
    }
}
