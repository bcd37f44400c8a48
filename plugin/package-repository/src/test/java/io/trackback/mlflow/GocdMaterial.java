package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import com.thoughtworks.go.plugin.api.exceptions.UnhandledRequestTypeException;
import com.thoughtworks.go.plugin.api.request.DefaultGoPluginApiRequest;
import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import io.trackback.mlflow.GocdReader.Modification;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** A package material as GoCD keeps it: its configuration, and the newest modification, which later polls send. */
public final class GocdMaterial {
    private static final Gson GSON = new Gson();
    private static final Set<String> WITHOUT_BODY = Set.of("repository-configuration", "package-configuration");
    private static final DateTimeFormatter MILLISECONDS =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    private final MlflowPackagePlugin plugin;
    private final Map<String, Object> configuration = new LinkedHashMap<>();
    private final Set<String> revisions = new HashSet<>();
    private Modification newest;

    public GocdMaterial(MlflowPackagePlugin plugin, Map<String, String> repository, Map<String, String> material) {
        this.plugin = plugin;
        configuration.put("repository-configuration", values(repository));
        configuration.put("package-configuration", values(material));
    }

    private static Map<String, Map<String, String>> values(Map<String, String> settings) {
        return settings.entrySet().stream()
                .collect(Collectors.toMap(Map.Entry::getKey, entry -> Map.of("value", entry.getValue())));
    }

    public Optional<Modification> newest() {
        return Optional.ofNullable(newest);
    }

    /** The number of stored revisions. */
    public int known() {
        return revisions.size();
    }

    public GoPluginApiResponse poll() {
        return newest == null ? send("latest-revision") : send("latest-revision-since");
    }

    public Optional<Modification> read(GoPluginApiResponse answer) {
        return newest == null ? Optional.of(GocdReader.latest(answer)) : GocdReader.since(answer);
    }

    /** Fails for a revision that is stored already, because GoCD silently drops it. */
    public void keep(Modification modification) {
        assertTrue(revisions.add(modification.revision()), "a revision that is new, not " + modification.revision());
        newest = modification;
    }

    /** Sends one of the eight messages with the body that GoCD gives it. */
    public GoPluginApiResponse send(String message) {
        DefaultGoPluginApiRequest request = new DefaultGoPluginApiRequest("package-repository", "1.0", message);
        request.setRequestBody(WITHOUT_BODY.contains(message) ? null : body(message));
        try {
            return plugin.handle(request);
        } catch (UnhandledRequestTypeException unknown) {
            throw new AssertionError(message, unknown);
        }
    }

    private String body(String message) {
        Map<String, Object> body = new LinkedHashMap<>(configuration);
        if (message.equals("latest-revision-since")) {
            newest().ifPresent(known -> body.put("previous-revision", previous(known)));
        }
        return GSON.toJson(body);
    }

    private static Map<String, Object> previous(Modification known) {
        return Map.of(
                "revision", known.revision(), "timestamp", MILLISECONDS.format(known.at()), "data", known.data());
    }
}
