package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** The version of a registered model that an alias points at is promoted. */
record AliasWatch(String registeredModel, String alias, String modelName) implements Watch {

    @Override
    public String model() {
        return registeredModel;
    }

    @Override
    public List<Event> promotions(Mlflow mlflow) {
        return mlflow.version(registeredModel, alias).flatMap(version -> event(mlflow, version)).stream()
                .toList();
    }

    /** Empty while the run goes on. */
    private Optional<Event> event(Mlflow mlflow, ModelVersion version) {
        if (version.runId().isEmpty()) {
            throw new Refusal("expected version " + version.number() + " of registered model '" + registeredModel
                    + "' to come from a run, found none: register a model that a run logged");
        }
        return Optional.of(Event.of(version, mlflow.run(version.runId())))
                .filter(event -> event.run().isFinished());
    }

    /** Only the last one, because an alias that comes back to a version promotes it again. */
    @Override
    public Seen seen(Seen before, Event reported, List<Event> present) {
        return Seen.of(List.of(reported));
    }

    @Override
    public Optional<LoggedModel> model(Mlflow mlflow, Event event) {
        return event.modelId().isEmpty()
                ? mlflow.model(event.run(), modelName)
                : mlflow.modelWithId(event.run(), event.modelId());
    }

    @Override
    public String how(Event event) {
        return "is " + alias + " (" + event.value() + ")";
    }

    @Override
    public String nothingPromoted() {
        return "nothing promoted in registered model " + registeredModel + " yet: set the alias '" + alias
                + "' on a version of a finished run";
    }

    @Override
    public String found(Mlflow mlflow) {
        ModelVersion version = mlflow.version(registeredModel, alias)
                .orElseThrow(() -> new Refusal("expected an alias '" + alias + "' of registered model '"
                        + registeredModel + "' in MLflow, found none: set it or correct " + PackageConfig.ALIAS));
        return event(mlflow, version).isEmpty()
                ? nothingPromoted()
                : "the alias '" + alias + "' points at version " + version.number();
    }
}
