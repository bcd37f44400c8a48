package io.trackback.mlflow;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads a plugin's answers as GoCD 26.1.0 does. Stricter than GoCD in one way: it also raises Unreadable where GoCD
 * would silently store another value than the one sent.
 */
public final class GocdReader {
    private static final Gson STRICT = new GsonBuilder().setStrictness(Strictness.STRICT).create();
    // The widths of GoCD's database columns.
    private static final int REVISION_LIMIT = 1024;
    private static final int USER_LIMIT = 255;

    private GocdReader() {}

    public record Property(
            String displayName,
            int displayOrder,
            boolean partOfIdentity,
            boolean required,
            boolean secure,
            String defaultValue) {}

    public record Fault(String key, String message) {}

    public record Check(boolean success, List<String> messages) {}

    public record Modification(
            String revision,
            Instant at,
            String user,
            String comment,
            String trackbackUrl,
            Map<String, String> data) {}

    /** An answer that is an error in GoCD, or that GoCD would store as another value. */
    public static final class Unreadable extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Unreadable(String message) {
            super(message);
        }
    }

    public static Map<String, Property> fields(GoPluginApiResponse response) {
        Map<String, Property> fields = new LinkedHashMap<>();
        filled(response).asMap().forEach((key, described) -> {
            require(!key.isEmpty() && described.isJsonObject(), "a key with a map", described);
            fields.put(key, property(described.getAsJsonObject()));
        });
        return fields;
    }

    private static Property property(JsonObject described) {
        return new Property(
                text(described, "display-name", ""),
                order(text(described, "display-order", "0")),
                flag(described, "part-of-identity", true),
                flag(described, "required", true),
                flag(described, "secure", false),
                text(described, "default-value", ""));
    }

    private static int order(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException noOrder) {
            throw new Unreadable("expected a whole number as a text, found " + text);
        }
    }

    /** Empty for a valid configuration. */
    public static List<Fault> faults(GoPluginApiResponse response) {
        String body = body(response);
        List<Fault> faults = new ArrayList<>();
        if (body.isEmpty()) {
            return faults;
        }
        JsonElement list = json(body);
        require(list.isJsonArray(), "a list", list);
        for (JsonElement fault : list.getAsJsonArray()) {
            require(fault.isJsonObject(), "a list of maps", fault);
            faults.add(new Fault(
                    text(fault.getAsJsonObject(), "key", ""), text(fault.getAsJsonObject(), "message", "")));
        }
        return faults;
    }

    public static Check check(GoPluginApiResponse response) {
        JsonObject map = filled(response);
        String status = text(map, "status", "");
        require(!status.isEmpty(), "a status", map);
        List<String> messages = new ArrayList<>();
        if (isGiven(map, "messages")) {
            require(map.get("messages").isJsonArray(), "a list of messages", map);
            for (JsonElement message : map.getAsJsonArray("messages")) {
                messages.add(text(message));
            }
        }
        return new Check(status.equalsIgnoreCase("success"), messages);
    }

    public static Modification latest(GoPluginApiResponse response) {
        return modification(filled(response));
    }

    /** Empty for "no new revision". */
    public static Optional<Modification> since(GoPluginApiResponse response) {
        return map(response).map(GocdReader::modification);
    }

    private static Modification modification(JsonObject map) {
        String revision = text(map, "revision", "");
        String user = text(map, "user", "anonymous");
        require(!revision.isEmpty() && revision.length() <= REVISION_LIMIT, "a revision", map);
        require(user.length() <= USER_LIMIT, "a user", map);
        return new Modification(
                revision,
                instant(text(map, "timestamp", "")),
                user,
                text(map, "revisionComment", ""),
                text(map, "trackbackUrl", ""),
                data(map));
    }

    private static Instant instant(String text) {
        try {
            return ZonedDateTime.parse(text, DateTimeFormatter.ISO_OFFSET_DATE_TIME).toInstant();
        } catch (DateTimeException noTime) {
            throw new Unreadable("expected a time with an offset, found " + text);
        }
    }

    private static Map<String, String> data(JsonObject map) {
        Map<String, String> data = new LinkedHashMap<>();
        if (isGiven(map, "data")) {
            require(map.get("data").isJsonObject(), "data as a map", map);
            map.getAsJsonObject("data").asMap().forEach((key, value) -> {
                require(key.matches("[a-zA-Z0-9_]+"), "a key of letters, digits and _", map);
                data.put(key, text(value));
            });
        }
        return data;
    }

    private static JsonObject filled(GoPluginApiResponse response) {
        return map(response).orElseThrow(() -> new Unreadable("Empty response body"));
    }

    /** Empty for a body that GoCD reads as no map: none, null or {}. */
    private static Optional<JsonObject> map(GoPluginApiResponse response) {
        String body = body(response);
        JsonElement read = body.isEmpty() ? null : json(body);
        if (read == null || read.isJsonNull()) {
            return Optional.empty();
        }
        require(read.isJsonObject(), "a map", read);
        return Optional.of(read.getAsJsonObject()).filter(map -> !map.isEmpty());
    }

    private static String body(GoPluginApiResponse response) {
        require(response.responseCode() == 200, "code 200", response.responseCode() + " " + response.responseBody());
        return response.responseBody() == null ? "" : response.responseBody();
    }

    private static JsonElement json(String body) {
        try {
            return STRICT.fromJson(body, JsonElement.class);
        } catch (JsonParseException noJson) {
            throw new Unreadable("expected JSON, found " + body);
        }
    }

    private static boolean isGiven(JsonObject map, String key) {
        return map.has(key) && !map.get(key).isJsonNull();
    }

    private static String text(JsonObject map, String key, String absent) {
        return isGiven(map, key) ? text(map.get(key)) : absent;
    }

    private static String text(JsonElement element) {
        require(element.isJsonPrimitive() && element.getAsJsonPrimitive().isString(), "a text", element);
        return element.getAsString();
    }

    private static boolean flag(JsonObject map, String key, boolean absent) {
        if (!isGiven(map, key)) {
            return absent;
        }
        JsonElement element = map.get(key);
        require(element.isJsonPrimitive() && element.getAsJsonPrimitive().isBoolean(), "true or false", element);
        return element.getAsBoolean();
    }

    private static void require(boolean fine, String expected, Object found) {
        if (!fine) {
            throw new Unreadable("expected " + expected + ", found " + found);
        }
    }
}
