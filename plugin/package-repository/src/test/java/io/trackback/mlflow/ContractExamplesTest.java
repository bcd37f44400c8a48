package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The plugin agrees with services/contract/examples, which Python tests read too. */
final class ContractExamplesTest {
    private static final Path EXAMPLES = Path.of("../../services/contract/examples");

    private static JsonElement example(String name) throws IOException {
        return JsonParser.parseString(Files.readString(EXAMPLES.resolve(name)));
    }

    private static List<JsonElement> examples(String name) throws IOException {
        List<JsonElement> all = example(name).getAsJsonArray().asList();
        assertFalse(all.isEmpty());
        return all;
    }

    @Test
    void tagValuesAreReadAsWritten() throws IOException {
        for (JsonElement each : examples("tag_values.json")) {
            String value = each.getAsJsonObject().get("value").getAsString();
            assertEquals(expected(each.getAsJsonObject().get("written")), TagValue.parse(value), value);
        }
    }

    private static Optional<TagValue> expected(JsonElement written) {
        if (written.isJsonNull()) {
            return Optional.empty();
        }
        JsonObject value = written.getAsJsonObject();
        return Optional.of(new TagValue(
                value.get("sequence").getAsInt(),
                Instant.parse(value.get("at").getAsString()),
                value.get("who").getAsString()));
    }

    @Test
    void timesThatPythonRefusesAreBare() {
        for (String time : List.of("0000-01-01T00:00:00", "2026-02-30T00:00:00", "2026-01-01T24:00:00",
                "2026-06-30T23:59:60")) {
            assertEquals(Optional.empty(), TagValue.parse("1 " + time + "Z ada"), time);
        }
    }

    @Test
    void eventsHaveTheirIds() throws IOException {
        for (JsonElement each : examples("events.json")) {
            JsonObject event = each.getAsJsonObject();
            assertEquals(
                    event.get("event").getAsString(),
                    Promotion.id(event.get("run_id").getAsString(), event.get("value").getAsString()));
        }
    }

    @Test
    void aReasonIsReportedWithTheValueThatItWasWrittenFor() throws IOException {
        for (JsonElement each : examples("reasons.json")) {
            JsonObject it = each.getAsJsonObject();
            String reported =
                    PromotionReason.of(it.get("value").getAsString(), text(it.get("reason")), text(it.get("for")));
            assertEquals(it.get("reported").getAsString(), reported, it.get("why").getAsString());
        }
    }

    private static String text(JsonElement tag) {
        return tag.isJsonNull() ? "" : tag.getAsString();
    }

    @Test
    void aRunOfMlflowBecomesTheRevisionOfTheExample() throws IOException {
        JsonObject golden = example("revision.json").getAsJsonObject();
        TaggedRun tagged = Json.MLFLOW
                .fromJson(golden.get("run"), RestRun.class)
                .tagged("promote")
                .orElseThrow();
        Run run = tagged.run();
        FakeMlflow mlflow = new FakeMlflow().add(tagged).add(run.id(), model(golden, run));
        PromotionSource source = new TagPromotionSource(golden.get("experiment").getAsString(), "promote", "model");
        Revision revision = new Poller(mlflow, "http://localhost:5000", source)
                .since(Json.GOCD.fromJson(golden.get("previous"), PreviousRevision.class))
                .orElseThrow();
        assertEquals(golden.get("revision"), Json.GOCD.toJsonTree(revision));
    }

    private static LoggedModel model(JsonObject golden, Run run) {
        JsonElement logged = golden.getAsJsonObject("logged_model").get("model");
        SearchLoggedModelsResponse reply =
                new SearchLoggedModelsResponse(List.of(Json.MLFLOW.fromJson(logged, RestLoggedModel.class)));
        return reply.newest(run, "model").orElseThrow();
    }
}
