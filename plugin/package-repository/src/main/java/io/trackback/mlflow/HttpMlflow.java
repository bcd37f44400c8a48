package io.trackback.mlflow;

import static io.trackback.mlflow.Question.encoded;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** MLflow over its REST API 2.0. */
final class HttpMlflow implements Mlflow {
    private static final int PAGE = 200;
    private static final int PAGES = 10;
    private static final int MODELS = 100;
    private static final String MISSING = "RESOURCE_DOES_NOT_EXIST";
    private static final String ALIAS_MISSING = "INVALID_PARAMETER_VALUE";

    private final Conversation conversation;

    HttpMlflow(Conversation conversation) {
        this.conversation = conversation;
    }

    @Override
    public Optional<String> experiment(String name) {
        Question question = Question.get(
                "the experiment '" + name + "'", "experiments/get-by-name?experiment_name=" + encoded(name));
        return conversation
                .find(question, ExperimentReply.class, MISSING)
                .map(ExperimentReply::experiment)
                .filter(ExperimentReply.Experiment::isActive)
                .map(ExperimentReply.Experiment::experimentId);
    }

    @Override
    public List<TaggedRun> tagged(String experimentId, String tag) {
        List<TaggedRun> runs = new ArrayList<>();
        Set<String> tokens = new HashSet<>();
        String next = "";
        while (tokens.size() < PAGES) {
            Question question = Question.post(
                    "the runs with the tag '" + tag + "'", "runs/search", RunsSearch.tagged(experimentId, tag, next));
            RunsReply reply = conversation.ask(question, RunsReply.class);
            if (reply.runs().size() > PAGE) {
                throw conversation.notMlflow(question);
            }
            reply.tagged(tag).stream()
                    .filter(tagged -> tagged.run().experimentId().equals(experimentId))
                    .forEach(runs::add);
            next = reply.nextPageToken();
            if (next.isEmpty()) {
                return runs;
            }
            if (!tokens.add(next)) {
                throw conversation.notMlflow(question);
            }
        }
        throw new Refusal("expected at most " + PAGE * PAGES + " runs with the tag '" + tag
                + "', found more: remove the tag from old runs");
    }

    @Override
    public Optional<ModelVersion> version(String registeredModel, String alias) {
        Question question = Question.get(
                "the alias '" + alias + "' of registered model '" + registeredModel + "'",
                "registered-models/alias?name=" + encoded(registeredModel) + "&alias=" + encoded(alias));
        return conversation
                .find(question, VersionReply.class, ALIAS_MISSING)
                .map(VersionReply::modelVersion)
                .map(version -> new ModelVersion(
                        version.version(),
                        version.runId(),
                        modelId(registeredModel, version),
                        Time.of(version.creationTimestamp())));
    }

    /** A copy of another model's version says only which, and MLflow follows it to the files. */
    private String modelId(String registeredModel, VersionReply.Version version) {
        if (!version.source().matches("models:/[^/]+/[0-9]+")) {
            return LoggedModel.idIn(version.source());
        }
        Question question = Question.get(
                "the files of version " + version.version() + " of registered model '" + registeredModel + "'",
                "model-versions/get-download-uri?name=" + encoded(registeredModel) + "&version=" + version.version());
        return LoggedModel.idIn(Json.given(conversation.ask(question, LocationReply.class).artifactUri()));
    }

    @Override
    public Run run(String id) {
        Question question = Question.get("the run " + id, "runs/get?run_id=" + encoded(id));
        Run run = conversation.ask(question, SingleRunReply.class).run().run();
        if (!run.id().equals(id)) {
            throw conversation.notMlflow(question);
        }
        return run;
    }

    @Override
    public Optional<LoggedModel> model(Run run, String name) {
        if (run.modelIds().isEmpty()) {
            return Optional.empty();
        }
        Question question = Question.post(
                "the model of run " + run.shortId(), "logged-models/search", ModelsSearch.of(run, name));
        return conversation.ask(question, ModelsReply.class).newest(run, name);
    }

    @Override
    public Optional<LoggedModel> modelWithId(Run run, String id) {
        Question question = Question.get("the model of run " + run.shortId(), "logged-models/" + id);
        return conversation
                .find(question, SingleModelReply.class, MISSING)
                .flatMap(reply -> reply.model().of(run))
                .filter(model -> model.id().equals(id));
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
                    MODELS);
        }
    }
}
