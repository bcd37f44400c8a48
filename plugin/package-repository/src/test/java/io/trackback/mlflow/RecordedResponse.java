package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.Gson;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;

/** A recorded response of a real MLflow, from src/test/resources/recorded. */
public record RecordedResponse(int status, String body) {

    public static RecordedResponse reply(String name) {
        try (InputStream file = RecordedResponse.class.getResourceAsStream("/recorded/" + name + ".json")) {
            return new Gson().fromJson(new InputStreamReader(file, UTF_8), RecordedResponse.class);
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }
}
