package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** Runs of an experiment are promoted by a tag; `modelName` is the name under which they log their model. */
record TagWatch(String experiment, String tag, String modelName) implements Watch {

    @Override
    public String model() {
        return experiment;
    }

    @Override
    public List<Event> promotions(Mlflow mlflow) {
        // By name every time: of an id that is gone, MLflow only says that it has no runs.
        String id = mlflow.experiment(experiment)
                .orElseThrow(() -> new Refusal("expected an experiment named '" + experiment
                        + "' in MLflow, found none: create it or correct " + PackageConfig.EXPERIMENT));
        return mlflow.tagged(id, tag).stream()
                .filter(tagged -> tagged.run().isFinished())
                .map(Event::of)
                .toList();
    }

    @Override
    public Seen seen(Seen before, Event reported, List<Event> present) {
        return before.with(reported, present);
    }

    @Override
    public Optional<LoggedModel> model(Mlflow mlflow, Event event) {
        return mlflow.model(event.run(), modelName);
    }

    @Override
    public String how(Event event) {
        return event.isWritten() ? "promoted by " + event.who() : "has the tag " + tag + " = " + event.value();
    }

    @Override
    public String nothingPromoted() {
        return "nothing promoted in experiment " + experiment + " yet: tag a run with '" + tag + "'";
    }

    @Override
    public String found(Mlflow mlflow) {
        int promoted = promotions(mlflow).size();
        return promoted == 0 ? nothingPromoted() : "finished runs with the tag '" + tag + "': " + promoted;
    }
}
