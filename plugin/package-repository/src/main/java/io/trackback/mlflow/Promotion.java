package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Collection;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.Optional;

/**
 * One promotion: the pair of a run and the value of its tag or alias. `written` holds the parts of a value of
 * `trackback promote`; a value without them is called bare. `modelId` is empty unless the promotion names a model.
 */
record Promotion(Run run, String value, String reason, Instant at, String modelId, Optional<TagValue> written) {
    /** Written ones by sequence, then bare ones by the end of their run, then by run id. */
    static final Comparator<Promotion> OLDEST_FIRST = Comparator.comparingInt(Promotion::order)
            .thenComparing(promotion -> promotion.isWritten() ? Instant.EPOCH : promotion.run.ended())
            .thenComparing(promotion -> promotion.run.id());

    /** A bare value has the time of its run's end, because MLflow keeps no time of a tag. */
    static Promotion of(TaggedRun tagged) {
        Optional<TagValue> written = TagValue.parse(tagged.value());
        Instant at = written.map(TagValue::at).orElse(tagged.run().ended());
        return new Promotion(tagged.run(), tagged.value(), tagged.reason(), at, "", written);
    }

    /** The value has the version's time, because a registered model that is created again numbers from 1 again. */
    static Promotion of(ModelVersion version, Run run) {
        String value = "version " + version.number() + " of " + version.created();
        return new Promotion(run, value, "", version.created(), version.modelId(), Optional.empty());
    }

    /** The last written one, unless a bare one's run ended after that was written: its tag is later still. */
    static Optional<Promotion> newest(Collection<Promotion> promotions) {
        Optional<Promotion> lastWritten = promotions.stream().filter(Promotion::isWritten).max(OLDEST_FIRST);
        return promotions.stream()
                .filter(promotion -> !promotion.isWritten())
                .max(OLDEST_FIRST)
                .filter(bare -> lastWritten.isEmpty() || bare.at.isAfter(lastWritten.get().at))
                .or(() -> lastWritten);
    }

    String id() {
        return id(run.id(), value);
    }

    static String id(String runId, String value) {
        return shortDigest(runId + '\0' + value);
    }

    /** The first 12 hex digits of the text's SHA-256. */
    static String shortDigest(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8));
            return HexFormat.of().formatHex(digest, 0, 6);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every Java has SHA-256", impossible);
        }
    }

    String who() {
        return written.map(TagValue::who).orElse("unknown");
    }

    String sequence() {
        return written.map(value -> String.valueOf(value.sequence())).orElse("");
    }

    boolean isWritten() {
        return written.isPresent();
    }

    private int order() {
        return written.map(TagValue::sequence).orElse(Integer.MAX_VALUE);
    }
}
