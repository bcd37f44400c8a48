package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class SeenTest {
    private static Event event(int run) {
        return Event.of(new TaggedRun(FakeMlflow.run(run, "FINISHED"), "true", ""));
    }

    private static Seen absent(int count) {
        return Seen.parse(IntStream.range(0, count)
                .mapToObj(n -> String.format("%012x", n))
                .collect(Collectors.joining(" ")));
    }

    @Test
    void nothingIsForgottenBelowTheLimit() {
        Seen seen = absent(Seen.LIMIT - 1).with(event(1), List.of(event(1)));
        assertEquals(2000, seen.ids().size());
    }

    @Test
    void aboveTheLimitOnlyThosePresentStay() {
        Seen seen = absent(Seen.LIMIT).with(event(1), List.of(event(1), event(2)));
        assertEquals(1, seen.ids().size());
        assertTrue(seen.has(event(1)));
        assertFalse(seen.has(event(2)));
    }

    @Test
    void theTextIsSortedAndReadBack() {
        Seen seen = Seen.parse("bbbbbbbbbbbb aaaaaaaaaaaa  bbbbbbbbbbbb");
        assertEquals("aaaaaaaaaaaa bbbbbbbbbbbb", seen.text());
    }
}
