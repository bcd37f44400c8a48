package io.trackback.mlflow;

import java.util.List;
import java.util.Optional;

/** What the plugin needs of MLflow's REST API. Every method may raise RefusedException. */
interface Mlflow {
    /** The id of the experiment, empty when there is none of this name. */
    Optional<String> experiment(String name);

    /** Every run of the experiment that has the tag, except deleted runs. */
    List<TaggedRun> tagged(String experimentId, String tag);

    /** The version that the alias points at, empty when the registered model has no such alias. */
    Optional<ModelVersion> version(String registeredModel, String alias);

    Run run(String id);

    /** The newest model that the run logged under this name. */
    Optional<LoggedModel> model(Run run, String name);

    /** The model with this id if the run logged it. */
    Optional<LoggedModel> modelWithId(Run run, String id);
}
