package io.trackback.host;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpServer;
import com.thoughtworks.go.plugin.api.GoPlugin;
import com.thoughtworks.go.plugin.api.exceptions.UnhandledRequestTypeException;
import com.thoughtworks.go.plugin.api.request.DefaultGoPluginApiRequest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** An MLflow on 127.0.0.1 without any experiment. */
final class MlflowWithoutExperiment implements AutoCloseable {
    static final String ANSWER =
            "expected an experiment named 'x' in MLflow, found none: create it or correct EXPERIMENT";

    private final HttpServer mlflow;

    MlflowWithoutExperiment() throws IOException {
        mlflow = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        mlflow.createContext("/", exchange -> {
            byte[] body = "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\"}".getBytes(UTF_8);
            exchange.sendResponseHeaders(404, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        mlflow.start();
    }

    /** What the plugin answers to a poll of the experiment x. */
    String pollBy(GoPlugin plugin) throws UnhandledRequestTypeException {
        DefaultGoPluginApiRequest request =
                new DefaultGoPluginApiRequest("package-repository", "1.0", "latest-revision");
        String url = "http://127.0.0.1:" + mlflow.getAddress().getPort();
        request.setRequestBody("{\"repository-configuration\":{\"MLFLOW_URL\":{\"value\":\"" + url + "\"}},"
                + "\"package-configuration\":{\"EXPERIMENT\":{\"value\":\"x\"}}}");
        return plugin.handle(request).responseBody();
    }

    @Override
    public void close() {
        mlflow.stop(0);
    }
}
