package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.thoughtworks.go.plugin.api.request.DefaultGoPluginApiRequest;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.http.HttpRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.Test;

/** The README's troubleshooting tables have every sentence of the plugin, and no other. */
final class TroubleshootingTest {
    private static final Deadline DEADLINE = Deadline.in(Duration.ofSeconds(60));
    private static final RepositoryConfig REPOSITORY =
            RepositoryConfig.of(Map.of(RepositoryConfig.URL, "http://mlflow:5000"));
    private static final PromotionSource RUNS = new TagPromotionSource("diamond-price", "promote", "model");
    private static final PromotionSource ALIAS = new AliasPromotionSource("diamond-price", "champion", "model");

    private static List<Pattern> rows() throws IOException {
        return Files.readAllLines(Path.of("../README.md")).stream()
                .flatMap(line -> Stream.of(
                        row(line, "^\\| (.*)\" \\|", "asked MLflow at … for …, "), row(line, "^\\| \"(.*)\" ", "")))
                .filter(row -> !row.isEmpty() && row.contains(" "))
                .map(row -> Pattern.compile("\\Q" + row.replace("…", "\\E.+\\Q") + "\\E"))
                .toList();
    }

    private static String row(String line, String pattern, String start) {
        Matcher found = Pattern.compile(pattern).matcher(line);
        return found.find() && !found.group(1).contains("\"") ? start + found.group(1) : "";
    }

    private static String refusal(Transport transport, Consumer<Mlflow> call) {
        Mlflow mlflow = new HttpMlflow(new MlflowSession(transport, REPOSITORY, DEADLINE));
        return assertThrows(RefusedException.class, () -> call.accept(mlflow)).getMessage();
    }

    private static String notAnswered(NoResponseException why) {
        return refusal(
                (request, bytes, deadline) -> {
                    throw why;
                },
                mlflow -> mlflow.experiment("x"));
    }

    private static String answered(int status, String body) {
        return refusal(played(status, body), mlflow -> mlflow.version("x", "champion"));
    }

    private static Transport played(int status, String body) {
        byte[] bytes = body.getBytes(UTF_8);
        return (HttpRequest request, int limit, Deadline deadline) ->
                new Response(status, bytes.length, new ByteArrayInputStream(bytes));
    }

    private static String latest(FakeMlflow mlflow, PromotionSource source) {
        return assertThrows(RefusedException.class, new Poller(mlflow, "http://mlflow", source)::latest).getMessage();
    }

    private static String since(PreviousRevision previous) {
        Poller poller = new Poller(new FakeMlflow(), "http://mlflow", RUNS);
        return assertThrows(RefusedException.class, () -> poller.since(previous)).getMessage();
    }

    private static String handled(String body) throws Exception {
        MlflowPackagePlugin broken = new MlflowPackagePlugin((repository, limit) -> {
            throw new IllegalStateException("a defect");
        });
        DefaultGoPluginApiRequest request =
                new DefaultGoPluginApiRequest("package-repository", "1.0", "latest-revision");
        request.setRequestBody(body);
        return broken.handle(request).responseBody();
    }

    private static String tooMany() {
        int[] page = {0};
        return refusal(
                (request, bytes, deadline) ->
                        played(200, "{\"next_page_token\":\"" + page[0]++ + "\"}").send(request, bytes, deadline),
                mlflow -> mlflow.tagged("1", "promote"));
    }

    private static List<String> sentences() throws Exception {
        FakeMlflow withoutRun = new FakeMlflow().alias("champion", new ModelVersion("3", "", "", Instant.EPOCH));
        String settings = "{\"repository-configuration\":{\"MLFLOW_URL\":{\"value\":\"http://mlflow\"}},"
                + "\"package-configuration\":{\"EXPERIMENT\":{\"value\":\"x\"}}}";
        return List.of(
                notAnswered(NoResponseException.timedOut(DEADLINE)),
                notAnswered(NoResponseException.linkLocal()),
                notAnswered(NoResponseException.interrupted()),
                notAnswered(NoResponseException.because(new ConnectException())),
                notAnswered(NoResponseException.because(new SSLException("text"))),
                notAnswered(NoResponseException.because(new IOException())),
                notAnswered(NoResponseException.because(new LimitedBodySubscriber.TooLargeException())),
                answered(401, ""),
                answered(403, ""),
                answered(302, ""),
                answered(503, ""),
                answered(429, ""),
                answered(200, "<html>"),
                answered(418, ""),
                answered(404, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"}"),
                tooMany(),
                latest(new FakeMlflow(), RUNS),
                latest(new FakeMlflow(), new TagPromotionSource("other", "promote", "model")),
                latest(new FakeMlflow(), ALIAS),
                latest(withoutRun, ALIAS),
                assertThrows(RefusedException.class, () -> ALIAS.connectionCheck(new FakeMlflow())).getMessage(),
                since(null),
                since(new PreviousRevision("abcdef", Map.of("SEEN", "000000000000"))),
                since(new PreviousRevision("3-abcdef", Map.of())),
                handled("[]"),
                handled(""),
                handled("{}"),
                handled(settings));
    }

    @Test
    void everySentenceIsInTheTableAndEveryRowOfItIsASentence() throws Exception {
        List<Pattern> rows = rows();
        List<String> sentences = sentences();
        for (String sentence : sentences) {
            assertTrue(sentence.lines().count() == 1, sentence);
            assertEquals(
                    1, rows.stream().filter(row -> row.matcher(sentence).matches()).count(), sentence);
        }
        for (Pattern row : rows) {
            assertTrue(sentences.stream().anyMatch(it -> row.matcher(it).matches()), row.pattern());
        }
        assertTrue(rows.size() > 20, "found " + rows.size() + " rows");
    }
}
