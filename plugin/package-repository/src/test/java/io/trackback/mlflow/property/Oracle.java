package io.trackback.mlflow.property;

import io.trackback.mlflow.GocdReader.Modification;
import java.util.Optional;

/** What a package has to report, worked out from what was done to the model of MLflow, by no code of the plugin. */
interface Oracle {
    /** How the sentence begins with which this poll has to be refused; empty when it has to be answered. */
    Optional<String> refusal();

    /** Fails unless this is the right answer now; empty when the plugin reports nothing new. */
    void check(Optional<Modification> answer);

    /** GoCD has kept the answer. */
    void kept(Modification answer);
}
