package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.trackback.mlflow.GocdAnswer.Kind;
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
 * Replies of a real MLflow, spoilt at random: whatever comes, GoCD gets a promotion that really stands in them, or a
 * sentence. `-Dtrackback.replies` says how many polls, `-Dtrackback.seed` where to begin; a failure tells its own seed.
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
    private final Map<Scene, String> seen = new EnumMap<>(Scene.class);
    private final Map<Kind, Integer> kinds = new EnumMap<>(Kind.class);

    // Without GoCD the plugin's log is the console, and a hundred thousand lines are no use to anyone.
    @BeforeEach
    void silence() {
        System.setOut(new PrintStream(OutputStream.nullOutputStream()));
    }

    @AfterEach
    void speak() {
        System.setOut(console);
    }

    @ParameterizedTest
    @EnumSource
    void soundRepliesMakeARevisionOnce(Scene scene) {
        assertEquals(Kind.REVISION, scene.ask(scene.replies(), SINCE, NOTHING_SEEN).kind());
        assertEquals(Kind.NOTHING_NEW, scene.ask(scene.replies(), SINCE, scene.allSeen()).kind());
    }

    @Test
    void spoiltRepliesMakeNoFalseRevisionAndNoUncaughtErrorAndTheHeapStaysAsItIs() {
        Stream.of(Scene.values()).forEach(scene -> seen.put(scene, scene.allSeen()));
        List<Double> heap = new ArrayList<>();
        long start = System.nanoTime();
        for (int i = 1; i <= REPLIES; i++) {
            spoil(SEED + i - 1);
            if (i % Math.max(1, REPLIES / MEASUREMENTS) == 0) {
                heap.add(usedMib());
            }
        }
        System.err.printf(
                "%d polls of spoilt replies from seed %d on, in %.1f s: %s, heap after each tenth %s MiB%n",
                REPLIES, SEED, (System.nanoTime() - start) / 1e9, kinds, heap);
        assertSteady(heap);
        int revisions = kinds.getOrDefault(Kind.REVISION, 0);
        assertTrue(REPLIES < 1000 || revisions > REPLIES / 10, "spoilt beyond use: " + kinds);
    }

    /** One of the replies, or every one. */
    private void spoil(long seed) {
        Mutator mutator = new Mutator(seed);
        Scene scene = mutator.pick(List.of(Scene.values()));
        Map<Topic, List<byte[]>> replies = scene.replies();
        Topic only = mutator.pick(List.copyOf(replies.keySet()));
        boolean every = mutator.below(8) == 0;
        replies.replaceAll((topic, pages) ->
                every || topic == only ? pages.stream().map(mutator::mutated).toList() : pages);
        String message = mutator.pick(MESSAGES);
        String before = mutator.below(2) == 0 ? seen.get(scene) : NOTHING_SEEN;
        try {
            assertHonest(scene.ask(replies, message, before), replies, message.equals(SINCE) ? before : "");
        } catch (RuntimeException | AssertionError wrong) {
            throw new AssertionError(told(seed, scene, message, replies), wrong);
        }
    }

    private void assertHonest(GocdAnswer answer, Map<Topic, List<byte[]>> replies, String before) {
        kinds.merge(answer.kind(), 1, Integer::sum);
        if (answer.kind() == Kind.REVISION) {
            Evidence.of(replies).assertSupports(answer.revision(), before);
        }
    }

    private static String told(long seed, Scene scene, String message, Map<Topic, List<byte[]>> replies) {
        StringBuilder told = new StringBuilder(
                "-Dtrackback.replies=1 -Dtrackback.seed=" + seed + " repeats this: " + scene + " " + message);
        replies.forEach((topic, pages) -> pages.stream()
                .filter(page -> !scene.replies().get(topic).contains(page))
                .map(page -> Base64.getEncoder().encodeToString(page))
                .forEach(page -> told.append('\n').append(topic).append(' ').append(page)));
        return told.toString();
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
