package io.trackback.mlflow;

import static io.trackback.mlflow.MlflowRequest.encoded;

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

    private final MlflowSession session;

    HttpMlflow(MlflowSession session) {
        this.session = session;
    }

    @Override
    public Optional<String> experiment(String name) {
        MlflowRequest request = MlflowRequest.get(
                "the experiment '" + name + "'", "experiments/get-by-name?experiment_name=" + encoded(name));
        return session
                .find(request, GetExperimentByNameResponse.class, MISSING)
                .map(GetExperimentByNameResponse::experiment)
                .filter(GetExperimentByNameResponse.Experiment::isActive)
                .map(GetExperimentByNameResponse.Experiment::experimentId);
    }

    @Override
    public List<TaggedRun> tagged(String experimentId, String tag) {
        List<TaggedRun> runs = new ArrayList<>();
        Set<String> tokens = new HashSet<>();
        String next = "";
        while (tokens.size() < PAGES) {
            MlflowRequest request = MlflowRequest.post(
                    "the runs with the tag '" + tag + "'", "runs/search", RunsSearch.tagged(experimentId, tag, next));
            SearchRunsResponse reply = session.ask(request, SearchRunsResponse.class);
            if (reply.runs().size() > PAGE) {
                throw session.notMlflow(request);
            }
            reply.tagged(tag).stream()
                    .filter(tagged -> tagged.run().experimentId().equals(experimentId))
                    .forEach(runs::add);
            next = reply.nextPageToken();
            if (next.isEmpty()) {
                return runs;
            }
            if (!tokens.add(next)) {
                throw session.notMlflow(request);
            }
        }
        throw new RefusedException("expected at most " + PAGE * PAGES + " runs with the tag '" + tag
                + "', found more: remove the tag from old runs");
    }

    @Override
    public Optional<ModelVersion> version(String registeredModel, String alias) {
        MlflowRequest request = MlflowRequest.get(
                "the alias '" + alias + "' of registered model '" + registeredModel + "'",
                "registered-models/alias?name=" + encoded(registeredModel) + "&alias=" + encoded(alias));
        return session
                .find(request, GetModelVersionByAliasResponse.class, ALIAS_MISSING)
                .map(GetModelVersionByAliasResponse::modelVersion)
                .map(version -> new ModelVersion(
                        version.version(),
                        version.runId(),
                        modelId(registeredModel, version),
                        MlflowTime.of(version.creationTimestamp())));
    }

    /** Empty when no logged model is named. A copied version names its original; MLflow resolves that to files. */
    private String modelId(String registeredModel, GetModelVersionByAliasResponse.Version version) {
        if (!version.source().matches("models:/[^/]+/[0-9]+")) {
            return LoggedModel.idIn(version.source());
        }
        MlflowRequest request = MlflowRequest.get(
                "the files of version " + version.version() + " of registered model '" + registeredModel + "'",
                "model-versions/get-download-uri?name=" + encoded(registeredModel) + "&version=" + version.version());
        GetModelVersionDownloadUriResponse files = session.ask(request, GetModelVersionDownloadUriResponse.class);
        return LoggedModel.idIn(Json.orEmpty(files.artifactUri()));
    }

    @Override
    public Run run(String id) {
        MlflowRequest request = MlflowRequest.get("the run " + id, "runs/get?run_id=" + encoded(id));
        Run run = session.ask(request, GetRunResponse.class).run().run();
        if (!run.id().equals(id)) {
            throw session.notMlflow(request);
        }
        return run;
    }

    @Override
    public Optional<LoggedModel> model(Run run, String name) {
        if (run.modelIds().isEmpty()) {
            return Optional.empty();
        }
        MlflowRequest request = MlflowRequest.post(
                "the model of run " + run.shortId(), "logged-models/search", ModelsSearch.of(run, name));
        return session.ask(request, SearchLoggedModelsResponse.class).newest(run, name);
    }

    @Override
    public Optional<LoggedModel> modelWithId(Run run, String id) {
        MlflowRequest request = MlflowRequest.get("the model of run " + run.shortId(), "logged-models/" + id);
        return session
                .find(request, GetLoggedModelResponse.class, MISSING)
                .flatMap(reply -> reply.model().of(run))
                .filter(model -> model.id().equals(id));
    }

    /** Ordered by start time, so that pages do not shift when new runs come in between. */
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
