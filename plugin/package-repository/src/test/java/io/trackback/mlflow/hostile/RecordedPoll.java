package io.trackback.mlflow.hostile;

import io.trackback.mlflow.GocdMaterial;
import io.trackback.mlflow.GocdReader.Modification;
import io.trackback.mlflow.MlflowPackagePlugin;
import io.trackback.mlflow.ReplayTransport;
import io.trackback.mlflow.TestPlugins;
import java.time.Instant;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The recorded responses of a real MLflow to one poll: for each endpoint, its pages. */
enum RecordedPoll {
    TAGS(
            Endpoint.EXPERIMENT.recorded("experiment"),
            Endpoint.RUNS.recorded("runs-tagged"),
            Endpoint.MODELS.recorded("models-of-run-by-ids")),
    PAGES(
            Endpoint.EXPERIMENT.recorded("experiment"),
            Endpoint.RUNS.recorded("runs-first-page", "runs-last-page"),
            Endpoint.MODELS.recorded("models-of-run-by-ids")),
    ALIAS(
            Endpoint.ALIAS.recorded("alias"),
            Endpoint.RUN.recorded("run"),
            Endpoint.MODEL.recorded("model"),
            Endpoint.MODELS.recorded("models-of-run")),
    COPY(
            Endpoint.ALIAS.recorded("alias-of-copy"),
            Endpoint.FILES.recorded("version-files-of-copy"),
            Endpoint.RUN.recorded("run"),
            Endpoint.MODEL.recorded("model"),
            Endpoint.MODELS.recorded("models-of-run"));

    private final Map<Endpoint, List<byte[]>> replies = new EnumMap<>(Endpoint.class);

    @SafeVarargs
    RecordedPoll(Map.Entry<Endpoint, List<byte[]>>... recorded) {
        for (Map.Entry<Endpoint, List<byte[]>> each : recorded) {
            replies.put(each.getKey(), each.getValue());
        }
    }

    Map<Endpoint, List<byte[]>> replies() {
        return new EnumMap<>(replies);
    }

    private Map<String, String> material() {
        return (replies.containsKey(Endpoint.ALIAS) ? Endpoint.ALIAS : Endpoint.EXPERIMENT).material();
    }

    /** The plugin's answer to `message` when MLflow sends `replayed`; `seen` is SEEN of the previous revision. */
    GocdAnswer ask(Map<Endpoint, List<byte[]>> replayed, String message, String seen) {
        MlflowPackagePlugin plugin = TestPlugins.replaying(new ReplayTransport(inTurn(replayed)));
        GocdMaterial material = new GocdMaterial(plugin, Map.of("MLFLOW_URL", "http://mlflow:5000"), material());
        if (message.equals("latest-revision-since")) {
            material.keep(new Modification("6-00000000", Instant.EPOCH, "", "", "", Map.of("SEEN", seen)));
        }
        return GocdAnswer.of(message, material.send(message));
    }

    /** The pages of each endpoint in turn, the last of them again and again. */
    private static Function<String, byte[]> inTurn(Map<Endpoint, List<byte[]>> pages) {
        Map<Endpoint, Integer> asked = new EnumMap<>(Endpoint.class);
        return address -> {
            Endpoint endpoint = Endpoint.of(address);
            int last = pages.get(endpoint).size() - 1;
            return pages.get(endpoint).get(Math.min(asked.merge(endpoint, 1, Integer::sum) - 1, last));
        };
    }

    /** SEEN after one poll with the recorded responses. */
    String allSeen() {
        return ask(replies, "latest-revision", "").revision().data().get("SEEN");
    }
}
