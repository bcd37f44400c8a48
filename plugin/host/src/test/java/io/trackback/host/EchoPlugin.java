package io.trackback.host;

import com.thoughtworks.go.plugin.api.GoApplicationAccessor;
import com.thoughtworks.go.plugin.api.GoPlugin;
import com.thoughtworks.go.plugin.api.GoPluginIdentifier;
import com.thoughtworks.go.plugin.api.annotation.Extension;
import com.thoughtworks.go.plugin.api.request.GoPluginApiRequest;
import com.thoughtworks.go.plugin.api.response.DefaultGoPluginApiResponse;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** A plugin that answers with what it was sent, or fails in the way that the message is named after. */
@Extension
public final class EchoPlugin implements GoPlugin {
    private boolean initialized;

    @Override
    public void initializeGoApplicationAccessor(GoApplicationAccessor accessor) {
        initialized = true;
    }

    @Override
    public GoPluginApiResponse handle(GoPluginApiRequest request) {
        return switch (request.requestName()) {
            case "initialized" -> DefaultGoPluginApiResponse.success(String.valueOf(initialized));
            case "sees" -> DefaultGoPluginApiResponse.success(String.valueOf(sees(request.requestBody())));
            case "throw" -> throw new IllegalStateException("two\n  lines");
            case "nothing" -> null;
            case "hang" -> hang();
            default -> new DefaultGoPluginApiResponse(201, request.extensionVersion() + " " + request.requestBody());
        };
    }

    private static boolean sees(String className) {
        try {
            Class.forName(className);
            return true;
        } catch (ClassNotFoundException hidden) {
            return false;
        }
    }

    private static GoPluginApiResponse hang() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
        return null;
    }

    @Override
    public GoPluginIdentifier pluginIdentifier() {
        return new GoPluginIdentifier("package-repository", List.of("1.0"));
    }
}
