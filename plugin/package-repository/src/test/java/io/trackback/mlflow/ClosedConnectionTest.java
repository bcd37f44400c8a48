package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** A server closes a kept-alive connection while the next request is on its way. */
final class ClosedConnectionTest {
    private static final byte[] ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".getBytes(UTF_8);

    private final HttpTransport transport = new HttpTransport();

    /** Answers this many requests on each connection and closes it at the next one without an answer. */
    private static void serve(ServerSocket server, int... answers) {
        for (int count : answers) {
            try (Socket connection = server.accept();
                    BufferedReader in = new BufferedReader(new InputStreamReader(connection.getInputStream(), UTF_8))) {
                for (int answered = 0; answered < count; answered++) {
                    readRequest(in);
                    connection.getOutputStream().write(ANSWER);
                }
                readRequest(in);
            } catch (IOException gone) {
                return;
            }
        }
    }

    private static void readRequest(BufferedReader in) throws IOException {
        String line = in.readLine();
        while (line != null && !line.isEmpty()) {
            line = in.readLine();
        }
        in.skip(2);
    }

    private Response ask(ServerSocket server) throws NoResponseException {
        URI uri = URI.create("http://127.0.0.1:" + server.getLocalPort() + "/");
        HttpRequest request =
                HttpRequest.newBuilder(uri).POST(BodyPublishers.ofString("{}")).build();
        return transport.send(request, 1000, Deadline.in(Duration.ofSeconds(60)));
    }

    @Test
    void aRequestOnAConnectionThatIsClosedIsSentAgain() throws IOException, NoResponseException {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            CompletableFuture.runAsync(() -> serve(server, 1, 1));
            assertEquals(200, ask(server).status());
            assertEquals(200, ask(server).status());
        }
    }

    @Test
    void aServerThatOnlyClosesConnectionsGetsTwoRequestsAndIsRefused() throws IOException {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            CompletableFuture.runAsync(() -> serve(server, 0, 0, 1));
            NoResponseException none = assertThrows(NoResponseException.class, () -> ask(server));
            assertEquals(
                    "its answer broke off or is no HTTP: check its log, and the address in MLFLOW_URL",
                    none.getMessage());
        }
    }
}
