package io.trackback.mlflow.hostile;

import static io.trackback.mlflow.hostile.HostileValue.edit;
import static io.trackback.mlflow.hostile.HostileValue.texts;
import static io.trackback.mlflow.hostile.HostileValue.values;

import io.trackback.mlflow.hostile.HostileValue.Expect;
import java.util.stream.Stream;

/** What a hostile server may say about models, versions, and the run of a version. */
final class HostileModels {
    private static final String RUN = "01".repeat(16);
    private static final String MODEL = "m-" + "a1".repeat(16);
    private static final String OTHER_MODEL = "m-" + "b7".repeat(16);
    private static final String[] PLACES = {
        "", "http://elsewhere/x", "javascript:alert(1)", "file:///x/../../etc", "mlflow-artifacts:/1/models/..",
        "s3://user:password@bucket/x", "s3://bucket/x?token=1", "s3://bucket/x\nnext", "s3://bucket/$(touch x)",
        "\ud83d",
        "file:///{{SECRET:[a][b]}}", "x".repeat(8000), GocdAnswer.CANARY
    };

    private HostileModels() {}

    static Stream<HostileValue> all() {
        return Stream.of(models(), versions(), times(), sources(), files(), runs(),
                loggedModels()).flatMap(rows -> rows);
    }

    /** A run without a valid model is reported with empty model data. */
    private static Stream<HostileValue> models() {
        String list = "(?s)\"models\": \\[.*]";
        return Stream.of(
                        texts(Endpoint.MODELS, Expect.REVISION, "model_id", "", "m-1", "../../x", MODEL.toUpperCase(),
                                OTHER_MODEL,
                                MODEL + "\n"),
                        texts(Endpoint.MODELS, Expect.REVISION, "source_run_id", "", "x", RUN),
                        texts(Endpoint.MODELS, Expect.REVISION, "name", "", "tokenizer", GocdAnswer.CANARY),
                        texts(Endpoint.MODELS, Expect.REVISION, "artifact_uri", PLACES),
                        values(Endpoint.MODELS, Expect.REVISION, "model_id", "null"),
                        values(Endpoint.MODELS, Expect.REFUSED, "model_id", "7", "[]", "{}", "true"),
                        Stream.of(
                                edit(Endpoint.MODELS, Expect.REVISION, "no models", list, "\"models\": []"),
                                edit(Endpoint.MODELS, Expect.REVISION, "models that are nothing", list,
                                        "\"models\": [null, {}, {\"info\": null}]"),
                                edit(Endpoint.MODELS, Expect.REFUSED, "models that are a text", list,
                                        "\"models\": \"x\"")))
                .flatMap(rows -> rows);
    }

    private static Stream<HostileValue> versions() {
        return Stream.of(
                        texts(Endpoint.ALIAS, Expect.REFUSED, "version", "", "0", "-1", "1.5", "1 ", "x", "1\n",
                                "\u0661", "1".repeat(10), GocdAnswer.CANARY),
                        values(Endpoint.ALIAS, Expect.REFUSED, "version", "1", "null", "true", "[]"),
                        texts(Endpoint.ALIAS, Expect.REFUSED, "run_id", "", GocdAnswer.CANARY, RUN + "\n",
                                "AB".repeat(16), RUN.substring(1), RUN + "0", "../" + RUN.substring(3)),
                        values(Endpoint.ALIAS, Expect.REFUSED, "run_id", "null", "7"),
                        values(Endpoint.ALIAS, Expect.REFUSED, "model_version", "null", "[]", "{}", "\"x\""))
                .flatMap(rows -> rows);
    }

    private static Stream<HostileValue> times() {
        return Stream.of(
                        values(Endpoint.ALIAS, Expect.REFUSED, "creation_timestamp", "null", "0", "-1",
                                "\"1795334400000\"", "1e400",
                                "NaN", "1.5", "[]"),
                        values(Endpoint.ALIAS, Expect.REVISION, "creation_timestamp", "1", "4070908800000",
                                "9223372036854775807"),
                        Stream.of(edit(Endpoint.ALIAS, Expect.REFUSED, "no time", "\"creation_timestamp\"",
                                "\"created\"")))
                .flatMap(rows -> rows);
    }

    private static Stream<HostileValue> sources() {
        return Stream.concat(
                texts(Endpoint.ALIAS, Expect.REVISION, "source", "", "models:/" + GocdAnswer.CANARY + "/1",
                        "models:/a\nb/1",
                        "runs:/x/model", "models:/m-1", "models:/" + MODEL + "\n", "s3://bucket/x"),
                values(Endpoint.ALIAS, Expect.REFUSED, "source", "7", "{}"));
    }

    private static Stream<HostileValue> files() {
        return Stream.concat(
                texts(Endpoint.FILES, Expect.REVISION, "artifact_uri", "", GocdAnswer.CANARY, MODEL,
                        "x/models/" + OTHER_MODEL,
                        "mlflow-artifacts:/1/models/m-1/artifacts", "\n/models/" + MODEL),
                values(Endpoint.FILES, Expect.REFUSED, "artifact_uri", "7", "[]", "{}", "false"));
    }

    private static Stream<HostileValue> runs() {
        return Stream.of(
                        texts(Endpoint.RUN, Expect.REFUSED, "run_id", "", "02".repeat(16), "x", RUN + "\n",
                                GocdAnswer.CANARY),
                        texts(Endpoint.RUN, Expect.NOTHING, "status", "", "RUNNING", "UNKNOWN"),
                        texts(Endpoint.RUN, Expect.REFUSED, "experiment_id", "", "x", "1/../1"),
                        values(Endpoint.RUN, Expect.REFUSED, "run", "null", "[]", "{}"))
                .flatMap(rows -> rows);
    }

    private static Stream<HostileValue> loggedModels() {
        return Stream.of(
                        texts(Endpoint.MODEL, Expect.REVISION, "model_id", "", "x", OTHER_MODEL),
                        texts(Endpoint.MODEL, Expect.REVISION, "source_run_id", "", "02".repeat(16)),
                        texts(Endpoint.MODEL, Expect.REVISION, "artifact_uri", PLACES),
                        values(Endpoint.MODEL, Expect.REFUSED, "model", "null", "[]", "{}"))
                .flatMap(rows -> rows);
    }
}
