package io.trackback.mlflow.hostile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.trackback.mlflow.hostile.GocdAnswer.Kind;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Recorded responses of MLflow with random mutations: GoCD gets a promotion that is in them, or a sentence.
 * `-Dtrackback.replies` sets the number of polls, `-Dtrackback.seed` the first seed; a failure names its own seed.
 */
final class MutatedRepliesTest {
    private static final int REPLIES = Integer.getInteger("trackback.replies", 20_000);
    private static final long SEED = Long.getLong("trackback.seed", 62_026);
    private static final String SINCE = "latest-revision-since";
    private static final List<String> MESSAGES = List.of("latest-revision", SINCE, SINCE, "check-package-connection");
    private static final String NOTHING_SEEN = "000000000000";
    private static final int MEASUREMENTS = 10;
    private static final double MARGIN_MIB = 2;

    private final PrintStream console = System.out;
    private final Map<RecordedPoll, String> seen = new EnumMap<>(RecordedPoll.class);
    private final Map<Kind, Integer> kinds = new EnumMap<>(Kind.class);

    // Without GoCD the plugin logs to the console, a line or more a poll.
    @BeforeEach
    void discardLog() {
        System.setOut(new PrintStream(OutputStream.nullOutputStream()));
    }

    @AfterEach
    void restoreLog() {
        System.setOut(console);
    }

    @ParameterizedTest
    @EnumSource
    void validRepliesMakeARevisionOnce(RecordedPoll poll) {
        assertEquals(Kind.REVISION, poll.ask(poll.replies(), SINCE, NOTHING_SEEN).kind());
        assertEquals(Kind.NOTHING_NEW, poll.ask(poll.replies(), SINCE, poll.allSeen()).kind());
    }

    @Test
    void mutatedRepliesMakeNoFalseRevisionAndNoUncaughtErrorAndTheHeapStaysAsItIs() {
        Stream.of(RecordedPoll.values()).forEach(poll -> seen.put(poll, poll.allSeen()));
        List<Double> heap = new ArrayList<>();
        long start = System.nanoTime();
        for (int i = 1; i <= REPLIES; i++) {
            mutate(SEED + i - 1);
            if (i % Math.max(1, REPLIES / MEASUREMENTS) == 0) {
                heap.add(usedMib());
            }
        }
        System.err.printf(
                "%d polls of mutated replies from seed %d on, in %.1f s: %s, heap after each tenth %s MiB%n",
                REPLIES, SEED, (System.nanoTime() - start) / 1e9, kinds, heap);
        assertSteady(heap);
        int revisions = kinds.getOrDefault(Kind.REVISION, 0);
        assertTrue(REPLIES < 1000 || revisions > REPLIES / 10, "mutated beyond use: " + kinds);
    }

    /** Mutates the responses of one endpoint, or of every one. */
    private void mutate(long seed) {
        ReplyMutator mutator = new ReplyMutator(seed);
        RecordedPoll poll = mutator.pick(List.of(RecordedPoll.values()));
        Map<Endpoint, List<byte[]>> replies = poll.replies();
        Endpoint only = mutator.pick(List.copyOf(replies.keySet()));
        boolean every = mutator.below(8) == 0;
        replies.replaceAll((endpoint, pages) ->
                every || endpoint == only ? pages.stream().map(mutator::mutated).toList() : pages);
        String message = mutator.pick(MESSAGES);
        String before = mutator.below(2) == 0 ? seen.get(poll) : NOTHING_SEEN;
        try {
            assertNoFalseRevision(poll.ask(replies, message, before), replies, message.equals(SINCE) ? before : "");
        } catch (RuntimeException | AssertionError wrong) {
            throw new AssertionError(reproduction(seed, poll, message, replies), wrong);
        }
    }

    private void assertNoFalseRevision(GocdAnswer answer, Map<Endpoint, List<byte[]>> replies, String before) {
        kinds.merge(answer.kind(), 1, Integer::sum);
        if (answer.kind() == Kind.REVISION) {
            PromotionOracle.of(replies).assertSupports(answer.revision(), before);
        }
    }

    private static String reproduction(
            long seed, RecordedPoll poll, String message, Map<Endpoint, List<byte[]>> replies) {
        StringBuilder reproduction = new StringBuilder(
                "-Dtrackback.replies=1 -Dtrackback.seed=" + seed + " repeats this: " + poll + " " + message);
        replies.forEach((endpoint, pages) -> pages.stream()
                .filter(page -> !poll.replies().get(endpoint).contains(page))
                .map(page -> Base64.getEncoder().encodeToString(page))
                .forEach(page -> reproduction.append('\n').append(endpoint).append(' ').append(page)));
        return reproduction.toString();
    }

    private static double usedMib() {
        System.gc();
        long used = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
        return Math.round(used / 104857.6) / 10.0;
    }

    private static void assertSteady(List<Double> heap) {
        int third = (heap.size() + 2) / 3;
        double first = median(heap.subList(0, third));
        double last = median(heap.subList(heap.size() - third, heap.size()));
        assertTrue(last <= first + MARGIN_MIB, "the heap grows: " + heap);
    }

    private static double median(List<Double> values) {
        return values.stream().sorted().toList().get(values.size() / 2);
    }
}
