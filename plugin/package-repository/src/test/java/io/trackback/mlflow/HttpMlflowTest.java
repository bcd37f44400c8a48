package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is asked of MLflow, and what is made of its replies. */
final class HttpMlflowTest {
    private static final String RUN = FakeMlflow.runId(1);

    private LoopbackServer server;

    @BeforeEach
    void start() throws IOException {
        server = new LoopbackServer();
    }

    @AfterEach
    void stop() {
        server.close();
    }

    @Test
    void anExperimentIsFoundByItsEncodedName() {
        server.answer("experiments/get-by-name", 200, experiment("active"));
        assertEquals(Optional.of("7"), server.mlflow().experiment("a&b=ż #1"));
        assertEquals(
                "GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=a%26b%3D%C5%BC+%231 ",
                server.asked.get(0));
    }

    @Test
    void aMissingOrDeletedExperimentIsAbsent() {
        server.answer("experiments/get-by-name", exchange -> {
            boolean deleted = exchange.getRequestURI().getQuery().endsWith("deleted");
            String missing = "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"no\"}";
            LoopbackServer.reply(exchange, deleted ? 200 : 404, deleted ? experiment("deleted") : missing);
        });
        assertEquals(Optional.empty(), server.mlflow().experiment("deleted"));
        assertEquals(Optional.empty(), server.mlflow().experiment("missing"));
    }

    @Test
    void runsAreFilteredByTheServerAndReadFromAllPages() {
        server.answer("runs/search", exchange -> {
            boolean first = server.asked.size() == 1;
            String page = "{\"runs\":[" + run(first ? RUN : FakeMlflow.runId(2)) + "]"
                    + (first ? ",\"next_page_token\":\"more\"}" : "}");
            LoopbackServer.reply(exchange, 200, page);
        });
        List<Run> runs = server.mlflow().promoted("1", "promote");
        Run expected = new Run(RUN, "boosted", "FINISHED", "1", Instant.ofEpochMilli(1795334460000L), "true", "why");
        assertEquals(expected, runs.get(0));
        assertEquals(2, runs.size());
        assertEquals(
                "POST /api/2.0/mlflow/runs/search {\"experiment_ids\":[\"1\"],"
                        + "\"filter\":\"tags.`promote` IS NOT NULL\","
                        + "\"run_view_type\":\"ACTIVE_ONLY\",\"order_by\":[\"attributes.start_time ASC\"],"
                        + "\"max_results\":200}",
                server.asked.get(0));
        assertTrue(server.asked.get(1).endsWith("\"page_token\":\"more\"}"), server.asked.get(1));
    }

    @Test
    void moreRunsThanTenPagesAreAnError() {
        server.answer("runs/search", 200, "{\"next_page_token\":\"x\"}");
        Mlflow mlflow = server.mlflow();
        Refusal refusal = assertThrows(Refusal.class, () -> mlflow.promoted("1", "promote"));
        assertEquals(
                "expected at most 2000 runs with the tag 'promote', found more: remove the tag from old runs",
                refusal.getMessage());
        assertEquals(10, server.asked.size());
    }

    @Test
    void runsThatMlflowWouldNotSendAreIgnored() {
        String nonsense = "null,{},{\"info\":{}},{\"info\":{\"run_id\":\"../x\"},\"data\":{}},";
        String wrong = run("X".repeat(32)) + "," + run(RUN).replace("promote", "other") + ",";
        server.answer("runs/search", 200, "{\"runs\":[" + nonsense + wrong + run(RUN) + "]}");
        assertEquals(List.of(RUN), server.mlflow().promoted("1", "promote").stream().map(Run::id).toList());
    }

    @Test
    void anEndThatNobodyCanMeanIsBroughtIntoGocdsRange() {
        server.answer("runs/search", 200, "{\"runs\":[" + run(RUN).replace("1795334460000", "9223372036854775807") + ","
                + run(FakeMlflow.runId(2)).replace("1795334460000", "-5").replace("1795334400000", "-7") + "]}");
        List<Run> runs = server.mlflow().promoted("1", "promote");
        assertEquals(Instant.parse("9999-12-31T23:59:59.999Z"), runs.get(0).ended());
        assertEquals(Instant.EPOCH, runs.get(1).ended());
    }

    @Test
    void aKilledRunWithoutAnEndCountsFromItsStart() {
        server.answer("runs/search", 200, "{\"runs\":[" + run(RUN).replace(",\"end_time\":1795334460000", "") + "]}");
        List<Run> runs = server.mlflow().promoted("1", "promote");
        assertEquals(Instant.ofEpochMilli(1795334400000L), runs.get(0).ended());
    }

    @Test
    void theNewestModelOfTheRunIsFoundByItsName() {
        server.answer("logged-models/search", 200, "{\"models\":[" + model("m-" + RUN, "model", RUN) + "]}");
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, "true", "");
        LoggedModel newest = new LoggedModel("m-" + RUN, "mlflow-artifacts:/1");
        assertEquals(Optional.of(newest), server.mlflow().model(run, "model"));
        assertTrue(server.asked.get(0).contains("\"filter\":\"source_run_id = '" + RUN + "' AND name = 'model'\""));
    }

    @Test
    void aModelOfAnotherRunNameOrShapeIsNotTaken() {
        server.answer("logged-models/search", 200, "{\"models\":[null,{},"
                + model("m-" + RUN, "model", FakeMlflow.runId(2)) + "," + model("m-" + RUN, "other", RUN) + ","
                + model("m-../../x", "model", RUN) + "]}");
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, "true", "");
        assertEquals(Optional.empty(), server.mlflow().model(run, "model"));
    }

    private static String experiment(String stage) {
        return "{\"experiment\":{\"experiment_id\":\"7\",\"lifecycle_stage\":\"" + stage + "\"}}";
    }

    private static String run(String id) {
        return "{\"info\":{\"run_id\":\"" + id + "\",\"run_name\":\"boosted\",\"status\":\"FINISHED\","
                + "\"experiment_id\":\"1\",\"start_time\":1795334400000,\"end_time\":1795334460000},"
                + "\"data\":{\"tags\":["
                + "{\"key\":\"promote.reason\",\"value\":\"why\"},"
                + "{\"key\":\"promote\",\"value\":\"true\"}]}}";
    }

    private static String model(String id, String name, String run) {
        return "{\"info\":{\"model_id\":\"" + id + "\",\"name\":\"" + name + "\",\"source_run_id\":\"" + run
                + "\",\"artifact_uri\":\"mlflow-artifacts:/1\",\"status\":2}}";
    }
}
