package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonParseException;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The questions of one poll: one deadline and one allowance of bytes for all of them. */
final class Conversation {
    private static final int BYTES = 8 << 20;

    private final HttpClient client;
    private final RepositoryConfig repository;
    private final Duration limit;
    private final long deadline;
    private int bytesLeft = BYTES;

    Conversation(HttpClient client, RepositoryConfig repository, Duration limit) {
        this.client = client;
        this.repository = repository;
        this.limit = limit;
        this.deadline = System.nanoTime() + limit.toNanos();
    }

    <T extends Reply> Optional<T> find(String path, Class<T> shape) {
        HttpResponse<byte[]> response = send(request(path).GET());
        return isMissing(response) ? Optional.empty() : Optional.of(read(response, shape));
    }

    <T extends Reply> T ask(String path, Object question, Class<T> shape) {
        HttpRequest.Builder request = request(path)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(Json.MLFLOW.toJson(question)));
        return read(send(request), shape);
    }

    private HttpRequest.Builder request(String path) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(repository.url() + "/api/2.0/mlflow/" + path));
        if (!repository.authorization().isEmpty()) {
            request.header("Authorization", repository.authorization());
        }
        return request;
    }

    private HttpResponse<byte[]> send(HttpRequest.Builder request) {
        CompletableFuture<HttpResponse<byte[]>> reply =
                client.sendAsync(request.build(), head -> new CappedBody(bytesLeft));
        try {
            HttpResponse<byte[]> response = reply.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
            bytesLeft -= response.body().length;
            return response;
        } catch (TimeoutException late) {
            throw refusal("did not answer within " + limit.toMillis() / 1000.0 + " s: check that it is not overloaded");
        } catch (ExecutionException failure) {
            throw failure.getCause() instanceof CappedBody.TooLong
                    ? refusal("sent more than " + BYTES / (1 << 20) + " MiB: remove the tag from old runs")
                    : refusal("cannot be reached: check that it runs, and the address in " + RepositoryConfig.URL);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw refusal("was not waited for: GoCD is stopping");
        } finally {
            // Ends an exchange that is still under way, so that no reply outlives the deadline.
            reply.cancel(true);
        }
    }

    private <T extends Reply> T read(HttpResponse<byte[]> response, Class<T> shape) {
        if (response.statusCode() != 200) {
            throw refused(response.statusCode());
        }
        T reply = parse(response, shape);
        if (reply == null || !reply.isSound()) {
            throw notMlflow();
        }
        return reply;
    }

    private boolean isMissing(HttpResponse<byte[]> response) {
        if (response.statusCode() != 404) {
            return false;
        }
        ErrorReply error = parse(response, ErrorReply.class);
        return error != null && "RESOURCE_DOES_NOT_EXIST".equals(error.errorCode());
    }

    private <T> T parse(HttpResponse<byte[]> response, Class<T> shape) {
        try {
            return Json.MLFLOW.fromJson(new InputStreamReader(new ByteArrayInputStream(response.body()), UTF_8), shape);
        } catch (JsonParseException notJson) {
            throw notMlflow();
        }
    }

    private Refusal refused(int status) {
        if (status == 401) {
            return refusal("refused the credentials: check user name, password or token of the repository");
        }
        if (status == 403) {
            return refusal("refuses access: check the rights of the user, and MLflow's list of allowed hosts");
        }
        if (status >= 300 && status < 400) {
            return refusal("answered with a redirect: set " + RepositoryConfig.URL + " to where it leads");
        }
        return status >= 500 ? refusal("failed with status " + status + ": see its log") : notMlflow();
    }

    private Refusal notMlflow() {
        return refusal("did not answer as MLflow does: check the address in " + RepositoryConfig.URL
                + ", and any proxy in between");
    }

    private Refusal refusal(String what) {
        return new Refusal("MLflow at " + repository.url() + " " + what);
    }

    private record ErrorReply(String errorCode) {}
}
