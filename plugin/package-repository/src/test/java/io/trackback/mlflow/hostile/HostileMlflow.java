package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import io.trackback.mlflow.GocdMaterial;
import io.trackback.mlflow.GocdReader.Modification;
import io.trackback.mlflow.MlflowPackagePlugin;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An MLflow with valid answers except at one endpoint, the GoCD that polls it, and the plugin's log. */
final class HostileMlflow implements AutoCloseable {
    private static final String TOKEN = "token-5d1c9e";
    private static final String PASSWORD = "password-7b3f20";
    private static final List<String> SECRETS =
            List.of(TOKEN, PASSWORD, Base64.getEncoder().encodeToString(("ada:" + PASSWORD).getBytes(UTF_8)));

    private final RawSocketServer server;
    private final PrintStream console = System.out;
    private final ByteArrayOutputStream log = new ByteArrayOutputStream();

    HostileMlflow() throws IOException {
        server = new RawSocketServer();
        System.setOut(new PrintStream(log, true, UTF_8));
        server.play(HostileMlflow::replyValidly);
    }

    private static void replyValidly(RawSocketServer.Request request, OutputStream out) throws IOException {
        HostileBody.send(out, 200, HostileBody.valid(Endpoint.of(request.line())));
    }

    void play(Endpoint endpoint, RawSocketServer.Script script) {
        server.play((request, out) -> {
            if (Endpoint.of(request.line()) == endpoint) {
                script.play(request, out);
            } else {
                replyValidly(request, out);
            }
        });
    }

    void play(Endpoint endpoint, int status, byte[] body) {
        play(endpoint, (request, out) -> HostileBody.send(out, status, body));
    }

    void playValidReplies() {
        server.play(HostileMlflow::replyValidly);
    }

    void assertHungUp() {
        assertTrue(server.isHungUpOn(Duration.ofSeconds(60)), "the plugin has left a connection open");
    }

    boolean wasAskedFor(String path) {
        return server.requests.stream().anyMatch(asked -> asked.line().contains(path));
    }

    /** The answer to one message; fails when a secret is in it. */
    GocdAnswer ask(MlflowPackagePlugin plugin, Endpoint endpoint, String message) {
        GocdMaterial material = new GocdMaterial(plugin, repository(endpoint), endpoint.material());
        if (message.equals("latest-revision-since")) {
            material.keep(new Modification("41-00000000", Instant.EPOCH, "", "", "", Map.of("SEEN", "000000000000")));
        }
        GoPluginApiResponse response = material.send(message);
        assertNoSecret(response.responseBody());
        return GocdAnswer.of(message, response);
    }

    private static void assertNoSecret(String text) {
        for (String secret : SECRETS) {
            assertFalse(text.contains(secret), text);
        }
    }

    /** With a token for experiments, with a password for registered models. */
    private Map<String, String> repository(Endpoint endpoint) {
        Map<String, String> repository = new HashMap<>(Map.of("MLFLOW_URL", server.url()));
        repository.putAll(endpoint.material().containsKey("EXPERIMENT")
                ? Map.of("MLFLOW_TOKEN", TOKEN)
                : Map.of("MLFLOW_USERNAME", "ada", "MLFLOW_PASSWORD", PASSWORD));
        return repository;
    }

    @Override
    public void close() throws IOException {
        System.setOut(console);
        server.close();
        assertNoSecret(log.toString(UTF_8));
    }
}
