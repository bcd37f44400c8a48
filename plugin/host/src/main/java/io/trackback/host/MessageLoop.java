package io.trackback.host;

import com.thoughtworks.go.plugin.api.GoPlugin;
import com.thoughtworks.go.plugin.api.GoPluginIdentifier;
import com.thoughtworks.go.plugin.api.request.DefaultGoPluginApiRequest;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import java.io.BufferedReader;
import java.io.IOException;
import java.util.List;

/** Answers each request in its own thread, so that one that hangs does not delay the others. */
final class MessageLoop {
    private final GoPlugin plugin;
    private final JsonLines lines;
    private final String extension;
    private final String version;

    MessageLoop(LoadedPlugin loaded, JsonLines lines) {
        this.plugin = loaded.plugin();
        this.lines = lines;
        GoPluginIdentifier identifier = plugin.pluginIdentifier();
        List<String> versions = identifier.getSupportedExtensionVersions();
        this.extension = identifier.getExtension();
        this.version = versions.get(versions.size() - 1);
    }

    /** Returns at the end of the requests. Threads are daemons, so those still at work end with the JVM. */
    void run(BufferedReader requests) throws IOException {
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            Request request = JsonLines.read(line, Request.class);
            Thread thread = new Thread(() -> lines.write(answer(request)), request.name());
            thread.setDaemon(true);
            thread.start();
        }
    }

    private Object answer(Request request) {
        DefaultGoPluginApiRequest message = new DefaultGoPluginApiRequest(extension, version, request.name());
        message.setRequestBody(request.body());
        try {
            GoPluginApiResponse response = plugin.handle(message);
            return response == null
                    ? new Failure(request.id(), "The plugin sent a null response")
                    : new Answer(request.id(), response.responseCode(), response.responseBody());
        } catch (Throwable failure) {
            // An exception or error of the plugin is the answer to its request.
            return new Failure(request.id(), JsonLines.oneLine(failure));
        }
    }

    private record Request(long id, String name, String body) {}

    private record Answer(long id, int code, String body) {}

    private record Failure(long id, String error) {}
}
