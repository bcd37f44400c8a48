package io.trackback.mlflow;

import io.trackback.mlflow.GocdReader.Modification;
import java.time.Instant;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** The replies of a real MLflow to one poll, by what it was asked about: one for each page. */
enum Scene {
    TAGS(
            Topic.EXPERIMENT.recorded("experiment"),
            Topic.RUNS.recorded("runs-tagged"),
            Topic.MODELS.recorded("models-of-run-by-ids")),
    PAGES(
            Topic.EXPERIMENT.recorded("experiment"),
            Topic.RUNS.recorded("runs-first-page", "runs-last-page"),
            Topic.MODELS.recorded("models-of-run-by-ids")),
    ALIAS(
            Topic.ALIAS.recorded("alias"),
            Topic.RUN.recorded("run"),
            Topic.MODEL.recorded("model"),
            Topic.MODELS.recorded("models-of-run")),
    COPY(
            Topic.ALIAS.recorded("alias-of-copy"),
            Topic.FILES.recorded("version-files-of-copy"),
            Topic.RUN.recorded("run"),
            Topic.MODEL.recorded("model"),
            Topic.MODELS.recorded("models-of-run"));

    private final Map<Topic, List<byte[]>> replies = new EnumMap<>(Topic.class);

    @SafeVarargs
    Scene(Map.Entry<Topic, List<byte[]>>... recorded) {
        for (Map.Entry<Topic, List<byte[]>> each : recorded) {
            replies.put(each.getKey(), each.getValue());
        }
    }

    Map<Topic, List<byte[]>> replies() {
        return new EnumMap<>(replies);
    }

    private Map<String, String> material() {
        return (replies.containsKey(Topic.ALIAS) ? Topic.ALIAS : Topic.EXPERIMENT).material();
    }

    /** The plugin's answer when MLflow replies like this; `seen` is what GoCD knows, if the message says it. */
    GocdAnswer ask(Map<Topic, List<byte[]>> played, String message, String seen) {
        MlflowPackagePlugin plugin = new PlayedTransport(played).plugin();
        GocdMaterial material = new GocdMaterial(plugin, Map.of("MLFLOW_URL", "http://mlflow:5000"), material());
        if (message.equals("latest-revision-since")) {
            material.keep(new Modification("6-00000000", Instant.EPOCH, "", "", "", Map.of("SEEN", seen)));
        }
        return GocdAnswer.of(message, material.send(message));
    }

    /** What GoCD knows after one poll of this. */
    String allSeen() {
        return ask(replies, "latest-revision", "").revision().data().get("SEEN");
    }
}
