package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Reads and writes records as GoCD's JSON (names as declared) and as MLflow's (snake_case). */
final class Json {
    static final Gson GOCD = strict().create();
    static final Gson MLFLOW =
            strict().setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES).create();

    private Json() {}

    private static GsonBuilder strict() {
        return new GsonBuilder().setStrictness(Strictness.STRICT).disableHtmlEscaping();
    }

    /** Reads a response of MLflow. Raises JsonParseException unless it is one JSON object of this shape in UTF-8. */
    static <T> T parse(InputStream body, Class<T> shape) {
        try (StrictJsonReader reader = new StrictJsonReader(new InputStreamReader(body, UTF_8.newDecoder()))) {
            T reply = MLFLOW.fromJson(reader, shape);
            if (reply != null && reader.peek() == JsonToken.END_DOCUMENT) {
                return reply;
            }
            throw new JsonParseException("no single object");
        } catch (IOException broken) {
            throw new JsonParseException(broken);
        }
    }

    /** Empty for a value that is absent or null. */
    static String orEmpty(String text) {
        return Objects.requireNonNullElse(text, "");
    }

    static <T> List<T> orEmpty(List<T> list) {
        return list == null ? List.of() : list.stream().filter(Objects::nonNull).toList();
    }

    static <V> Map<String, V> orEmpty(Map<String, V> map) {
        return Objects.requireNonNullElse(map, Map.of());
    }
}
