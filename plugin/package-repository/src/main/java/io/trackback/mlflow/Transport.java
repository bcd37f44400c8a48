package io.trackback.mlflow;

import java.net.http.HttpRequest;

/** Carries one question to MLflow and brings the whole answer back. */
interface Transport {
    /** Reads `bytes` bytes at most. */
    Response send(HttpRequest request, int bytes, Deadline deadline) throws NoResponseException;
}
