package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** What the plugin asks of MLflow; every question may raise a Refusal. */
interface Mlflow {
    /** The id of the experiment, empty when there is none of this name. */
    Optional<String> experiment(String name);

    /** Every run of the experiment that carries the tag, deleted ones excepted. */
    List<Run> promoted(String experimentId, String tag);

    /** The newest model that the run logged under this name. */
    Optional<LoggedModel> model(Run run, String name);
}
