package io.trackback.mlflow.property;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.trackback.mlflow.GocdReader.Modification;
import io.trackback.mlflow.SimulatedMlflow.Version;
import io.trackback.mlflow.SimulatedMlflow;
import java.util.Optional;

/** A report if and only if the alias points at another version of a finished run than the last one reported. */
final class AliasOracle implements Oracle {
    private final SimulatedMlflow mlflow;
    private final String alias;
    private Version last;

    AliasOracle(SimulatedMlflow mlflow, String alias) {
        this.mlflow = mlflow;
        this.alias = alias;
    }

    @Override
    public Optional<String> refusal() {
        Version version = mlflow.aliases.get(alias);
        if (version != null && version.run() == null) {
            return Optional.of("expected version " + version.number() + " of registered model 'diamonds' to come");
        }
        return last == null && next().isEmpty()
                ? Optional.of("nothing promoted in registered model diamonds yet: set the alias '" + alias + "' on ")
                : Optional.empty();
    }

    @Override
    public void check(Optional<Modification> answer) {
        assertEquals(next().map(version -> version.run().id), answer.map(it -> it.data().get("RUN_ID")));
        answer.map(it -> it.data().get("PROMOTION"))
                .ifPresent(it -> assertTrue(it.startsWith("version " + next().orElseThrow().number() + " "), it));
    }

    @Override
    public void kept(Modification answer) {
        last = next().orElseThrow();
    }

    private Optional<Version> next() {
        return Optional.ofNullable(mlflow.aliases.get(alias))
                .filter(version -> version.run().isFinished() && !version.equals(last));
    }
}
