package io.trackback.mlflow.property;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.trackback.mlflow.GocdReader.Modification;
import io.trackback.mlflow.SimulatedMlflow.Promotion;
import io.trackback.mlflow.SimulatedMlflow;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Every promotion is reported once: written ones by number, then bare ones by the end of their run, then by run. */
final class TagOracle implements Oracle {
    private static final Comparator<Promotion> WRITTEN =
            Comparator.comparing(Promotion::sequence).thenComparing(Promotion::runId);
    private static final Comparator<Promotion> BARE =
            Comparator.comparing(Promotion::ended).thenComparing(Promotion::runId);

    private final SimulatedMlflow mlflow;
    private final String tag;
    private final Set<List<String>> seen = new HashSet<>();
    private Set<String> entries = Set.of();
    private boolean polled;

    TagOracle(SimulatedMlflow mlflow, String tag) {
        this.mlflow = mlflow;
        this.tag = tag;
    }

    @Override
    public Optional<String> refusal() {
        return polled || !mlflow.promotions(tag).isEmpty()
                ? Optional.empty()
                : Optional.of("nothing promoted in experiment " + SimulatedMlflow.EXPERIMENT + " yet: tag a run with ");
    }

    @Override
    public void check(Optional<Modification> answer) {
        assertEquals(next().map(TagOracle::name), answer.map(TagOracle::name));
        answer.ifPresent(it -> checkSeen(entries(it)));
    }

    /** SEEN has one entry more than before; after the first poll, one for each promotion. */
    private void checkSeen(Set<String> after) {
        assertEquals(polled ? entries.size() + 1 : mlflow.promotions(tag).size(), after.size(), "entries of SEEN");
        assertTrue(after.containsAll(entries), "SEEN forgets nothing");
    }

    @Override
    public void kept(Modification answer) {
        if (!polled) {
            mlflow.promotions(tag).forEach(promotion -> seen.add(name(promotion)));
        }
        seen.add(name(answer));
        entries = entries(answer);
        polled = true;
    }

    private Optional<Promotion> next() {
        List<Promotion> pending = mlflow.promotions(tag).stream()
                .filter(promotion -> !seen.contains(name(promotion)))
                .toList();
        return polled ? oldest(pending) : newest(pending);
    }

    static Optional<Promotion> oldest(List<Promotion> pending) {
        Optional<Promotion> written =
                pending.stream().filter(it -> it.sequence() > 0).min(WRITTEN);
        return written.isPresent() ? written : pending.stream().min(BARE);
    }

    private static Optional<Promotion> newest(List<Promotion> pending) {
        Optional<Promotion> written =
                pending.stream().filter(it -> it.sequence() > 0).max(WRITTEN);
        Optional<Promotion> bare = pending.stream().filter(it -> it.sequence() == 0).max(BARE);
        boolean later = bare.isPresent() && bare.get().ended() > SimulatedMlflow.WRITTEN_AT;
        return written.isEmpty() || later ? bare : written;
    }

    static List<String> name(Promotion promotion) {
        return List.of(promotion.runId(), promotion.value());
    }

    static List<String> name(Modification answer) {
        return List.of(answer.data().get("RUN_ID"), answer.data().get("PROMOTION"));
    }

    static Set<String> entries(Modification answer) {
        return Set.of(answer.data().get("SEEN").split(" "));
    }
}
