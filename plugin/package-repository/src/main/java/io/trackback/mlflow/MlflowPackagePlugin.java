package io.trackback.mlflow;

import com.thoughtworks.go.plugin.api.GoApplicationAccessor;
import com.thoughtworks.go.plugin.api.GoPlugin;
import com.thoughtworks.go.plugin.api.GoPluginIdentifier;
import com.thoughtworks.go.plugin.api.annotation.Extension;
import com.thoughtworks.go.plugin.api.exceptions.UnhandledRequestTypeException;
import com.thoughtworks.go.plugin.api.logging.Logger;
import com.thoughtworks.go.plugin.api.request.GoPluginApiRequest;
import com.thoughtworks.go.plugin.api.response.DefaultGoPluginApiResponse;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import java.util.List;

/** The plugin's entry point: one line for each message of GoCD's package-repository API. */
@Extension
public final class MlflowPackagePlugin implements GoPlugin {
    private static final Logger LOG = Log.of(MlflowPackagePlugin.class);

    private final MessageHandler messages;

    public MlflowPackagePlugin() {
        this(new HttpConnector(HttpTransport::new));
    }

    MlflowPackagePlugin(Connector connector) {
        this.messages = new MessageHandler(connector);
    }

    @Override
    public void initializeGoApplicationAccessor(GoApplicationAccessor accessor) {
        // The plugin sends no requests to GoCD.
    }

    @Override
    public GoPluginIdentifier pluginIdentifier() {
        return new GoPluginIdentifier("package-repository", List.of("1.0"));
    }

    @Override
    public GoPluginApiResponse handle(GoPluginApiRequest request) throws UnhandledRequestTypeException {
        long start = System.nanoTime();
        try {
            return DefaultGoPluginApiResponse.success(Json.GOCD.toJson(answer(request)));
        } catch (RefusedException refusal) {
            return DefaultGoPluginApiResponse.error(refusal.getMessage());
        } catch (RuntimeException | Error bug) {
            // Not rethrown, because it would reach a thread of GoCD and could show MLflow's own text to an operator.
            LOG.error("cannot answer " + request.requestName(), bug);
            return DefaultGoPluginApiResponse.error("the plugin failed at this message: see its log");
        } finally {
            LOG.debug(request.requestName() + " took " + Log.millisecondsSince(start) + " ms");
        }
    }

    private Object answer(GoPluginApiRequest request) throws UnhandledRequestTypeException {
        String body = request.requestBody();
        return switch (request.requestName()) {
            case "repository-configuration" -> RepositoryConfig.FIELDS;
            case "package-configuration" -> PackageConfig.FIELDS;
            case "validate-repository-configuration" -> messages.validateRepository(body);
            case "validate-package-configuration" -> messages.validatePackage(body);
            case "check-repository-connection" -> messages.checkRepository(body);
            case "check-package-connection" -> messages.checkPackage(body);
            case "latest-revision" -> messages.latestRevision(body);
            case "latest-revision-since" -> messages.latestRevisionSince(body);
            default -> throw new UnhandledRequestTypeException(request.requestName());
        };
    }
}
