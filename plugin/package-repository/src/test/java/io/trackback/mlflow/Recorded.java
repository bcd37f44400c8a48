package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.Gson;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;

/** A reply that a real MLflow gave. */
record Recorded(int status, String body) {

    static Recorded reply(String name) {
        try (InputStream file = Recorded.class.getResourceAsStream("/recorded/" + name + ".json")) {
            return new Gson().fromJson(new InputStreamReader(file, UTF_8), Recorded.class);
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }
}
