package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.trackback.mlflow.MlflowPackagePlugin;
import io.trackback.mlflow.TestPlugins;
import io.trackback.mlflow.hostile.GocdAnswer.Kind;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.function.IntFunction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The plugin over real sockets against hostile servers: it answers with a sentence, in time, and polls on. */
final class HostileMlflowTest {
    private static final String LATEST = "latest-revision";
    private static final String SINCE = "latest-revision-since";
    private static final String CHECK = "check-package-connection";
    // One plugin for all tests, as in GoCD, so that state left behind by one answer shows in the next.
    private static final MlflowPackagePlugin PLUGIN = TestPlugins.overHttp();
    private static final MlflowPackagePlugin HASTY = TestPlugins.overHttp(Duration.ofMillis(400));

    private HostileMlflow mlflow;

    @BeforeEach
    void start() throws IOException {
        mlflow = new HostileMlflow();
    }

    /** After each test a valid MLflow is polled with success. */
    @AfterEach
    void stop() throws IOException {
        mlflow.playValidReplies();
        for (Endpoint endpoint : List.of(Endpoint.RUNS, Endpoint.RUN)) {
            assertEquals(Kind.REVISION, mlflow.ask(PLUGIN, endpoint, LATEST).kind());
        }
        mlflow.close();
    }

    private void assertRefused(MlflowPackagePlugin plugin, Endpoint endpoint, String message) {
        GocdAnswer answer = mlflow.ask(plugin, endpoint, message);
        assertEquals(Kind.REFUSED, answer.kind(), message + " " + answer);
        assertFalse(answer.sentence().startsWith("nothing promoted"), answer.sentence());
    }

    private void assertRefused(Endpoint endpoint) {
        assertRefused(PLUGIN, endpoint, LATEST);
        assertRefused(PLUGIN, endpoint, SINCE);
        if (endpoint.isChecked()) {
            assertRefused(PLUGIN, endpoint, CHECK);
        }
    }

    /** By a check of the repository too. */
    private void assertRefusedAlways(Endpoint endpoint) {
        assertRefused(endpoint);
        if (endpoint == Endpoint.EXPERIMENT) {
            assertRefused(PLUGIN, endpoint, "check-repository-connection");
        }
    }

    @ParameterizedTest(name = "{0} is waited for until the time is over")
    @MethodSource("io.trackback.mlflow.hostile.HostileResponse#late")
    void anAnswerThatDoesNotComeIsWaitedForUntilTheTimeIsOver(HostileResponse answer) {
        mlflow.play(Endpoint.RUNS, answer.script());
        for (String message : List.of(LATEST, CHECK)) {
            GocdAnswer refused = mlflow.ask(HASTY, Endpoint.RUNS, message);
            assertTrue(refused.sentence().contains("did not answer within 0.4 s"), refused.sentence());
            mlflow.assertHungUp();
        }
    }

    @Test
    void aCheckOfAServerThatHangsGivesUpBeforeGocdDoes() {
        mlflow.play(Endpoint.EXPERIMENT, (request, out) -> request.awaitHangUp());
        GocdAnswer refused = mlflow.ask(new MlflowPackagePlugin(), Endpoint.EXPERIMENT, CHECK);
        assertTrue(refused.sentence().contains("did not answer within 4.5 s"), refused.sentence());
    }

    @ParameterizedTest(name = "{0} is refused")
    @MethodSource("io.trackback.mlflow.hostile.HostileResponse#broken")
    void aBrokenAnswerIsRefusedAndHungUpOn(HostileResponse answer) {
        for (Endpoint endpoint : List.of(Endpoint.EXPERIMENT, Endpoint.RUNS)) {
            mlflow.play(endpoint, answer.script());
            assertRefusedAlways(endpoint);
            mlflow.assertHungUp();
        }
    }

    @ParameterizedTest(name = "status {0} is refused")
    @ValueSource(ints = {
        100, 101, 102, 201, 202, 204, 205, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 407,
                408,
        410, 418, 421, 426, 429, 451, 500, 502, 503, 504, 511, 600, 999
    })
    void aStatusThatIsNot200IsRefusedAndLeadsNowhere(int status) {
        for (Endpoint endpoint : Endpoint.values()) {
            mlflow.play(endpoint, status, HostileBody.valid(endpoint));
            assertRefusedAlways(endpoint);
        }
        assertFalse(mlflow.wasAskedFor(GocdAnswer.CANARY), "followed a redirect");
    }

    @ParameterizedTest(name = "{0} is refused")
    @MethodSource("io.trackback.mlflow.hostile.HostileBody#refused")
    void aBodyThatIsNoValidObjectIsRefusedByEveryEndpoint(HostileBody body) throws IOException {
        for (Endpoint endpoint : Endpoint.values()) {
            mlflow.play(endpoint, 200, body.from(endpoint));
            assertRefusedAlways(endpoint);
        }
    }

    @Test
    void aByteOrderMarkChangesNothing() {
        for (Endpoint endpoint : Endpoint.values()) {
            mlflow.play(endpoint, 200, ("\ufeff" + HostileBody.planted(endpoint)).getBytes(UTF_8));
            assertEquals(Kind.REVISION, mlflow.ask(PLUGIN, endpoint, LATEST).kind());
        }
    }

    @ParameterizedTest(name = "the error {0} is refused")
    @ValueSource(strings = {
        "{\"error_code\":\"kanarek\",\"message\":\"kanarek\"}", "{\"error_code\":\"INTERNAL_ERROR\"}",
        "{\"error_code\":404}", "{\"error_code\":null}", "{\"error_code\":[]}", "{}", "[]", "", "<html>kanarek</html>",
        "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"", "{\"error_code\":\"INVALID_PARAMETER_VALUE\"}}",
        "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"}"
    })
    void anErrorThatIsNotMlflowsIsRefused(String body) {
        for (int status : new int[] {400, 404}) {
            for (Endpoint endpoint : Endpoint.values()) {
                mlflow.play(endpoint, status, body.getBytes(UTF_8));
                assertRefusedAlways(endpoint);
            }
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource({"io.trackback.mlflow.hostile.HostileRuns#all", "io.trackback.mlflow.hostile.HostileModels#all"})
    void aHostileValueIsRefusedOrLeftOutOrMadePlain(HostileValue value) {
        mlflow.play(value.endpoint(), 200, value.body());
        switch (value.expect()) {
            case REFUSED -> assertRefused(value.endpoint());
            case NOTHING -> assertNothing(value.endpoint());
            case REVISION -> assertRevision(value.endpoint());
        }
    }

    private void assertNothing(Endpoint endpoint) {
        assertTrue(mlflow.ask(PLUGIN, endpoint, LATEST).sentence().startsWith("nothing promoted"));
        assertEquals(Kind.NOTHING_NEW, mlflow.ask(PLUGIN, endpoint, SINCE).kind());
        assertTrue(mlflow.ask(PLUGIN, endpoint, CHECK).sentence().startsWith("nothing promoted"));
    }

    private void assertRevision(Endpoint endpoint) {
        assertEquals(Kind.REVISION, mlflow.ask(PLUGIN, endpoint, LATEST).kind());
        assertEquals(Kind.REVISION, mlflow.ask(PLUGIN, endpoint, SINCE).kind());
        assertEquals(Kind.SUCCESS, mlflow.ask(PLUGIN, endpoint, CHECK).kind());
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("io.trackback.mlflow.hostile.OversizedBody#all")
    void eightMegabytesOfOneThingFitIntoMemory(OversizedBody bulk) {
        mlflow.play(bulk.endpoint(), (request, out) -> bulk.write(out));
        if (bulk.refused()) {
            assertRefused(PLUGIN, bulk.endpoint(), LATEST);
        } else {
            assertEquals(Kind.NOTHING_NEW, mlflow.ask(PLUGIN, bulk.endpoint(), SINCE).kind());
        }
    }

    record Tokens(String name, int requests, IntFunction<String> token) {
        @Override
        public String toString() {
            return name;
        }
    }

    static final List<Tokens> ENDLESS_TOKENS = List.of(
            new Tokens("one page token for ever", 2, page -> "\"again\""),
            new Tokens("two page tokens in turn", 3, page -> "\"" + page % 2 + "\""),
            new Tokens("ever new page tokens", 10, page -> "\"" + page + "\""),
            new Tokens("page tokens of more than 1 MB", 1, page -> "\"" + "x".repeat(1_100_000) + "\""),
            new Tokens("page tokens that are numbers", 1, String::valueOf),
            new Tokens("page tokens that are objects", 1, page -> "{}"));

    @ParameterizedTest(name = "{0}")
    @FieldSource("ENDLESS_TOKENS")
    void pagesThatDoNotEndAreRefused(Tokens tokens) {
        int[] pages = {0};
        mlflow.play(Endpoint.RUNS, (request, out) -> {
            String token = "{\"next_page_token\":" + tokens.token().apply(pages[0]++) + ",";
            HostileBody.send(out, 200, HostileBody.planted(Endpoint.RUNS).replaceFirst("\\{", token).getBytes(UTF_8));
        });
        assertRefused(PLUGIN, Endpoint.RUNS, LATEST);
        assertEquals(tokens.requests(), pages[0]);
    }
}
