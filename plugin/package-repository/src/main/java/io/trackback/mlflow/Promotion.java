package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Collection;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.Optional;

/** One promotion: this run has this value. `modelId` is empty unless the promotion names a model itself. */
record Promotion(Run run, String value, String reason, Instant at, String modelId, Optional<TagValue> written) {
    /** Written ones by sequence, then bare ones by end time, then by run. */
    static final Comparator<Promotion> OLDEST_FIRST = Comparator.comparingInt(Promotion::order)
            .thenComparing(promotion -> promotion.isWritten() ? Instant.EPOCH : promotion.run.ended())
            .thenComparing(promotion -> promotion.run.id());

    /** MLflow does not say when a tag was set, so a bare one counts from the end of its run. */
    static Promotion of(TaggedRun tagged) {
        Optional<TagValue> written = TagValue.parse(tagged.value());
        Instant at = written.map(TagValue::at).orElse(tagged.run().ended());
        return new Promotion(tagged.run(), tagged.value(), tagged.reason(), at, "", written);
    }

    /** With the time, because a registered model that is deleted and created again numbers from 1 again. */
    static Promotion of(ModelVersion version, Run run) {
        String value = "version " + version.number() + " of " + version.created();
        return new Promotion(run, value, "", version.created(), version.modelId(), Optional.empty());
    }

    /** The last written one, unless a bare one's run ended after that was written: it must have been set later. */
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
