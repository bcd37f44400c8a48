package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLEncoder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** MLflow over its REST API 2.0. */
final class HttpMlflow implements Mlflow {
    private static final int PAGE = 200;
    private static final int PAGES = 10;

    private final Conversation conversation;

    HttpMlflow(Conversation conversation) {
        this.conversation = conversation;
    }

    @Override
    public Optional<String> experiment(String name) {
        String path = "experiments/get-by-name?experiment_name=" + URLEncoder.encode(name, UTF_8);
        return conversation
                .find(path, ExperimentReply.class)
                .map(ExperimentReply::experiment)
                .filter(ExperimentReply.Experiment::isActive)
                .map(ExperimentReply.Experiment::experimentId);
    }

    @Override
    public List<Run> promoted(String experimentId, String tag) {
        List<Run> runs = new ArrayList<>();
        String next = "";
        for (int page = 0; page < PAGES; page++) {
            RunsSearch search = RunsSearch.tagged(experimentId, tag, next);
            RunsReply reply = conversation.ask("runs/search", search, RunsReply.class);
            runs.addAll(reply.runs(tag));
            next = reply.nextPageToken();
            if (next.isEmpty()) {
                return runs;
            }
        }
        throw new Refusal("expected at most " + PAGE * PAGES + " runs with the tag '" + tag
                + "', found more: remove the tag from old runs");
    }

    @Override
    public Optional<LoggedModel> model(Run run, String name) {
        return conversation
                .ask("logged-models/search", ModelsSearch.of(run, name), ModelsReply.class)
                .newest(run, name);
    }

    /** The order makes pages steady while new runs come in. */
    private record RunsSearch(
            List<String> experimentIds,
            String filter,
            String runViewType,
            List<String> orderBy,
            int maxResults,
            String pageToken) {
        static RunsSearch tagged(String experimentId, String tag, String pageToken) {
            return new RunsSearch(
                    List.of(experimentId),
                    "tags.`" + tag + "` IS NOT NULL",
                    "ACTIVE_ONLY",
                    List.of("attributes.start_time ASC"),
                    PAGE,
                    pageToken.isEmpty() ? null : pageToken);
        }
    }

    private record ModelsSearch(
            List<String> experimentIds,
            String filter,
            List<Map<String, Object>> orderBy,
            int maxResults) {
        static ModelsSearch of(Run run, String name) {
            return new ModelsSearch(
                    List.of(run.experimentId()),
                    "source_run_id = '" + run.id() + "' AND name = '" + name + "'",
                    List.of(Map.of("field_name", "creation_timestamp", "ascending", false)),
                    1);
        }
    }
}
