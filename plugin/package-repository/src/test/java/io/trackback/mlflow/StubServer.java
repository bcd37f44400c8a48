package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** An HTTP server on 127.0.0.1 whose answers a test sets by path. */
public final class StubServer implements AutoCloseable {
    final List<String> requests = new CopyOnWriteArrayList<>();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final HttpServer server;

    interface Answer {
        void to(HttpExchange exchange) throws IOException;
    }

    StubServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    Mlflow mlflow() {
        return mlflow(Duration.ofSeconds(60));
    }

    Mlflow mlflow(Duration limit) {
        return new HttpConnector(HttpTransport::new).connect(new RepositoryConfig(url(), url(), "Bearer abc"), limit);
    }

    void serve(String path, Answer answer) {
        server.createContext(path, exchange -> {
            requests.add(exchange.getRequestMethod() + " " + exchange.getRequestURI() + " "
                    + new String(exchange.getRequestBody().readAllBytes(), UTF_8));
            try (exchange) {
                answer.to(exchange);
            }
        });
    }

    void answer(String path, Answer answer) {
        serve("/api/2.0/mlflow/" + path, answer);
    }

    void answer(String path, int status, String body) {
        answer(path, exchange -> reply(exchange, status, body));
    }

    static void reply(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    static void writeForEver(OutputStream body, int bytes, long pauseMillis) throws IOException {
        while (true) {
            body.write(" ".repeat(bytes).getBytes(UTF_8));
            body.flush();
            pause(pauseMillis);
        }
    }

    /** The pace of a slow server. */
    public static void pause(long millis) throws IOException {
        try {
            TimeUnit.MILLISECONDS.sleep(millis);
        } catch (InterruptedException stopped) {
            throw new IOException(stopped);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
