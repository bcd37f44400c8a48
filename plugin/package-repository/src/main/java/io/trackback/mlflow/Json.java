package io.trackback.mlflow;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.Strictness;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** How records are spelt in GoCD's JSON and in MLflow's. */
final class Json {
    static final Gson GOCD = strict().create();
    static final Gson MLFLOW =
            strict().setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES).create();

    private Json() {}

    private static GsonBuilder strict() {
        return new GsonBuilder().setStrictness(Strictness.STRICT).disableHtmlEscaping();
    }

    /** What a sender left out or set to null is empty. */
    static String given(String text) {
        return Objects.requireNonNullElse(text, "");
    }

    static <T> List<T> given(List<T> list) {
        return list == null ? List.of() : list.stream().filter(Objects::nonNull).toList();
    }

    static <V> Map<String, V> given(Map<String, V> map) {
        return Objects.requireNonNullElse(map, Map.of());
    }
}
