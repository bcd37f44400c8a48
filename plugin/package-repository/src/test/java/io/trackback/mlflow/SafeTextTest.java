package io.trackback.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

final class SafeTextTest {
    @Test
    void controlCharactersVanishAndLettersStay() {
        assertEquals("aéż 🐢b", SafeText.text("a\u0000é\nż\t 🐢\u007f\u0085b"));
    }

    @Test
    void aSecretReferenceIsBrokenUpAlsoWhenControlCharactersHideIt() {
        assertEquals("{ {SECRET:[a][b]}}", SafeText.text("{{SEC\u0000RET:[a][b]}}"));
        assertEquals("{{ {SECRET:[a][b]}}}", SafeText.text("{{{SECRET:[a][b]}}}"));
    }

    @Test
    void aLongTextIsCutBetweenCharacters() {
        String cut = SafeText.text("x" + "ż".repeat(4000));
        assertEquals(4095, cut.getBytes(UTF_8).length);
        assertEquals("x" + "ż".repeat(2047), cut);
    }

    @Test
    void halfACharacterBecomesAQuestionMark() {
        assertEquals("a?b", SafeText.text("a\ud83db"));
    }

    @Test
    void aUserFitsIntoGocdsColumn() {
        assertEquals(255, SafeText.user("u".repeat(300)).length());
    }
}
