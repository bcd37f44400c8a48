package io.trackback.mlflow;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;
import java.util.Set;

/** Checks an artifact URI of MLflow before it becomes an environment variable of GoCD's jobs. */
final class ArtifactUri {
    private static final Set<String> SCHEMES = Set.of(
            "mlflow-artifacts", "file", "s3", "r2", "b2", "gs", "wasbs", "abfss", "hdfs", "viewfs", "dbfs");

    private ArtifactUri() {}

    /** The text itself; empty for a scheme that MLflow does not use, credentials, a query, a fragment or "..". */
    static String validOrEmpty(String text) {
        try {
            return isValid(text.startsWith("/") ? new URI("file", null, text, null) : new URI(text)) ? text : "";
        } catch (URISyntaxException notAnAddress) {
            return "";
        }
    }

    private static boolean isValid(URI uri) {
        return uri.getScheme() != null
                && SCHEMES.contains(uri.getScheme())
                && uri.getPath() != null
                && !List.of(uri.getPath().split("/")).contains("..")
                && (uri.getRawUserInfo() == null || !uri.getRawUserInfo().contains(":"))
                && uri.getRawQuery() == null
                && uri.getRawFragment() == null;
    }
}
