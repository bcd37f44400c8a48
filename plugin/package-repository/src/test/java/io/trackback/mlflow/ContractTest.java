package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.thoughtworks.go.plugin.api.exceptions.UnhandledRequestTypeException;
import com.thoughtworks.go.plugin.api.request.DefaultGoPluginApiRequest;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import io.trackback.mlflow.SimulatedMlflow.Call;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** GoCD can read each answer of the plugin, and an operator each refusal. */
final class ContractTest {
    private static final Map<String, String> MLFLOW = Map.of("MLFLOW_URL", "http://mlflow");
    private static final Map<String, String> NO_PASSWORD =
            Map.of("MLFLOW_URL", "http://mlflow", "MLFLOW_USERNAME", "ada");
    private static final Map<String, String> BY_TAG = Map.of("EXPERIMENT", SimulatedMlflow.EXPERIMENT);
    private static final Map<String, String> BY_ALIAS = Map.of("REGISTERED_MODEL", "diamonds", "ALIAS", "champion");
    private static final String WRITTEN = "1 2026-11-22T08:00:00Z ";
    private static final String HOSTILE =
            "a\nb\0\u001b[31m\u2028 $(id) `id` {{SECRET:[a][b]}} \ud83d\udc22 \ud800 " + "x".repeat(8000);

    /** What GoCD has configured, what happened before its first poll, and what after it. */
    private record Situation(
            String name,
            Map<String, String> repository,
            Map<String, String> material,
            Consumer<SimulatedMlflow> before,
            Consumer<SimulatedMlflow> after) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Situation> situations() {
        Consumer<SimulatedMlflow> nothing = mlflow -> {};
        return Stream.of(
                new Situation("nothing promoted", MLFLOW, BY_TAG, nothing, nothing),
                new Situation("one promoted", MLFLOW, BY_TAG, promoted(WRITTEN + "ada"), nothing),
                new Situation("bare values", MLFLOW, BY_TAG, promoted("true"), promoted("")),
                new Situation("tag removed", MLFLOW, BY_TAG, promoted("true"), it -> it.runAt(0).tags.clear()),
                new Situation("hostile values", MLFLOW, BY_TAG, promoted(HOSTILE), nothing),
                new Situation("hostile user", MLFLOW, BY_TAG, promoted(WRITTEN + HOSTILE.replace("\n", "")), nothing),
                new Situation("alias not set", MLFLOW, BY_ALIAS, nothing, nothing),
                new Situation("alias set", MLFLOW, BY_ALIAS, aliased(0), nothing),
                new Situation("alias moved", MLFLOW, BY_ALIAS, aliased(0), aliased(1)),
                new Situation("alias of no run", MLFLOW, BY_ALIAS, aliased(0), aliased(2)),
                new Situation("no such experiment", MLFLOW, Map.of("EXPERIMENT", "other"), nothing, nothing),
                new Situation("no package", MLFLOW, Map.of(), nothing, nothing),
                new Situation("both kinds", MLFLOW, Map.of("EXPERIMENT", "a", "ALIAS", "b"), nothing, nothing),
                new Situation("no repository", Map.of(), BY_TAG, nothing, nothing),
                new Situation("no address", Map.of("MLFLOW_URL", HOSTILE), BY_TAG, nothing, nothing),
                new Situation("no password", NO_PASSWORD, BY_TAG, nothing, nothing),
                failing(Call.EXPERIMENT, BY_TAG, promoted("true")),
                failing(Call.RUNS, BY_TAG, promoted("true")),
                failing(Call.MODEL, BY_TAG, promoted("true")),
                failing(Call.ALIAS, BY_ALIAS, aliased(1)),
                failing(Call.RUN, BY_ALIAS, aliased(1)));
    }

    private static Situation failing(Call call, Map<String, String> material, Consumer<SimulatedMlflow> before) {
        return new Situation(call + " fails", MLFLOW, material, before, mlflow -> {
            before.accept(mlflow);
            mlflow.failAt(call);
        });
    }

    private static Consumer<SimulatedMlflow> promoted(String value) {
        return mlflow -> {
            SimulatedMlflow.SimulatedRun run = mlflow.start(7, "1");
            run.finish("FINISHED", 1);
            mlflow.tag(run, "promote", value);
        };
    }

    /** Versions 1 and 2 come from runs, version 3 from none. */
    private static Consumer<SimulatedMlflow> aliased(int index) {
        return mlflow -> {
            if (mlflow.versions.isEmpty()) {
                Stream.of(1, 2).map(rank -> mlflow.start(rank, "1")).forEach(mlflow::register);
                mlflow.register(null);
                mlflow.runs.forEach(run -> run.finish("FINISHED", 1));
            }
            mlflow.aliases.put("champion", mlflow.versions.get(index));
        };
    }

    private static GocdMaterial polled(Situation situation) {
        SimulatedMlflow mlflow = new SimulatedMlflow();
        MlflowPackagePlugin plugin = new MlflowPackagePlugin((repository, limit) -> mlflow);
        GocdMaterial material = new GocdMaterial(plugin, situation.repository(), situation.material());
        situation.before().accept(mlflow);
        GoPluginApiResponse first = material.poll();
        if (first.responseCode() == 200) {
            material.read(first).ifPresent(material::keep);
        }
        situation.after().accept(mlflow);
        return material;
    }

    @ParameterizedTest
    @MethodSource("situations")
    void everyAnswerIsReadableAndEveryRefusalIsOneSentence(Situation situation) {
        GocdMaterial material = polled(situation);
        for (String message : GocdOutcome.MESSAGES) {
            GoPluginApiResponse response = material.send(message);
            if (response.responseCode() == 200) {
                checkAnswer(GocdOutcome.of(message, response), response.responseBody());
            } else {
                assertTrue(message.startsWith("latest-revision"), message + ": " + response.responseBody());
                assertSentence(response.responseBody());
            }
        }
    }

    private static void checkAnswer(GocdOutcome reading, String body) {
        switch (reading.gocd()) {
            case "revision" -> checkRevision(JsonParser.parseString(body).getAsJsonObject());
            case "success", "failure" -> {
                assertEquals(1, reading.reads().getAsJsonArray().size());
                assertSentence(reading.reads().getAsJsonArray().get(0).getAsString());
            }
            case "problems" -> reading.reads().getAsJsonArray().forEach(problem -> {
                assertTrue(configured().contains(problem.getAsJsonObject().get("key").getAsString()));
                assertSentence(problem.getAsJsonObject().get("message").getAsString());
            });
            default -> assertTrue(List.of("fields", "valid", "no change").contains(reading.gocd()));
        }
    }

    private static void checkRevision(JsonObject revision) {
        assertTrue(revision.get("revision").getAsString().matches("[1-9][0-9]*-[0-9a-f]{8}"));
        assertTrue(revision.get("timestamp")
                .getAsString()
                .matches("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"));
        Map<String, JsonElement> data = revision.getAsJsonObject("data").asMap();
        data.forEach((key, value) -> {
            assertTrue(key.matches("[A-Z_]+"), key);
            assertTrue(key.equals("SEEN") || value.getAsString().getBytes(UTF_8).length <= 4096, key);
        });
        // GoCD puts fields, data and its own LABEL into one namespace of variables.
        Set<String> taken = configured();
        taken.add("LABEL");
        assertTrue(Collections.disjoint(taken, data.keySet()), data.keySet().toString());
        assertNoTrap(revision.toString());
    }

    private static void assertSentence(String text) {
        assertTrue(text.matches("[^\\p{Cntrl}]{10,1000}") && !text.contains(". ") && !text.endsWith("."), text);
        assertNoTrap(text);
    }

    /** No control character, not even escaped in JSON, and no reference that GoCD would resolve. */
    private static void assertNoTrap(String text) {
        assertFalse(text.matches("(?s).*(\\p{Cntrl}|\\\\u00|\\\\n|\\{\\{SECRET:).*"), text);
    }

    private static Set<String> configured() {
        Set<String> names = new HashSet<>(RepositoryConfig.FIELDS.keySet());
        names.addAll(PackageConfig.FIELDS.keySet());
        return names;
    }

    @Test
    void theSituationsLeadToEveryKindOfAnswer() {
        Set<String> kinds = new TreeSet<>();
        situations().map(ContractTest::polled).forEach(material -> GocdOutcome.MESSAGES.forEach(message -> {
            GoPluginApiResponse response = material.send(message);
            kinds.add(response.responseCode() == 200 ? GocdOutcome.of(message, response).gocd() : "refusal");
        }));
        assertEquals(
                List.of("failure", "fields", "no change", "problems", "refusal", "revision", "success", "valid"),
                List.copyOf(kinds));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "go.plugin-settings.get-configuration",
                "go.plugin-settings.get-view",
                "latest-revision-of",
                "LATEST-REVISION",
                ""
            })
    void anUnknownMessageIsLeftToGocd(String message) {
        MlflowPackagePlugin plugin = new MlflowPackagePlugin((repository, limit) -> new SimulatedMlflow());
        assertThrows(
                UnhandledRequestTypeException.class,
                () -> plugin.handle(new DefaultGoPluginApiRequest("package-repository", "1.0", message)));
    }
}
