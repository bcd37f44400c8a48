package io.trackback.mlflow;

import java.io.ByteArrayInputStream;
import java.net.http.HttpRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Plays replies in place of a network: for each topic its pages in turn, the last of them for ever. */
final class PlayedTransport implements Transport {
    private final Map<Topic, List<byte[]>> pages;
    final List<Topic> asked = new ArrayList<>();

    PlayedTransport(Map<Topic, List<byte[]>> pages) {
        this.pages = pages;
    }

    MlflowPackagePlugin plugin() {
        return new MlflowPackagePlugin((repository, limit) ->
                new HttpMlflow(new Conversation(this, repository, Deadline.in(limit))));
    }

    @Override
    public Answer send(HttpRequest request, int bytes, Deadline deadline) throws Unanswered {
        Topic topic = Topic.of(request.uri().toString());
        List<byte[]> replies = pages.get(topic);
        long before = asked.stream().filter(topic::equals).count();
        byte[] reply = replies.get((int) Math.min(before, replies.size() - 1));
        asked.add(topic);
        if (reply.length > bytes) {
            throw Unanswered.because(new CappedBody.TooLong());
        }
        return new Answer(200, reply.length, new ByteArrayInputStream(reply));
    }
}
