package io.trackback.mlflow;

import java.net.http.HttpRequest;

/** Sends one HTTP request and returns the complete response. */
interface Transport {
    /** Raises NoResponseException for a body of more than `bytes` bytes, and when the deadline has passed. */
    Response send(HttpRequest request, int bytes, Deadline deadline) throws NoResponseException;
}
