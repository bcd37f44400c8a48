package io.trackback.mlflow;

import com.google.gson.JsonParseException;
import com.google.gson.annotations.SerializedName;
import java.util.Map;
import java.util.TreeMap;

/** The body of GoCD's messages: the configured values and, in `latest-revision-since`, the previous revision. */
record RequestBody(Map<String, String> repository, Map<String, String> material, PreviousRevision previous) {

    /** Strips blanks around values and leaves out keys without a value. Raises RefusedException for no JSON object. */
    static RequestBody parse(String body) {
        Body sent;
        try {
            sent = Json.GOCD.fromJson(body, Body.class);
        } catch (JsonParseException notJson) {
            throw noMessage("something else");
        }
        if (sent == null) {
            throw noMessage("nothing");
        }
        return new RequestBody(values(sent.repository()), values(sent.material()), sent.previous());
    }

    private static RefusedException noMessage(String found) {
        return new RefusedException("expected GoCD's message as a JSON object, found " + found
                + ": report it with GoCD's version");
    }

    private static Map<String, String> values(Map<String, Setting> settings) {
        Map<String, String> values = new TreeMap<>();
        Json.orEmpty(settings).forEach((key, setting) -> {
            if (setting != null && setting.value() != null && !setting.value().isBlank()) {
                values.put(key, setting.value().strip());
            }
        });
        return values;
    }

    private record Body(
            @SerializedName("repository-configuration") Map<String, Setting> repository,
            @SerializedName("package-configuration") Map<String, Setting> material,
            @SerializedName("previous-revision") PreviousRevision previous) {}

    private record Setting(String value) {}
}
