package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The sentence for each way in which a server can fail to answer as MLflow does. */
final class MlflowSessionTest {
    private static final String NOT_MLFLOW =
            "it did not answer as MLflow does: check the address in MLFLOW_URL, and any proxy in between";

    private StubServer server;

    @BeforeEach
    void start() throws IOException {
        server = new StubServer();
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private String refusalOfExperiment(Mlflow mlflow) {
        String message = assertThrows(RefusedException.class, () -> mlflow.experiment("x")).getMessage();
        String start = "asked MLflow at " + server.url() + " for the experiment 'x', ";
        assertTrue(message.startsWith(start), message);
        return message.substring(start.length());
    }

    private String refusalOfExperiment(int status, String body) {
        server.answer("experiments/get-by-name", status, body);
        return refusalOfExperiment(server.mlflow());
    }

    @Test
    void credentialsAreSent() {
        List<String> headers = new ArrayList<>();
        server.answer("experiments/get-by-name", exchange -> {
            headers.addAll(exchange.getRequestHeaders().get("Authorization"));
            exchange.sendResponseHeaders(401, -1);
        });
        refusalOfExperiment(server.mlflow());
        assertEquals(List.of("Bearer abc"), headers);
    }

    @Test
    void refusedCredentialsAreNamed() {
        assertEquals(
                "it refused the credentials: check user name, password or token of the repository",
                refusalOfExperiment(401, "You are not authenticated, secret text"));
    }

    @Test
    void refusedAccessIsNamed() {
        assertEquals(
                "it refuses access: check the rights of the user, and MLflow's list of allowed hosts",
                refusalOfExperiment(403, "Invalid Host header"));
    }

    @Test
    void aServerErrorIsNamedWithoutItsText() {
        assertEquals("it failed with status 503: see its log", refusalOfExperiment(503, "secret text"));
    }

    @Test
    void aPageWithStatus200IsNotMlflow() {
        assertEquals(NOT_MLFLOW, refusalOfExperiment(200, "<html>Sign in</html>"));
    }

    @Test
    void aPageWithStatus404IsNotMlflow() {
        assertEquals(NOT_MLFLOW, refusalOfExperiment(404, "<html>Not found</html>"));
    }

    @Test
    void anotherServicesStatus404IsNotMlflow() {
        assertEquals(NOT_MLFLOW, refusalOfExperiment(404, "{\"detail\":\"Not Found\"}"));
    }

    @Test
    void truncatedJsonIsNotMlflow() {
        assertEquals(NOT_MLFLOW, refusalOfExperiment(200, "{\"experiment\":{\"experiment_id\":\"7\""));
    }

    @Test
    void anEmptyObjectIsNoExperiment() {
        assertEquals(NOT_MLFLOW, refusalOfExperiment(200, "{}"));
    }

    @Test
    void anEmptyBodyIsNotMlflow() {
        assertEquals(NOT_MLFLOW, refusalOfExperiment(200, ""));
    }

    @Test
    void aStrangeExperimentIdIsNotMlflow() {
        assertEquals(NOT_MLFLOW, refusalOfExperiment(200, "{\"experiment\":{\"experiment_id\":\"1/../2\"}}"));
    }

    @Test
    void deeplyNestedJsonIsNotMlflow() {
        assertEquals(NOT_MLFLOW, refusalOfExperiment(200, "{\"experiment\":" + "[".repeat(100_000)));
    }

    @Test
    void aRedirectIsNotFollowed() {
        AtomicInteger followed = new AtomicInteger();
        server.serve("/elsewhere", exchange -> {
            followed.incrementAndGet();
            exchange.sendResponseHeaders(200, -1);
        });
        server.answer("experiments/get-by-name", exchange -> {
            exchange.getResponseHeaders().add("Location", server.url() + "/elsewhere");
            exchange.sendResponseHeaders(302, -1);
        });
        assertEquals(
                "it answered with a redirect: set MLFLOW_URL to where it leads", refusalOfExperiment(server.mlflow()));
        assertEquals(0, followed.get());
    }

    @Test
    void aClosedPortIsUnreachable() {
        server.close();
        assertEquals(
                "it cannot be reached: check that it runs, and the address in MLFLOW_URL",
                refusalOfExperiment(server.mlflow()));
    }

    @Test
    void aConnectionCutShortBreaksOff() {
        server.answer("experiments/get-by-name", exchange -> {
            exchange.sendResponseHeaders(200, 1000);
            exchange.getResponseBody().write('{');
            exchange.getResponseBody().flush();
            throw new IOException("cut");
        });
        assertEquals(
                "its answer broke off or is no HTTP: check its log, and the address in MLFLOW_URL",
                refusalOfExperiment(server.mlflow()));
    }

    @Test
    void aDrippingBodyEndsAtTheDeadlineAndIsHungUpOn() throws InterruptedException {
        CountDownLatch hungUp = new CountDownLatch(1);
        server.answer("experiments/get-by-name", exchange -> {
            exchange.sendResponseHeaders(200, 0);
            try {
                StubServer.writeForEver(exchange.getResponseBody(), 1, 10);
            } finally {
                hungUp.countDown();
            }
        });
        assertEquals(
                "it did not answer within 0.4 s: check that it runs and is not overloaded",
                refusalOfExperiment(server.mlflow(Duration.ofMillis(400))));
        assertTrue(hungUp.await(60, TimeUnit.SECONDS), "the connection was never closed");
    }

    @Test
    void theDeadlineHoldsForAllRequestsTogether() {
        server.answer("runs/search", exchange -> {
            StubServer.pause(150);
            StubServer.reply(exchange, 200, "{\"next_page_token\":\"" + server.requests.size() + "\"}");
        });
        Mlflow mlflow = server.mlflow(Duration.ofMillis(400));
        RefusedException refusal = assertThrows(RefusedException.class, () -> mlflow.tagged("1", "promote"));
        assertTrue(refusal.getMessage().contains("did not answer within 0.4 s"), refusal.getMessage());
    }

    @Test
    void anEndlessBodyIsCutOff() {
        server.answer("experiments/get-by-name", exchange -> {
            exchange.sendResponseHeaders(200, 0);
            StubServer.writeForEver(exchange.getResponseBody(), 1 << 16, 0);
        });
        assertEquals(
                "it sent more than 8 MiB: remove the tag from old runs, and check that it is MLflow",
                refusalOfExperiment(server.mlflow()));
    }

    @Test
    void theAllowanceOfBytesHoldsForAllPagesTogether() {
        server.answer("runs/search", exchange -> StubServer.reply(
                exchange,
                200,
                "{\"next_page_token\":\"" + server.requests.size() + "\",\"pad\":\"" + "p".repeat(3 << 20) + "\"}"));
        Mlflow mlflow = server.mlflow();
        RefusedException refusal = assertThrows(RefusedException.class, () -> mlflow.tagged("1", "promote"));
        assertTrue(refusal.getMessage().contains("sent more than 8 MiB"), refusal.getMessage());
        assertEquals(3, server.requests.size());
    }

    @Test
    void aHostThatResolvesToALinkLocalAddressGetsNoRequest() {
        String url = "http://localhost:" + URI.create(server.url()).getPort();
        server.answer("experiments/get-by-name", 200, "{}");
        InetAddress[] metadata = {InetAddress.getLoopbackAddress(), linkLocal()};
        Mlflow mlflow = new HttpConnector(() -> new HttpTransport(host -> metadata))
                .connect(new RepositoryConfig(url, url, ""), Duration.ofSeconds(60));
        assertEquals(
                "asked MLflow at " + url + " for the experiment 'x', its name leads to a link-local address:"
                        + " set MLFLOW_URL to where MLflow is",
                assertThrows(RefusedException.class, () -> mlflow.experiment("x")).getMessage());
        assertEquals(List.of(), server.requests);
    }

    private static InetAddress linkLocal() {
        try {
            return InetAddress.getByAddress(new byte[] {(byte) 169, (byte) 254, (byte) 169, (byte) 254});
        } catch (UnknownHostException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
