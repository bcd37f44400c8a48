package io.trackback.mlflow;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Enumeration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow.Subscription;

/** Collects a body piece by piece; above `limit` bytes it cancels the exchange and raises TooLargeException. */
final class LimitedBodySubscriber implements BodySubscriber<LimitedBodySubscriber.Collected> {
    private final int limit;
    private final Queue<InputStream> pieces = new ArrayDeque<>();
    private final CompletableFuture<Collected> body = new CompletableFuture<>();
    private int length;
    private Subscription subscription;

    LimitedBodySubscriber(int limit) {
        this.limit = limit;
    }

    @Override
    public CompletionStage<Collected> getBody() {
        return body;
    }

    @Override
    public void onSubscribe(Subscription opened) {
        subscription = opened;
        opened.request(1);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        for (ByteBuffer buffer : buffers) {
            if (length + buffer.remaining() > limit) {
                subscription.cancel();
                body.completeExceptionally(new TooLargeException());
                return;
            }
            collect(buffer);
        }
        subscription.request(1);
    }

    private void collect(ByteBuffer buffer) {
        byte[] piece = new byte[buffer.remaining()];
        buffer.get(piece);
        length += piece.length;
        pieces.add(new ByteArrayInputStream(piece));
    }

    @Override
    public void onError(Throwable failure) {
        body.completeExceptionally(failure);
    }

    @Override
    public void onComplete() {
        body.complete(new Collected(length, new SequenceInputStream(new Taken(pieces))));
    }

    /** Drops each piece when the next one is read, so that the body and what is parsed from it share the heap. */
    private record Taken(Queue<InputStream> pieces) implements Enumeration<InputStream> {
        @Override
        public boolean hasMoreElements() {
            return !pieces.isEmpty();
        }

        @Override
        public InputStream nextElement() {
            return pieces.remove();
        }
    }

    record Collected(int length, InputStream content) {}

    static final class TooLargeException extends IOException {
        private static final long serialVersionUID = 1L;
    }
}
