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

/** The requests that are sent to MLflow, and what is read from its responses. */
final class HttpMlflowTest {
    private static final String RUN = FakeMlflow.runId(1);

    private StubServer server;

    @BeforeEach
    void start() throws IOException {
        server = new StubServer();
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
                server.requests.get(0));
    }

    @Test
    void aMissingOrDeletedExperimentIsAbsent() {
        server.answer("experiments/get-by-name", exchange -> {
            boolean deleted = exchange.getRequestURI().getQuery().endsWith("deleted");
            String missing = "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"no\"}";
            StubServer.reply(exchange, deleted ? 200 : 404, deleted ? experiment("deleted") : missing);
        });
        assertEquals(Optional.empty(), server.mlflow().experiment("deleted"));
        assertEquals(Optional.empty(), server.mlflow().experiment("missing"));
    }

    @Test
    void runsAreFilteredByTheServerAndReadFromAllPages() {
        server.answer("runs/search", exchange -> {
            boolean first = server.requests.size() == 1;
            String page = "{\"runs\":[" + run(first ? RUN : FakeMlflow.runId(2)) + "]"
                    + (first ? ",\"next_page_token\":\"more\"}" : "}");
            StubServer.reply(exchange, 200, page);
        });
        List<TaggedRun> runs = server.mlflow().tagged("1", "promote");
        Run run = new Run(
                RUN, "boosted", "FINISHED", "1", Instant.ofEpochMilli(1795334460000L), List.of("m-" + RUN));
        assertEquals(new TaggedRun(run, "true", "why"), runs.get(0));
        assertEquals(2, runs.size());
        assertEquals(
                "POST /api/2.0/mlflow/runs/search {\"experiment_ids\":[\"1\"],"
                        + "\"filter\":\"tags.`promote` IS NOT NULL\","
                        + "\"run_view_type\":\"ACTIVE_ONLY\",\"order_by\":[\"attributes.start_time ASC\"],"
                        + "\"max_results\":200}",
                server.requests.get(0));
        assertTrue(server.requests.get(1).endsWith("\"page_token\":\"more\"}"), server.requests.get(1));
    }

    @Test
    void moreRunsThanTenPagesAreAnError() {
        server.answer("runs/search", exchange -> StubServer.reply(
                exchange, 200, "{\"next_page_token\":\"" + server.requests.size() + "\"}"));
        Mlflow mlflow = server.mlflow();
        RefusedException refusal = assertThrows(RefusedException.class, () -> mlflow.tagged("1", "promote"));
        assertEquals(
                "expected at most 2000 runs with the tag 'promote', found more: remove the tag from old runs",
                refusal.getMessage());
        assertEquals(10, server.requests.size());
    }

    @Test
    void runsThatMlflowWouldNotSendAreIgnored() {
        String nonsense = "null,{},{\"info\":{}},{\"info\":{\"run_id\":\"../x\"},\"data\":{}},";
        String wrong = run("X".repeat(32)) + "," + run(RUN).replace("promote", "other") + ",";
        server.answer("runs/search", 200, "{\"runs\":[" + nonsense + wrong + run(RUN) + "]}");
        assertEquals(List.of(RUN), server.mlflow().tagged("1", "promote").stream().map(it -> it.run().id()).toList());
    }

    @Test
    void anEndOutsideOfGocdsRangeIsBroughtIntoIt() {
        server.answer("runs/search", 200, "{\"runs\":[" + run(RUN).replace("1795334460000", "9223372036854775807") + ","
                + run(FakeMlflow.runId(2)).replace("1795334460000", "-5").replace("1795334400000", "-7") + "]}");
        List<TaggedRun> runs = server.mlflow().tagged("1", "promote");
        assertEquals(Instant.parse("9999-12-31T23:59:59.999Z"), runs.get(0).run().ended());
        assertEquals(Instant.EPOCH, runs.get(1).run().ended());
    }

    @Test
    void aKilledRunWithoutAnEndCountsFromItsStart() {
        server.answer("runs/search", 200, "{\"runs\":[" + run(RUN).replace(",\"end_time\":1795334460000", "") + "]}");
        List<TaggedRun> runs = server.mlflow().tagged("1", "promote");
        assertEquals(Instant.ofEpochMilli(1795334400000L), runs.get(0).run().ended());
    }

    @Test
    void theNewestModelOfTheRunIsFoundByItsName() {
        server.answer("logged-models/search", 200, "{\"models\":[" + model("m-" + RUN, "model", RUN) + "]}");
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, List.of("m-" + RUN));
        LoggedModel newest = new LoggedModel("m-" + RUN, "mlflow-artifacts:/1");
        assertEquals(Optional.of(newest), server.mlflow().model(run, "model"));
        assertTrue(server.requests.get(0).contains("\"filter\":\"source_run_id = '" + RUN + "' AND name = 'model'\""));
    }

    @Test
    void aModelOfAnotherRunNameOrShapeIsNotTaken() {
        server.answer("logged-models/search", 200, "{\"models\":[null,{},"
                + model("m-" + RUN, "model", FakeMlflow.runId(2)) + "," + model("m-" + RUN, "other", RUN) + ","
                + model("m-../../x", "model", RUN) + "]}");
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, List.of("m-" + RUN));
        assertEquals(Optional.empty(), server.mlflow().model(run, "model"));
    }

    @Test
    void aModelThatIsNoOutputOfTheRunIsNotTakenAndNotSearchedFor() {
        server.answer("logged-models/search", 200, "{\"models\":[" + model("m-" + RUN, "model", RUN) + "]}");
        Run silent = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, List.of());
        assertEquals(Optional.empty(), server.mlflow().model(silent, "model"));
        assertEquals(List.of(), server.requests);
        Run other = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, List.of("m-" + FakeMlflow.runId(2)));
        assertEquals(Optional.empty(), server.mlflow().model(other, "model"));
    }

    @Test
    void ofSeveralOutputsTheNewestModelOfTheNameIsTaken() {
        server.answer("logged-models/search", 200, "{\"models\":[" + model(FakeMlflow.modelId(3), "model", RUN) + ","
                + model(FakeMlflow.modelId(2), "model", RUN) + "," + model(FakeMlflow.modelId(1), "model", RUN) + "]}");
        List<String> outputs = List.of(FakeMlflow.modelId(1), FakeMlflow.modelId(2));
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, outputs);
        assertEquals(FakeMlflow.modelId(2), server.mlflow().model(run, "model").orElseThrow().id());
        assertTrue(server.requests.get(0).contains("\"field_name\":\"creation_timestamp\""), server.requests.get(0));
        assertTrue(server.requests.get(0).contains("\"ascending\":false"), server.requests.get(0));
    }

    @Test
    void pageTokensThatRepeatAreNotMlflows() {
        server.answer("runs/search", exchange -> StubServer.reply(
                exchange, 200, "{\"next_page_token\":\"" + server.requests.size() % 2 + "\"}"));
        Mlflow mlflow = server.mlflow();
        RefusedException refusal = assertThrows(RefusedException.class, () -> mlflow.tagged("1", "promote"));
        assertTrue(refusal.getMessage().contains("did not answer as MLflow does"), refusal.getMessage());
        assertEquals(3, server.requests.size());
    }

    @Test
    void anAliasLeadsToItsVersionRunAndModel() {
        server.answer("registered-models/alias", 200, version("models:/m-" + RUN));
        ModelVersion expected = new ModelVersion("3", RUN, "m-" + RUN, Instant.ofEpochMilli(1795334400000L));
        assertEquals(Optional.of(expected), server.mlflow().version("a&b", "champion"));
        assertEquals(
                "GET /api/2.0/mlflow/registered-models/alias?name=a%26b&alias=champion ", server.requests.get(0));
    }

    @Test
    void aCopiedVersionIsFollowedToItsFiles() {
        server.answer("registered-models/alias", 200, version("models:/staging/7"));
        String files = "mlflow-artifacts:/8/models/m-" + RUN + "/artifacts";
        server.answer("model-versions/get-download-uri", 200, "{\"artifact_uri\":\"" + files + "\"}");
        assertEquals("m-" + RUN, server.mlflow().version("prod", "champion").orElseThrow().modelId());
        assertTrue(server.requests.get(1).contains("get-download-uri?name=prod&version=3"), server.requests.get(1));
    }

    @Test
    void aVersionFromElsewhereNamesNoModel() {
        server.answer("registered-models/alias", 200, version("s3://bucket/model"));
        assertEquals("", server.mlflow().version("prod", "champion").orElseThrow().modelId());
    }

    @Test
    void aMissingAliasIsAbsentAndAMissingRegisteredModelIsRefused() {
        server.answer("registered-models/alias", exchange -> {
            boolean model = exchange.getRequestURI().getQuery().contains("name=prod");
            String code = model ? "INVALID_PARAMETER_VALUE" : "RESOURCE_DOES_NOT_EXIST";
            StubServer.reply(exchange, model ? 400 : 404, "{\"error_code\":\"" + code + "\"}");
        });
        Mlflow mlflow = server.mlflow();
        assertEquals(Optional.empty(), mlflow.version("prod", "champion"));
        assertEquals(
                "asked MLflow at " + server.url() + " for the alias 'champion' of registered model 'pro', it has none:"
                        + " create it or correct the package",
                assertThrows(RefusedException.class, () -> mlflow.version("pro", "champion")).getMessage());
    }

    @Test
    void aRunIsFoundById() {
        server.answer("runs/get", 200, "{\"run\":" + run(RUN) + "}");
        Run run = server.mlflow().run(RUN);
        assertEquals("boosted", run.name());
        assertEquals(List.of("m-" + RUN), run.modelIds());
        assertEquals("GET /api/2.0/mlflow/runs/get?run_id=" + RUN + " ", server.requests.get(0));
    }

    @Test
    void aRunThatWasDeletedForGoodIsRefused() {
        server.answer("runs/get", 404, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"}");
        Mlflow mlflow = server.mlflow();
        assertEquals(
                "asked MLflow at " + server.url() + " for the run " + RUN
                        + ", it has none: create it or correct the package",
                assertThrows(RefusedException.class, () -> mlflow.run(RUN)).getMessage());
    }

    @Test
    void aModelIsFoundByIdIfItIsTheRuns() {
        server.answer("logged-models/m-" + RUN, 200, "{\"model\":" + model("m-" + RUN, "any", RUN) + "}");
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, List.of());
        assertEquals(
                Optional.of(new LoggedModel("m-" + RUN, "mlflow-artifacts:/1")),
                server.mlflow().modelWithId(run, "m-" + RUN));
        Run other = new Run(FakeMlflow.runId(2), "", "FINISHED", "1", Instant.EPOCH, List.of());
        assertEquals(Optional.empty(), server.mlflow().modelWithId(other, "m-" + RUN));
    }

    @Test
    void aResponseWithAnotherModelThanRequestedIsNotTaken() {
        server.answer("logged-models/m-" + RUN, 200, "{\"model\":" + model(FakeMlflow.modelId(2), "any", RUN) + "}");
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, List.of());
        assertEquals(Optional.empty(), server.mlflow().modelWithId(run, "m-" + RUN));
    }

    @Test
    void anArtifactUriWithAPasswordInItIsLeftOut() {
        String reply = "{\"model\":" + model("m-" + RUN, "any", RUN) + "}";
        String place = reply.replace("mlflow-artifacts:/1", "s3://key:secret@bucket/1");
        server.answer("logged-models/m-" + RUN, 200, place);
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, List.of());
        assertEquals(Optional.of(new LoggedModel("m-" + RUN, "")), server.mlflow().modelWithId(run, "m-" + RUN));
    }

    @Test
    void aDeletedModelIsAbsent() {
        server.answer("logged-models/m-" + RUN, 404, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"}");
        Run run = new Run(RUN, "", "FINISHED", "1", Instant.EPOCH, List.of());
        assertEquals(Optional.empty(), server.mlflow().modelWithId(run, "m-" + RUN));
    }

    private static String version(String source) {
        return "{\"model_version\":{\"name\":\"prod\",\"version\":\"3\",\"creation_timestamp\":1795334400000,"
                + "\"source\":\"" + source + "\",\"run_id\":\"" + RUN + "\",\"status\":\"READY\"}}";
    }

    private static String experiment(String stage) {
        return "{\"experiment\":{\"experiment_id\":\"7\",\"lifecycle_stage\":\"" + stage + "\"}}";
    }

    private static String run(String id) {
        return "{\"info\":{\"run_id\":\"" + id + "\",\"run_name\":\"boosted\",\"status\":\"FINISHED\","
                + "\"experiment_id\":\"1\",\"start_time\":1795334400000,\"end_time\":1795334460000},"
                + "\"data\":{\"tags\":["
                + "{\"key\":\"promote.reason\",\"value\":\"why\"},"
                + "{\"key\":\"promote\",\"value\":\"true\"}]},"
                + "\"outputs\":{\"model_outputs\":[{\"model_id\":\"m-" + id + "\",\"step\":0}]}}";
    }

    private static String model(String id, String name, String run) {
        return "{\"info\":{\"model_id\":\"" + id + "\",\"name\":\"" + name + "\",\"source_run_id\":\"" + run
                + "\",\"artifact_uri\":\"mlflow-artifacts:/1\",\"status\":2}}";
    }
}
