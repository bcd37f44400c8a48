package io.trackback.mlflow;

import java.io.ByteArrayInputStream;
import java.net.http.HttpRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Plays replies in place of a network: for each endpoint its pages in turn, the last of them for ever. */
final class ReplayTransport implements Transport {
    private final Map<Endpoint, List<byte[]>> pages;
    final List<Endpoint> requests = new ArrayList<>();

    ReplayTransport(Map<Endpoint, List<byte[]>> pages) {
        this.pages = pages;
    }

    MlflowPackagePlugin plugin() {
        return new MlflowPackagePlugin((repository, limit) ->
                new HttpMlflow(new MlflowSession(this, repository, Deadline.in(limit))));
    }

    @Override
    public Response send(HttpRequest request, int bytes, Deadline deadline) throws NoResponseException {
        Endpoint endpoint = Endpoint.of(request.uri().toString());
        List<byte[]> replies = pages.get(endpoint);
        long before = requests.stream().filter(endpoint::equals).count();
        byte[] reply = replies.get((int) Math.min(before, replies.size() - 1));
        requests.add(endpoint);
        if (reply.length > bytes) {
            throw NoResponseException.because(new LimitedBodySubscriber.TooLargeException());
        }
        return new Response(200, reply.length, new ByteArrayInputStream(reply));
    }
}
