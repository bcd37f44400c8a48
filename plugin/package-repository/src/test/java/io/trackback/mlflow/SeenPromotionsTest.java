package io.trackback.mlflow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class SeenPromotionsTest {
    private static Promotion promotion(int run) {
        return Promotion.of(new TaggedRun(FakeMlflow.run(run, "FINISHED"), "true", ""));
    }

    private static SeenPromotions absent(int count) {
        return SeenPromotions.parse(IntStream.range(0, count)
                .mapToObj(n -> String.format("%012x", n))
                .collect(Collectors.joining(" ")));
    }

    @Test
    void nothingIsForgottenBelowTheLimit() {
        SeenPromotions seen = absent(SeenPromotions.LIMIT - 1).with(promotion(1), List.of(promotion(1)));
        assertEquals(2000, seen.ids().size());
    }

    @Test
    void aboveTheLimitOnlyThosePresentStay() {
        SeenPromotions seen = absent(SeenPromotions.LIMIT).with(promotion(1), List.of(promotion(1), promotion(2)));
        assertEquals(1, seen.ids().size());
        assertTrue(seen.has(promotion(1)));
        assertFalse(seen.has(promotion(2)));
    }

    @Test
    void theTextIsSortedAndReadBack() {
        SeenPromotions seen = SeenPromotions.parse("bbbbbbbbbbbb aaaaaaaaaaaa  bbbbbbbbbbbb");
        assertEquals("aaaaaaaaaaaa bbbbbbbbbbbb", seen.text());
    }
}
