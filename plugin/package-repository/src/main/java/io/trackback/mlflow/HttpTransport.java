package io.trackback.mlflow;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;

/** HTTP/1.1, without redirects. Idle threads end after 2 s, so that an unloaded plugin can be collected. */
final class HttpTransport implements Transport {
    private final Executor threads =
            new ThreadPoolExecutor(0, Integer.MAX_VALUE, 2, TimeUnit.SECONDS, new SynchronousQueue<>(), work -> {
                Thread thread = new Thread(work, "trackback-mlflow");
                thread.setDaemon(true);
                return thread;
            });
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .executor(threads)
            .build();
    private final HostResolver resolver;

    HttpTransport() {
        this(InetAddress::getAllByName);
    }

    HttpTransport(HostResolver resolver) {
        this.resolver = resolver;
    }

    @Override
    public Response send(HttpRequest request, int bytes, Deadline deadline) throws NoResponseException {
        String host = request.uri().getHost();
        if (await(CompletableFuture.supplyAsync(() -> isLinkLocal(host), threads), deadline)) {
            throw NoResponseException.linkLocal();
        }
        AtomicBoolean begun = new AtomicBoolean();
        try {
            return exchange(request, bytes, deadline, begun);
        } catch (NoResponseException none) {
            // The server may have closed a kept-alive connection. HttpClient repeats a GET then, but no POST;
            // all requests of the plugin only read, so each may be repeated.
            if (none.isBroken() && !begun.get()) {
                return exchange(request, bytes, deadline, begun);
            }
            throw none;
        }
    }

    private Response exchange(HttpRequest request, int bytes, Deadline deadline, AtomicBoolean begun)
            throws NoResponseException {
        HttpResponse.BodyHandler<LimitedBodySubscriber.Collected> collect = head -> {
            begun.set(true);
            return new LimitedBodySubscriber(bytes);
        };
        HttpResponse<LimitedBodySubscriber.Collected> response = await(client.sendAsync(request, collect), deadline);
        LimitedBodySubscriber.Collected body = response.body();
        return new Response(response.statusCode(), body.length(), body.content());
    }

    /** False for a name that cannot be resolved here: HttpClient may reach it through a proxy. */
    private boolean isLinkLocal(String host) {
        try {
            return Stream.of(resolver.addresses(host)).anyMatch(InetAddress::isLinkLocalAddress);
        } catch (UnknownHostException unknown) {
            return false;
        }
    }

    private static <T> T await(CompletableFuture<T> coming, Deadline deadline) throws NoResponseException {
        try {
            return coming.get(deadline.nanosLeft(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException late) {
            throw NoResponseException.timedOut(deadline);
        } catch (ExecutionException failure) {
            // HttpClient leaves a connection open on which no valid HTTP came; cancelling a derived future closes it.
            coming.newIncompleteFuture().cancel(true);
            throw NoResponseException.because(failure.getCause());
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw NoResponseException.interrupted();
        } finally {
            // Ends an exchange that is still under way, so that nothing is read after the deadline.
            coming.cancel(true);
        }
    }

    /** Resolves a host name, as InetAddress.getAllByName does. */
    interface HostResolver {
        InetAddress[] addresses(String host) throws UnknownHostException;
    }
}
