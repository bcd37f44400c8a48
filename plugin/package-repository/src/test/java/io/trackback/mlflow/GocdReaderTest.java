package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.thoughtworks.go.plugin.api.response.DefaultGoPluginApiResponse;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import io.trackback.mlflow.GocdReader.Unreadable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** GocdReader reads each row of plugin_answers.json as the table says; Python tests read the same table. */
final class GocdReaderTest {
    private static final Path TABLE = Path.of("../../services/contract/examples/plugin_answers.json");
    private static final Set<String> REFUSED = Set.of("error", "spoilt");

    /** A row for one of its messages. `error`: GoCD shows one; `spoilt`: GoCD stores another value than was sent. */
    record Row(String message, GoPluginApiResponse response, String gocd, JsonElement reads) {
        static Stream<Row> of(JsonObject row) {
            DefaultGoPluginApiResponse response =
                    new DefaultGoPluginApiResponse(row.has("code") ? row.get("code").getAsInt() : 200);
            response.setResponseBody(body(row));
            return row.getAsJsonArray("messages").asList().stream()
                    .map(it -> new Row(it.getAsString(), response, row.get("gocd").getAsString(), row.get("reads")));
        }

        private static String body(JsonObject row) {
            if (row.has("json")) {
                return row.get("json").toString();
            }
            return row.get("body").isJsonNull() ? null : row.get("body").getAsString();
        }

        @Override
        public String toString() {
            return message + " " + response.responseCode() + " " + response.responseBody();
        }
    }

    static Stream<Row> rows() throws IOException {
        return JsonParser.parseString(Files.readString(TABLE)).getAsJsonArray().asList().stream()
                .flatMap(row -> Row.of(row.getAsJsonObject()));
    }

    @ParameterizedTest
    @MethodSource("rows")
    void anAnswerIsReadAsTheTableSays(Row row) {
        if (REFUSED.contains(row.gocd())) {
            assertThrows(Unreadable.class, () -> GocdOutcome.of(row.message(), row.response()));
        } else {
            GocdOutcome reading = GocdOutcome.of(row.message(), row.response());
            assertEquals(row.gocd(), reading.gocd());
            assertEquals(row.reads(), row.reads() == null ? null : asked(row, reading.reads()));
        }
    }

    /** For a revision, the table has only the fields that the row is about. */
    private static JsonElement asked(Row row, JsonElement reads) {
        if (row.gocd().equals("revision")) {
            reads.getAsJsonObject().keySet().retainAll(row.reads().getAsJsonObject().keySet());
        }
        return reads;
    }

    @Test
    void theTableHasEachOutcomeOfEachMessage() throws IOException {
        Map<String, Set<String>> outcomes = Map.of(
                "repository-configuration", Set.of("error", "fields"),
                "package-configuration", Set.of("error", "fields"),
                "validate-repository-configuration", Set.of("error", "valid", "problems"),
                "validate-package-configuration", Set.of("error", "valid", "problems"),
                "check-repository-connection", Set.of("error", "success", "failure"),
                "check-package-connection", Set.of("error", "success", "failure"),
                "latest-revision", Set.of("error", "spoilt", "revision"),
                "latest-revision-since", Set.of("error", "spoilt", "revision", "no change"));
        assertEquals(
                outcomes,
                rows().collect(Collectors.groupingBy(
                        Row::message, Collectors.mapping(Row::gocd, Collectors.toSet()))));
    }
}
