package io.trackback.mlflow;

import java.io.ByteArrayInputStream;
import java.net.http.HttpRequest;
import java.util.function.Function;

/** Answers each request by its address with the body that `replies` has for it, in place of a network. */
public final class ReplayTransport implements Transport {
    private final Function<String, byte[]> replies;

    public ReplayTransport(Function<String, byte[]> replies) {
        this.replies = replies;
    }

    @Override
    public Response send(HttpRequest request, int bytes, Deadline deadline) throws NoResponseException {
        byte[] reply = replies.apply(request.uri().toString());
        if (reply.length > bytes) {
            throw NoResponseException.because(new LimitedBodySubscriber.TooLargeException());
        }
        return new Response(200, reply.length, new ByteArrayInputStream(reply));
    }
}
