package io.trackback.mlflow;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A model that a run logged. */
record LoggedModel(String id, String artifactUri) {
    /** For a run that did not log the configured model; the pipeline's `fetch` refuses it. */
    static final LoggedModel NONE = new LoggedModel("", "");

    private static final Pattern ID = Pattern.compile("m-[0-9a-f]{32}");
    private static final Pattern LOCATION = Pattern.compile("(?:models:/|.*/models/)(m-[0-9a-f]{32})(?:/artifacts)?");

    static boolean isId(String text) {
        return ID.matcher(text).matches();
    }

    /** The id in `models:/<id>` or in the location of a model's files; empty for any other location. */
    static String idIn(String location) {
        Matcher found = LOCATION.matcher(location);
        return found.matches() ? found.group(1) : "";
    }

    String uri() {
        return id.isEmpty() ? "" : "models:/" + id;
    }
}
