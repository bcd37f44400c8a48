package io.trackback.mlflow;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import io.trackback.mlflow.GocdReader.Check;
import io.trackback.mlflow.GocdReader.Fault;
import io.trackback.mlflow.GocdReader.Modification;
import java.util.List;

/** What GoCD reads from an answer, as plugin_answers.json has it: its word `gocd`, and the values that were read. */
record GocdOutcome(String gocd, JsonElement reads) {
    static final List<String> MESSAGES = List.of(
            "repository-configuration",
            "package-configuration",
            "validate-repository-configuration",
            "validate-package-configuration",
            "check-repository-connection",
            "check-package-connection",
            "latest-revision",
            "latest-revision-since");

    private static final Gson TABLE = new GsonBuilder()
            .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_DASHES)
            .create();

    /** Raises GocdReader.Unreadable. */
    static GocdOutcome of(String message, GoPluginApiResponse response) {
        return switch (message) {
            case "repository-configuration", "package-configuration" ->
                    new GocdOutcome("fields", TABLE.toJsonTree(GocdReader.fields(response)));
            case "validate-repository-configuration", "validate-package-configuration" ->
                    of(GocdReader.faults(response));
            case "check-repository-connection", "check-package-connection" -> of(GocdReader.check(response));
            case "latest-revision" -> of(GocdReader.latest(response));
            case "latest-revision-since" ->
                    GocdReader.since(response).map(GocdOutcome::of).orElse(new GocdOutcome("no change", null));
            default -> throw new IllegalArgumentException(message);
        };
    }

    private static GocdOutcome of(List<Fault> faults) {
        return new GocdOutcome(faults.isEmpty() ? "valid" : "problems", TABLE.toJsonTree(faults));
    }

    private static GocdOutcome of(Check check) {
        return new GocdOutcome(check.success() ? "success" : "failure", TABLE.toJsonTree(check.messages()));
    }

    private static GocdOutcome of(Modification modification) {
        JsonObject reads = new JsonObject();
        reads.addProperty("revision", modification.revision());
        reads.addProperty("timestamp", modification.at().toEpochMilli());
        reads.addProperty("user", modification.user());
        reads.add("data", TABLE.toJsonTree(modification.data()));
        return new GocdOutcome("revision", reads);
    }
}
