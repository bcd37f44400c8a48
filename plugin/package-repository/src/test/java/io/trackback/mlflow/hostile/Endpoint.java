package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.trackback.mlflow.RecordedResponse;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The endpoints of MLflow's REST API that polls and checks call, with a recorded reply of each. */
enum Endpoint {
    EXPERIMENT("/experiments/get-by-name?", "experiment"),
    RUNS("/runs/search", "runs-tagged"),
    MODELS("/logged-models/search", "models-of-run-by-ids"),
    ALIAS("/registered-models/alias?", "alias-of-copy"),
    FILES("/model-versions/get-download-uri?", "version-files-of-copy"),
    RUN("/runs/get?", "run"),
    MODEL("/logged-models/m-", "model");

    private final String path;
    private final String reply;

    Endpoint(String path, String reply) {
        this.path = path;
        this.reply = reply;
    }

    static Endpoint of(String request) {
        return Stream.of(values()).filter(endpoint -> request.contains(endpoint.path)).findFirst().orElseThrow();
    }

    String reply() {
        return RecordedResponse.reply(reply).body();
    }

    Map.Entry<Endpoint, List<byte[]>> recorded(String... names) {
        return Map.entry(
                this, Stream.of(names).map(name -> RecordedResponse.reply(name).body().getBytes(UTF_8)).toList());
    }

    /** The configuration of a package whose polls call this endpoint. */
    Map<String, String> material() {
        return ordinal() < ALIAS.ordinal()
                ? Map.of("EXPERIMENT", "diamond-price")
                : Map.of("REGISTERED_MODEL", "price", "ALIAS", "copy");
    }

    /** Whether `check-package-connection` calls it. */
    boolean isChecked() {
        return this != MODELS && this != MODEL;
    }
}
