package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;

/** A request to MLflow's REST API: `description` is for messages, `body` is null for a GET. */
record MlflowRequest(String description, String path, Object body) {

    static MlflowRequest get(String description, String path) {
        return new MlflowRequest(description, path, null);
    }

    static MlflowRequest post(String description, String path, Object body) {
        return new MlflowRequest(description, path, body);
    }

    static String encoded(String value) {
        return URLEncoder.encode(value, UTF_8);
    }

    HttpRequest to(RepositoryConfig repository) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(repository.url() + "/api/2.0/mlflow/" + path));
        if (!repository.authorization().isEmpty()) {
            request.header("Authorization", repository.authorization());
        }
        if (body != null) {
            request.header("Content-Type", "application/json").POST(BodyPublishers.ofString(Json.MLFLOW.toJson(body)));
        }
        return request.build();
    }
}
