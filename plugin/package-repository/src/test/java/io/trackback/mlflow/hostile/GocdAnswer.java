package io.trackback.mlflow.hostile;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.thoughtworks.go.plugin.api.response.GoPluginApiResponse;
import io.trackback.mlflow.GocdReader.Check;
import io.trackback.mlflow.GocdReader.Modification;
import io.trackback.mlflow.GocdReader;
import java.util.regex.Pattern;

/** What GoCD reads from a poll or a check. `of` asserts what has to hold for every answer. */
record GocdAnswer(Kind kind, String sentence, Modification revision) {
    /** A text that is in every hostile reply and must be in no sentence. */
    static final String CANARY = "kanarek";

    // Control characters, line separators, marks of direction, and lone surrogates.
    private static final Pattern MISLEADING = Pattern.compile(
            "[\\p{Cc}\\p{Cs}\\u2028\\u2029\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]");
    private static final int VALUE_LIMIT = 4096;
    // Linux starts no process with a variable of more than 128 KiB.
    private static final int SEEN_LIMIT = 100 << 10;

    enum Kind {
        REVISION,
        NOTHING_NEW,
        SUCCESS,
        REFUSED
    }

    static GocdAnswer of(String message, GoPluginApiResponse response) {
        if (response.responseCode() != 200) {
            return said(Kind.REFUSED, response.responseBody());
        }
        if (message.startsWith("check-")) {
            Check check = GocdReader.check(response);
            assertEquals(1, check.messages().size());
            return said(check.success() ? Kind.SUCCESS : Kind.REFUSED, check.messages().get(0));
        }
        return message.equals("latest-revision")
                ? reported(GocdReader.latest(response))
                : GocdReader.since(response)
                        .map(GocdAnswer::reported)
                        .orElse(new GocdAnswer(Kind.NOTHING_NEW, "", null));
    }

    /** A sentence of one line, without text of MLflow's. */
    private static GocdAnswer said(Kind kind, String sentence) {
        assertFalse(sentence.isBlank(), "expected a sentence, found nothing");
        assertFalse(MISLEADING.matcher(sentence).find(), sentence);
        assertFalse(sentence.contains(". ") || sentence.endsWith("."), sentence);
        assertFalse(sentence.contains(CANARY), sentence);
        assertFalse(sentence.startsWith("the plugin failed"), sentence);
        return new GocdAnswer(kind, sentence, null);
    }

    private static GocdAnswer reported(Modification revision) {
        assertMatches("[1-9][0-9]{0,9}-[0-9a-f]{8}", revision.revision());
        assertMatches("[0-9]{4}-.*Z", revision.at().toString());
        assertPlain(revision.user());
        assertPlain(revision.comment());
        assertMatches("https?://[^/]+/#/experiments/[0-9]+/runs/[0-9a-f]{32}", revision.trackbackUrl());
        revision.data().forEach(GocdAnswer::assertValue);
        assertEquals(revision.data().get("RUN_ID").substring(0, 8), revision.revision().replaceFirst(".*-", ""));
        return new GocdAnswer(Kind.REVISION, "", revision);
    }

    private static void assertValue(String key, String value) {
        switch (key) {
            case "SEEN" -> {
                assertMatches("[0-9a-f]{12}( [0-9a-f]{12})*", value);
                assertTrue(value.length() < SEEN_LIMIT, "SEEN of " + value.length());
            }
            case "RUN_ID" -> assertMatches("[0-9a-f]{32}", value);
            case "EXPERIMENT_ID" -> assertMatches("[0-9]{1,20}", value);
            case "MODEL_ID" -> assertMatches("(m-[0-9a-f]{32})?", value);
            case "MODEL_URI" -> assertMatches("(models:/m-[0-9a-f]{32})?", value);
            default -> assertPlain(value);
        }
    }

    private static void assertPlain(String text) {
        assertFalse(MISLEADING.matcher(text).find(), text);
        assertFalse(text.contains("{{SECRET:"), text);
        assertTrue(text.getBytes(UTF_8).length <= VALUE_LIMIT, text);
    }

    private static void assertMatches(String pattern, String text) {
        assertTrue(Pattern.matches(pattern, text), text);
    }
}
