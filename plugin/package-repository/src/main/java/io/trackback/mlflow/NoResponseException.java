package io.trackback.mlflow;

import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import javax.net.ssl.SSLException;

/** MLflow did not answer. The message is the second half of a sentence: what was found, and what to do. */
final class NoResponseException extends Exception {
    private static final long serialVersionUID = 1L;

    private final boolean broken;

    private NoResponseException(String found) {
        this(found, false);
    }

    private NoResponseException(String found, boolean broken) {
        super(found);
        this.broken = broken;
    }

    /** Whether a connection was made that then broke off or carried no HTTP. */
    boolean isBroken() {
        return broken;
    }

    static NoResponseException timedOut(Deadline deadline) {
        return new NoResponseException("it did not answer within " + deadline.limit().toMillis() / 1000.0
                + " s: check that it runs and is not overloaded");
    }

    static NoResponseException interrupted() {
        return new NoResponseException("its answer was not waited for: GoCD is stopping");
    }

    static NoResponseException linkLocal() {
        return new NoResponseException("its name leads to a link-local address: set " + RepositoryConfig.URL
                + " to where MLflow is");
    }

    static NoResponseException because(Throwable failure) {
        if (failure instanceof LimitedBodySubscriber.TooLargeException) {
            return new NoResponseException(
                    "it sent more than 8 MiB: remove the tag from old runs, and check that it is MLflow");
        }
        if (failure instanceof ConnectException
                || failure instanceof NoRouteToHostException
                || failure instanceof UnknownHostException) {
            return new NoResponseException(
                    "it cannot be reached: check that it runs, and the address in " + RepositoryConfig.URL);
        }
        if (failure instanceof SSLException) {
            return new NoResponseException("its certificate is not trusted: add it to the trust store of GoCD's JVM,"
                    + " or set " + RepositoryConfig.URL + " to http");
        }
        // HttpClient raises the second one for a Content-Length that is no number.
        if (failure instanceof IOException || failure instanceof NumberFormatException) {
            return new NoResponseException(
                    "its answer broke off or is no HTTP: check its log, and the address in " + RepositoryConfig.URL,
                    true);
        }
        throw new IllegalStateException(failure);
    }
}
